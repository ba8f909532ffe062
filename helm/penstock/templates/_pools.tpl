{{/* Pools of workers: what each one is, once defaults are in. */}}

{{/* (list base over): put `over` into `base`, maps within maps. Unlike sprig's merge it takes false, 0 and null. */}}
{{- define "penstock.overlay" -}}
{{- $base := index . 0 }}
{{- range $key, $value := index . 1 }}
{{- if and (kindIs "map" $value) (kindIs "map" (get $base $key)) }}
{{- include "penstock.overlay" (list (get $base $key) $value) }}
{{- else }}
{{- $_ := set $base $key $value }}
{{- end }}
{{- end }}
{{- end }}

{{/* JSON: pool name -> its values, those alone that are enabled. */}}
{{- define "penstock.pools" -}}
{{- $found := dict }}
{{- range $name, $said := .Values.pools | default (dict "main" dict) }}
{{- $pool := deepCopy $.Values.workers }}
{{- include "penstock.overlay" (list $pool ($said | default dict)) }}
{{- if $pool.enabled }}
{{- $_ := set $pool "name" $name }}
{{- $_ := set $pool "fullname" (printf "%s-%s" (include "penstock.fullname" $) $name) }}
{{- $_ := set $found $name $pool }}
{{- end }}
{{- end }}
{{- toJson $found }}
{{- end }}

{{/* pool -> when Kubernetes kills its pods. */}}
{{- define "penstock.grace" -}}
{{- if kindIs "invalid" .terminationGracePeriodSeconds }}
{{- add (int .drainTimeoutSeconds) 10 }}
{{- else }}
{{- int .terminationGracePeriodSeconds }}
{{- end }}
{{- end }}

{{/*
(list root kind name count scaled) -> the line `replicas:` or nothing.
Where something else scales, a Deployment that is there keeps its number: without the field Helm would send null,
which the API server takes for 1 (helm/helm#12650), and another number would be a conflict of field managers in
Helm 4. `helm template` and Argo CD see no Deployment: there the field is left out.
*/}}
{{- define "penstock.replicas" -}}
{{- $root := index . 0 }}
{{- $count := index . 3 }}
{{- if and (not (index . 4)) (not (kindIs "invalid" $count)) }}
replicas: {{ int $count }}
{{- else }}
{{- with lookup "apps/v1" (index . 1) $root.Release.Namespace (index . 2) }}
replicas: {{ int (dig "spec" "replicas" 1 .) }}
{{- end }}
{{- end }}
{{- end }}

{{/*
JSON: the processors that stand in `app.files` as YAML or JSON: name -> {connection, topics, group, reset, drain}.
What cannot be read here (mongosh text, other sources) is left out.
*/}}
{{- define "penstock.processors" -}}
{{- $found := dict }}
{{- range $path, $text := .Values.app.files }}
{{- if and (kindIs "string" $text) (regexMatch "^processors/[^/]+\\.(yaml|yml|json)$" $path) }}
{{- $name := $path | base | trimSuffix ".yaml" | trimSuffix ".yml" | trimSuffix ".json" }}
{{- $stages := fromYamlArray $text }}
{{- $options := dict }}
{{- if not (and $stages (kindIs "map" (first $stages))) }}
{{- $file := fromYaml $text }}
{{- $stages = $file.pipeline | default list }}
{{- $options = $file.options | default dict }}
{{- end }}
{{- if and (kindIs "slice" $stages) $stages }}
{{- $first := first $stages }}
{{- $source := kindIs "map" $first | ternary (dig "$source" dict (kindIs "map" $first | ternary $first dict)) dict }}
{{- if and (kindIs "map" $source) $source.topic }}
{{- $topics := kindIs "slice" $source.topic | ternary $source.topic (list $source.topic) }}
{{- $config := $source.config | default dict }}
{{- $reset := list "earliest" "beginning" "smallest" | has ($config.auto_offset_reset | default "latest") | ternary "earliest" "latest" }}
{{- $_ := set $found $name (dict "connection" $source.connectionName "topics" $topics "group" ($config.group_id | default (printf "penstock-%s" $name)) "reset" $reset "drain" ((kindIs "map" $options | ternary $options dict).drainTimeout)) }}
{{- end }}
{{- end }}
{{- end }}
{{- end }}
{{- toJson $found }}
{{- end }}

{{/* JSON: the partitions of topics that have a contract in `app.files`: topic -> number. */}}
{{- define "penstock.partitions" -}}
{{- $found := dict }}
{{- range $path, $text := .Values.app.files }}
{{- if and (kindIs "string" $text) (regexMatch "^topics/[^/]+\\.(yaml|yml)$" $path) }}
{{- $contract := fromYaml $text }}
{{- with $contract.partitions }}
{{- $_ := set $found ($path | base | trimSuffix ".yaml" | trimSuffix ".yml") (int .) }}
{{- end }}
{{- end }}
{{- end }}
{{- toJson $found }}
{{- end }}

{{/*
(list root pool) -> JSON list of what the pool's lag is: {connection, consumerGroup, topic, offsetResetPolicy}.
*/}}
{{- define "penstock.lagSources" -}}
{{- $root := index . 0 }}
{{- $pool := index . 1 }}
{{- $found := $pool.autoscaling.lag.sources | default list }}
{{- if not $found }}
{{- range $name, $one := include "penstock.processors" $root | fromJson }}
{{- if or (not $pool.processors) (has $name $pool.processors) }}
{{- range $one.topics }}
{{- $found = append $found (dict "connection" $one.connection "consumerGroup" $one.group "topic" . "offsetResetPolicy" $one.reset) }}
{{- end }}
{{- end }}
{{- end }}
{{- end }}
{{- toJson $found }}
{{- end }}

{{/*
(list root pool) -> how many pods can have work: partitions that are known, shared by the processes of a pod; else
maxReplicas. Of several processors the widest one counts.
*/}}
{{- define "penstock.maxReplicas" -}}
{{- $root := index . 0 }}
{{- $pool := index . 1 }}
{{- $most := int $pool.autoscaling.maxReplicas }}
{{- $partitions := int ($pool.autoscaling.partitions | default 0) }}
{{- if not $partitions }}
{{- $known := include "penstock.partitions" $root | fromJson }}
{{- $groups := dict }}
{{- $unknown := false }}
{{- range include "penstock.lagSources" (list $root $pool) | fromJsonArray }}
{{- if hasKey $known .topic }}
{{- $_ := set $groups .consumerGroup (add (int (get $groups .consumerGroup | default 0)) (int (get $known .topic))) }}
{{- else }}
{{- $unknown = true }}
{{- end }}
{{- end }}
{{- if not $unknown }}
{{- range $groups }}{{- $partitions = max $partitions (int .) }}{{- end }}
{{- end }}
{{- end }}
{{- if and $partitions (not $pool.autoscaling.lag.allowIdleConsumers) }}
{{- $shared := div (add $partitions (sub (int $pool.processes) 1)) (int $pool.processes) }}
{{- $most = min $most $shared }}
{{- end }}
{{- max $most 1 (int $pool.autoscaling.minReplicas) }}
{{- end }}
