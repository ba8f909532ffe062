{{/*
Values that no schema can refuse: what contradicts other values, or can never work. All problems at once, each with its
place, what was found and what would be right.
*/}}

{{/* (list problems path found expected) */}}
{{- define "penstock.problem" -}}
{{- $_ := set (index . 0) "all" (append (index . 0).all (printf "%s: %s; %s" (index . 1) (index . 2) (index . 3))) }}
{{- end }}

{{- define "penstock.checks" -}}
{{- $problems := dict "all" list }}
{{- $pools := include "penstock.pools" . | fromJson }}
{{- include "penstock.check.names" (list . $problems $pools) }}
{{- include "penstock.check.app" (list . $problems $pools) }}
{{- include "penstock.check.connections" (list . $problems) }}
{{- include "penstock.check.processors" (list . $problems $pools) }}
{{- range $name, $pool := $pools }}
{{- include "penstock.check.pool" (list $ $problems (printf "pools.%s" $name) $pool) }}
{{- if ne $pool.autoscaling.type "none" }}
{{- include "penstock.check.scaling" (list $ $problems (printf "pools.%s.autoscaling" $name) $pool) }}
{{- end }}
{{- end }}
{{- if .Values.functions.enabled }}
{{- include "penstock.check.functions" (list . $problems) }}
{{- end }}
{{- if .Values.topics.enabled }}
{{- include "penstock.check.topics" (list . $problems) }}
{{- end }}
{{- with $problems.all }}
{{- fail (printf "\n\npenstock: %d %s in the values, nothing was installed\n  %s\n" (len .) (eq (len .) 1 | ternary "problem" "problems") (join "\n  " .)) }}
{{- end }}
{{- end }}

{{/* (list root problems pools) */}}
{{- define "penstock.check.names" -}}
{{- $root := index . 0 }}
{{- $problems := index . 1 }}
{{- $name := include "penstock.fullname" $root }}
{{- range $pool, $_ := index . 2 }}
{{- if not (regexMatch "^[a-z]([-a-z0-9]{0,30}[a-z0-9])?$" $pool) }}
{{- include "penstock.problem" (list $problems (printf "pools.%s" $pool) "is no name of a pool" "lower-case letters, digits and -, at most 32") }}
{{- else if gt (len (printf "%s-%s" $name $pool)) 52 }}
{{- include "penstock.problem" (list $problems (printf "pools.%s" $pool) (printf "%s-%s has %d characters" $name $pool (len (printf "%s-%s" $name $pool))) "at most 52: a shorter fullnameOverride or pool") }}
{{- end }}
{{- end }}
{{- range $secret, $_ := $root.Values.secrets }}
{{- if not (regexMatch "^[a-z0-9]([-a-z0-9]{0,50}[a-z0-9])?$" $secret) }}
{{- include "penstock.problem" (list $problems (printf "secrets.%s" $secret) "is no name of a volume" "lower-case letters, digits and -, at most 52") }}
{{- else if eq (dig "mountPath" (printf "/run/secrets/%s" $secret) (index $root.Values.secrets $secret)) "/run/secrets/penstock" }}
{{- include "penstock.problem" (list $problems (printf "secrets.%s" $secret) "is mounted at /run/secrets/penstock, where those of connections are" "another name or mountPath") }}
{{- end }}
{{- end }}
{{- if gt (len (include "penstock.releaseId" $root)) 128 }}
{{- include "penstock.problem" (list $problems "releaseId" "has more than 128 characters" "a shorter one") }}
{{- end }}
{{- end }}

{{/* (list root problems pools): where the app folder comes from. */}}
{{- define "penstock.check.app" -}}
{{- $root := index . 0 }}
{{- $problems := index . 1 }}
{{- $app := $root.Values.app }}
{{- $keys := dict }}
{{- $sizes := dict "worker" 0 "host" 0 }}
{{- range $path, $text := $app.files }}
{{- $place := printf "app.files[%s]" $path }}
{{- if not (kindIs "string" $text) }}
{{- include "penstock.problem" (list $problems $place (printf "found a %s" (kindIs "map" $text | ternary "mapping" (kindOf $text))) (printf "text: `%s: |` (Helm sorts the keys of mappings, and a pipeline's order counts)" $path)) }}
{{- else }}
{{- $owner := include "penstock.app.owner" $path }}
{{- $_ := set $sizes $owner (add (get $sizes $owner) (len $text)) }}
{{- end }}
{{- if not (regexMatch "^[A-Za-z0-9._-]+(/[A-Za-z0-9._-]+)*$" $path) }}
{{- include "penstock.problem" (list $problems $place "is no path in an app folder" "letters, digits and . _ - between slashes") }}
{{- else if not (or (contains "/" $path) (regexMatch "^(connections\\.(yaml|yml|json)|[A-Za-z0-9_-]+\\.json|README.*)$" $path)) }}
{{- include "penstock.problem" (list $problems $place "is in no folder" (printf "processors/%s, functions/..., topics/..." $path)) }}
{{- end }}
{{- $key := include "penstock.app.key" $path }}
{{- if hasKey $keys $key }}
{{- include "penstock.problem" (list $problems $place (printf "has the key %s of a ConfigMap, as has %s" $key (get $keys $key)) "another name") }}
{{- end }}
{{- $_ := set $keys $key $path }}
{{- end }}
{{- range $owner, $size := $sizes }}
{{- if gt (int $size) 1000000 }}
{{- include "penstock.problem" (list $problems "app.files" (printf "%d bytes for the pods of one kind" (int $size)) "at most 1,000,000, which a ConfigMap takes: app.configMaps or app.volume") }}
{{- end }}
{{- end }}
{{- if and $app.volume (or $app.files $app.configMaps $root.Values.connections) }}
{{- include "penstock.problem" (list $problems "app.volume" "stands beside app.files, app.configMaps or connections" "the volume holds the whole folder: one or the other") }}
{{- end }}
{{- $folders := dict }}
{{- range $at, $one := $app.configMaps }}
{{- with .folder }}
{{- $folder := . }}
{{- if hasKey $folders $folder }}
{{- include "penstock.problem" (list $problems (printf "app.configMaps[%d].folder" $at) (printf "%s a second time" $folder) "each folder once, or items") }}
{{- end }}
{{- $_ := set $folders $folder true }}
{{- range $path, $_ := $app.files }}
{{- if hasPrefix (printf "%s/" $folder) $path }}
{{- include "penstock.problem" (list $problems (printf "app.configMaps[%d].folder" $at) (printf "%s, into which app.files puts %s" $folder $path) "a folder comes from one place; or use items") }}
{{- end }}
{{- end }}
{{- end }}
{{- end }}
{{- $written := list }}
{{- range $path, $_ := $app.files }}{{- if hasPrefix "connections." $path }}{{- $written = append $written $path }}{{- end }}{{- end }}
{{- if and $written $root.Values.connections }}
{{- include "penstock.problem" (list $problems "connections" (printf "stands beside app.files[%s]" (first $written)) "one of the two") }}
{{- end }}
{{- $elsewhere := $app.volume }}
{{- range $app.configMaps }}{{- if not .folder }}{{- $elsewhere = true }}{{- end }}{{- end }}
{{- if and (index . 2) (not (or $written $root.Values.connections $elsewhere)) }}
{{- include "penstock.problem" (list $problems "connections" "there are none" "connections: {kafka: {type: Kafka, bootstrapServers: ...}}, app.files[connections.yaml], app.configMaps or app.volume") }}
{{- end }}
{{- end }}

{{/* "true" where processors or functions may come from what the chart does not see. (list root folder) */}}
{{- define "penstock.app.isOpen" -}}
{{- $root := index . 0 }}
{{- $found := empty $root.Values.app.volume | ternary "" "true" }}
{{- range $root.Values.app.configMaps }}
{{- if or (not .folder) (eq .folder (index $ 1)) }}{{- $found = "true" }}{{- end }}
{{- end }}
{{- $found }}
{{- end }}

{{/* (list root problems) */}}
{{- define "penstock.check.connections" -}}
{{- $root := index . 0 }}
{{- $problems := index . 1 }}
{{- range $name, $one := $root.Values.connections }}
{{- if not (regexMatch "^[A-Za-z0-9][A-Za-z0-9._*-]{0,127}$" $name) }}
{{- include "penstock.problem" (list $problems (printf "connections.%s" $name) "is no name of a connection" "letters, digits and . - * _ (at most 128)") }}
{{- end }}
{{- include "penstock.check.fields" (list $problems (printf "connections.%s" $name) $one) }}
{{- $variables := list }}
{{- range $root.Values.workers.extraEnv }}{{- $variables = append $variables .name }}{{- end }}
{{- if and (contains "PENSTOCK_FUNCTIONS_URL" (toJson $one)) (not $root.Values.functions.enabled) (not (has "PENSTOCK_FUNCTIONS_URL" $variables)) (not $root.Values.workers.envFrom) }}
{{- include "penstock.problem" (list $problems (printf "connections.%s.endpointUrl" $name) "${PENSTOCK_FUNCTIONS_URL}, and functions.enabled is false" "functions.enabled: true, or a host's address") }}
{{- end }}
{{- end }}
{{- end }}

{{/* (list problems path fields) */}}
{{- define "penstock.check.fields" -}}
{{- $problems := index . 0 }}
{{- $secret := list "password" "keyPassword" "clientSecret" "secretAccessKey" "sessionToken" "token" }}
{{- range $name, $value := index . 2 }}
{{- $path := printf "%s.%s" (index $ 1) $name }}
{{- $isPath := has $name (list "caFile" "certificateFile" "keyFile") }}
{{- if kindIs "map" $value }}
{{- if or $value.existingSecret $value.existingConfigMap }}
{{- if not $value.key }}
{{- include "penstock.problem" (list $problems $path (printf "%s without key" (default $value.existingConfigMap $value.existingSecret)) "{existingSecret: NAME, key: KEY}") }}
{{- end }}
{{- if and $value.existingConfigMap (has $name $secret) }}
{{- include "penstock.problem" (list $problems $path "a secret in a ConfigMap" "{existingSecret: NAME, key: KEY}") }}
{{- end }}
{{- else if and $isPath $value.file }}
{{- include "penstock.problem" (list $problems $path "{file: ...}, which is the file's content" (printf "the path itself: %s: %s" $name $value.file)) }}
{{- else }}
{{- include "penstock.check.fields" (list $problems $path $value) }}
{{- end }}
{{- else if and (kindIs "string" $value) (or (has $name $secret) (hasSuffix ".headers" (index $ 1)) (eq $name "keyFile")) }}
{{- if and (has $name $secret) (not (contains "${" $value)) }}
{{- include "penstock.problem" (list $problems $path "a secret that is written out" "{existingSecret: NAME, key: KEY}, {file: PATH} or ${VARIABLE}") }}
{{- else if and (regexMatch "(?i)^(authorization|.*-key|.*token.*)$" $name) (hasSuffix ".headers" (index $ 1)) (not (contains "${" $value)) }}
{{- include "penstock.problem" (list $problems $path "a secret that is written out" "{existingSecret: NAME, key: KEY}, {file: PATH} or ${VARIABLE}") }}
{{- end }}
{{- end }}
{{- end }}
{{- end }}

{{/* (list root problems pools): each processor is there, and in one pool. */}}
{{- define "penstock.check.processors" -}}
{{- $root := index . 0 }}
{{- $problems := index . 1 }}
{{- $pools := index . 2 }}
{{- $known := list }}
{{- range $path, $_ := $root.Values.app.files }}
{{- if hasPrefix "processors/" $path }}
{{- $known = append $known (regexReplaceAll "\\.(yaml|yml|json|json5|js)$" (base $path) "") }}
{{- end }}
{{- end }}
{{- $isOpen := include "penstock.app.isOpen" (list $root "processors") }}
{{- if and $pools (not $known) (not $isOpen) }}
{{- include "penstock.problem" (list $problems "app.files" "holds no processor" "processors/<name>.yaml: | and its pipeline; or workers.enabled: false for a function host alone") }}
{{- end }}
{{- $owners := dict }}
{{- range $name, $pool := $pools }}
{{- if and (not $pool.processors) (gt (len $pools) 1) }}
{{- include "penstock.problem" (list $problems (printf "pools.%s.processors" $name) "is empty, which means every processor, beside other pools" "the processors of this pool") }}
{{- end }}
{{- range $pool.processors }}
{{- if hasKey $owners . }}
{{- include "penstock.problem" (list $problems (printf "pools.%s.processors" $name) (printf "%s, which pools.%s runs" . (get $owners .)) "each processor in one pool: more pods of one share its partitions") }}
{{- else if and (not (has . $known)) (not $isOpen) $known }}
{{- include "penstock.problem" (list $problems (printf "pools.%s.processors" $name) (printf "there is no processor %s" .) (printf "one of %s" (join ", " $known))) }}
{{- end }}
{{- $_ := set $owners . $name }}
{{- end }}
{{- end }}
{{- range $name, $one := include "penstock.processors" $root | fromJson }}
{{- with $one.connection }}
{{- if and $root.Values.connections (not (hasKey $root.Values.connections .)) }}
{{- include "penstock.problem" (list $problems (printf "app.files[processors/%s]" $name) (printf "$source reads from the connection %s" .) (printf "one of connections: %s" (keys $root.Values.connections | sortAlpha | join ", "))) }}
{{- end }}
{{- end }}
{{- end }}
{{- end }}

{{/* (list problems path budget) */}}
{{- define "penstock.check.budget" -}}
{{- $budget := index . 2 }}
{{- $hasMin := not (kindIs "invalid" $budget.minAvailable) }}
{{- $hasMax := not (kindIs "invalid" $budget.maxUnavailable) }}
{{- if and $budget.enabled $hasMin $hasMax }}
{{- include "penstock.problem" (list (index . 0) (index . 1) "minAvailable and maxUnavailable" "one of the two: set the other to null") }}
{{- else if and $budget.enabled (not $hasMin) (not $hasMax) }}
{{- include "penstock.problem" (list (index . 0) (index . 1) "neither minAvailable nor maxUnavailable" "maxUnavailable: 1, or enabled: false") }}
{{- end }}
{{- end }}

{{/* duration of a processor's options -> seconds, 0 for what is no duration. */}}
{{- define "penstock.seconds" -}}
{{- $text := toString . }}
{{- $number := regexFind "^[0-9]+" $text }}
{{- if not $number }}0
{{- else if hasSuffix "ms" $text }}{{ div (int $number) 1000 }}
{{- else if hasSuffix "m" $text }}{{ mul (int $number) 60 }}
{{- else if hasSuffix "h" $text }}{{ mul (int $number) 3600 }}
{{- else }}{{ int $number }}
{{- end }}
{{- end }}

{{/* (list root problems path pool) */}}
{{- define "penstock.check.pool" -}}
{{- $root := index . 0 }}
{{- $problems := index . 1 }}
{{- $path := index . 2 }}
{{- $pool := index . 3 }}
{{- $drain := int $pool.drainTimeoutSeconds }}
{{- $grace := int (include "penstock.grace" $pool) }}
{{- if lt $grace (add $drain 5 | int) }}
{{- include "penstock.problem" (list $problems (printf "%s.terminationGracePeriodSeconds" $path) (printf "%d, and drainTimeoutSeconds is %d: Kubernetes would kill workers that drain" $grace $drain) (printf "at least %d, or null" (add $drain 5))) }}
{{- end }}
{{- range $name, $one := include "penstock.processors" $root | fromJson }}
{{- if and $one.drain (or (not $pool.processors) (has $name $pool.processors)) }}
{{- $asked := include "penstock.seconds" $one.drain | int }}
{{- if gt $asked $drain }}
{{- include "penstock.problem" (list $problems (printf "%s.drainTimeoutSeconds" $path) (printf "%d, and the processor %s has options.drainTimeout %v" $drain $name $one.drain) (printf "at least %d" $asked)) }}
{{- end }}
{{- end }}
{{- end }}
{{- if and $pool.staticMembership (ne $pool.kind "StatefulSet") }}
{{- include "penstock.problem" (list $problems (printf "%s.staticMembership" $path) (printf "true for a %s, whose pods have no stable names" $pool.kind) "kind: StatefulSet, or staticMembership: false") }}
{{- end }}
{{- if and $pool.statefulSet.volumeClaimTemplates (ne $pool.kind "StatefulSet") }}
{{- include "penstock.problem" (list $problems (printf "%s.statefulSet.volumeClaimTemplates" $path) (printf "for a %s" $pool.kind) "kind: StatefulSet") }}
{{- end }}
{{- with $pool.stateVolume }}
{{- $volumes := list }}
{{- range $pool.statefulSet.volumeClaimTemplates }}{{- $volumes = append $volumes (dig "metadata" "name" "" .) }}{{- end }}
{{- range $pool.extraVolumes }}{{- $volumes = append $volumes .name }}{{- end }}
{{- if not (has . $volumes) }}
{{- include "penstock.problem" (list $problems (printf "%s.stateVolume" $path) (printf "there is no volume %s" .) (empty $volumes | ternary "a volume of statefulSet.volumeClaimTemplates or extraVolumes" (printf "one of %s" (join ", " $volumes)))) }}
{{- end }}
{{- end }}
{{- include "penstock.check.budget" (list $problems (printf "%s.podDisruptionBudget" $path) $pool.podDisruptionBudget) }}
{{- range $pool.extraEnv }}
{{- if and $pool.stateVolume (eq .name "PENSTOCK_STATE") }}
{{- include "penstock.problem" (list $problems (printf "%s.extraEnv" $path) "PENSTOCK_STATE beside stateVolume" "one of the two") }}
{{- end }}
{{- if has .name (list "PENSTOCK_RELEASE" "PENSTOCK_SLOT" "PENSTOCK_LOG_LEVEL" "PENSTOCK_DRAIN_TIMEOUT" "PENSTOCK_STATIC_MEMBERSHIP" "PENSTOCK_PROCESSES" "PENSTOCK_METRICS_PORT" "PENSTOCK_METRICS_HOST") }}
{{- include "penstock.problem" (list $problems (printf "%s.extraEnv" $path) (printf "%s, which the chart sets" .name) "releaseId, logLevel, drainTimeoutSeconds, staticMembership, processes, metricsPort or listenAddress") }}
{{- end }}
{{- end }}
{{- if and (eq $pool.autoscaling.type "none") (hasKey $pool.autoscaling "partitions") (eq (toString $pool.replicas) "0") (eq $pool.kind "StatefulSet") $pool.staticMembership }}
{{- include "penstock.problem" (list $problems (printf "%s.replicas" $path) "0 static members" "at least 1") }}
{{- end }}
{{- end }}

{{/* (list root problems path pool) */}}
{{- define "penstock.check.scaling" -}}
{{- $root := index . 0 }}
{{- $problems := index . 1 }}
{{- $path := index . 2 }}
{{- $pool := index . 3 }}
{{- $scaling := $pool.autoscaling }}
{{- if gt (int $scaling.minReplicas) (int $scaling.maxReplicas) }}
{{- include "penstock.problem" (list $problems (printf "%s.minReplicas" $path) (printf "%d, and maxReplicas is %d" (int $scaling.minReplicas) (int $scaling.maxReplicas)) "at most maxReplicas") }}
{{- end }}
{{- if and (eq (int $scaling.minReplicas) 0) (ne $scaling.type "lag") }}
{{- include "penstock.problem" (list $problems (printf "%s.minReplicas" $path) (printf "0 with type %s, which nothing would wake up" $scaling.type) "at least 1, or type: lag") }}
{{- end }}
{{- $cpu := dig "requests" "cpu" "" ($pool.resources | default dict) }}
{{- if and (eq $scaling.type "cpu") (not $cpu) }}
{{- include "penstock.problem" (list $problems (printf "%s.type" $path) "cpu without resources.requests.cpu, of which targetUtilization is a percentage" "resources: {requests: {cpu: 500m}}") }}
{{- end }}
{{- $vpa := $pool.verticalPodAutoscaler }}
{{- if and (eq $scaling.type "cpu") $vpa.enabled (ne $vpa.updateMode "Off") (has "cpu" $vpa.controlledResources) }}
{{- include "penstock.problem" (list $problems (printf "%s.type" $path) "cpu beside a verticalPodAutoscaler that changes it" "controlledResources: [memory], or updateMode: Off") }}
{{- end }}
{{- if and (eq $scaling.type "hint") (not $scaling.hint.serverAddress) }}
{{- include "penstock.problem" (list $problems (printf "%s.hint.serverAddress" $path) "is empty" "Prometheus, such as http://prometheus.monitoring:9090") }}
{{- end }}
{{- if eq $scaling.type "lag" }}
{{- if and $scaling.lag.allowIdleConsumers $scaling.lag.limitToPartitionsWithLag }}
{{- include "penstock.problem" (list $problems (printf "%s.lag.allowIdleConsumers" $path) "true beside limitToPartitionsWithLag" "one of the two") }}
{{- end }}
{{- $sources := include "penstock.lagSources" (list $root $pool) | fromJsonArray }}
{{- if not $sources }}
{{- include "penstock.problem" (list $problems (printf "%s.lag.sources" $path) "no group or topic is known: the pool's processors are not in app.files as YAML or JSON" "lag: {sources: [{consumerGroup: penstock-<processor>, topic: ..., connection: ...}]}") }}
{{- end }}
{{- range $sources }}
{{- $connection := get $root.Values.connections (.connection | default "") }}
{{- if and (not $connection) (not .bootstrapServers) }}
{{- include "penstock.problem" (list $problems (printf "%s.lag.sources" $path) (printf "%s: the connection %s is not among connections" .consumerGroup (.connection | default "(none)")) "a Kafka connection of connections, or bootstrapServers") }}
{{- else if $connection }}
{{- include "penstock.check.keda" (list $problems $path $pool .connection $connection) }}
{{- end }}
{{- end }}
{{- end }}
{{- end }}

{{/* (list problems path pool name connection): KEDA reads neither our pods' variables nor their files. */}}
{{- define "penstock.check.keda" -}}
{{- $problems := index . 0 }}
{{- $connection := index . 4 }}
{{- if contains "${" (toString $connection.bootstrapServers) }}
{{- include "penstock.problem" (list $problems (printf "%s.lag.sources" (index . 1)) (printf "connections.%s.bootstrapServers holds a variable, which KEDA does not know" (index . 3)) "the addresses, or lag.sources[].bootstrapServers") }}
{{- end }}
{{- if not (index . 2).autoscaling.keda.authenticationRef }}
{{- range $field, $value := merge dict ($connection.authentication | default dict) ($connection.security | default dict) }}
{{- $isPath := and (has $field (list "caFile" "certificateFile" "keyFile")) (kindIs "string" $value) }}
{{- if or $isPath (contains "${" (toString $value)) (and (kindIs "map" $value) $value.file) }}
{{- include "penstock.problem" (list $problems (printf "connections.%s.%s" (index $ 3) $field) "a file or variable of the pods, which KEDA cannot read" "{existingSecret: NAME, key: KEY}, or autoscaling.keda.authenticationRef") }}
{{- end }}
{{- end }}
{{- end }}
{{- end }}

{{/* (list root problems) */}}
{{- define "penstock.check.functions" -}}
{{- $root := index . 0 }}
{{- $problems := index . 1 }}
{{- $v := $root.Values.functions }}
{{- $ways := list }}
{{- if $v.authentication.accounts }}{{- $ways = append $ways "accounts" }}{{- end }}
{{- if $v.authentication.existingSecret }}{{- $ways = append $ways "existingSecret" }}{{- end }}
{{- if $v.authentication.inAppFolder }}{{- $ways = append $ways "inAppFolder" }}{{- end }}
{{- if not $ways }}
{{- include "penstock.problem" (list $problems "functions.authentication" "nobody would have to say who they are, and the host refuses to start" "accounts: {accessKeys: {WORKERS: {secret: {existingSecret: NAME, key: KEY}}}}, existingSecret or inAppFolder") }}
{{- else if gt (len $ways) 1 }}
{{- include "penstock.problem" (list $problems "functions.authentication" (join " and " $ways) "one of the three") }}
{{- end }}
{{- $isOpen := include "penstock.app.isOpen" (list $root "functions") }}
{{- $found := list }}
{{- range $path, $_ := $root.Values.app.files }}
{{- if regexMatch "^functions/.+\\.(js|py)$" $path }}{{- $found = append $found $path }}{{- end }}
{{- end }}
{{- if not (or $found $isOpen) }}
{{- include "penstock.problem" (list $problems "app.files" "holds no function" "functions/<name>.js or .py, or functions.enabled: false") }}
{{- end }}
{{- if and $v.authentication.inAppFolder (not $isOpen) (not (hasKey $root.Values.app.files "functions/authentication.yaml")) }}
{{- include "penstock.problem" (list $problems "functions.authentication.inAppFolder" "app.files has no functions/authentication.yaml" "that file, or accounts") }}
{{- end }}
{{- if lt (int $v.terminationGracePeriodSeconds) (add 30 (int $v.preStopSeconds) | int) }}
{{- include "penstock.problem" (list $problems "functions.terminationGracePeriodSeconds" (printf "%d, and the host drains for 25 s after preStopSeconds %d" (int $v.terminationGracePeriodSeconds) (int $v.preStopSeconds)) (printf "at least %d" (add 30 (int $v.preStopSeconds)))) }}
{{- end }}
{{- include "penstock.check.budget" (list $problems "functions.podDisruptionBudget" $v.podDisruptionBudget) }}
{{- if and $v.autoscaling.enabled (gt (int $v.autoscaling.minReplicas) (int $v.autoscaling.maxReplicas)) }}
{{- include "penstock.problem" (list $problems "functions.autoscaling.minReplicas" "is more than maxReplicas" "at most maxReplicas") }}
{{- end }}
{{- if and $v.autoscaling.enabled (not (dig "requests" "cpu" "" ($v.resources | default dict))) }}
{{- include "penstock.problem" (list $problems "functions.autoscaling" "without resources.requests.cpu, of which targetUtilization is a percentage" "resources: {requests: {cpu: 500m}}") }}
{{- end }}
{{- end }}

{{/* (list root problems) */}}
{{- define "penstock.check.topics" -}}
{{- $root := index . 0 }}
{{- $problems := index . 1 }}
{{- $kafka := list }}
{{- range $name, $one := $root.Values.connections }}{{- if eq $one.type "Kafka" }}{{- $kafka = append $kafka $name }}{{- end }}{{- end }}
{{- $chosen := $root.Values.topics.connection }}
{{- if and (gt (len $kafka) 1) (not $chosen) }}
{{- include "penstock.problem" (list $problems "topics.connection" (printf "is empty, and there are %s" (sortAlpha $kafka | join ", ")) "one of them") }}
{{- else if and $chosen $kafka (not (has $chosen $kafka)) }}
{{- include "penstock.problem" (list $problems "topics.connection" (printf "%s is no Kafka connection" $chosen) (printf "one of %s" (sortAlpha $kafka | join ", "))) }}
{{- end }}
{{- $found := list }}
{{- range $path, $_ := $root.Values.app.files }}{{- if hasPrefix "topics/" $path }}{{- $found = append $found $path }}{{- end }}{{- end }}
{{- if not (or $found (include "penstock.app.isOpen" (list $root "topics"))) }}
{{- include "penstock.problem" (list $problems "topics.enabled" "true, and app.files holds no topics/<topic>.yaml" "contracts of topics, or topics.enabled: false") }}
{{- end }}
{{- end }}
