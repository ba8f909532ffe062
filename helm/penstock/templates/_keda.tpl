{{/* KEDA: a ScaledObject for a pool, and how its triggers prove who they are. */}}

{{/* Mechanisms of connections.yaml as KEDA's triggers call them. */}}
{{- define "penstock.keda.sasl" -}}
{{- get (dict "PLAIN" "plaintext" "SCRAM-256" "scram_sha256" "SCRAM-SHA-256" "scram_sha256" "SCRAM-512" "scram_sha512" "SCRAM-SHA-512" "scram_sha512" "OAUTHBEARER" "oauthbearer" "AWS_MSK_IAM" "aws_msk_iam") . }}
{{- end }}

{{/* connection -> does it speak TLS? "true" or nothing. */}}
{{- define "penstock.keda.tls" -}}
{{- $security := .security | default dict }}
{{- $protocol := $security.protocol | default (empty (or $security.caFile $security.brokerPublicCertificate $security.certificateFile) | ternary "PLAINTEXT" "SSL") }}
{{- if hasSuffix "SSL" $protocol }}true{{ end }}
{{- end }}

{{/* connection -> the region of AWS_MSK_IAM: what it says, or the names of MSK's brokers. */}}
{{- define "penstock.keda.region" -}}
{{- $said := dig "authentication" "region" "" . }}
{{- $host := regexFind "\\.kafka(-serverless)?\\.[a-z0-9-]+\\.amazonaws\\.com" (toString .bootstrapServers) }}
{{- $said | default (regexReplaceAll "^\\.kafka(-serverless)?\\.([a-z0-9-]+)\\..*$" $host "${2}") }}
{{- end }}

{{/*
connection -> JSON {secretTargetRef, configMapTargetRef, plain}: what a TriggerAuthentication takes of it. `plain` are
texts that no secret holds; the chart puts them into one, as KEDA reads these parameters from nowhere else.
*/}}
{{- define "penstock.keda.parameters" -}}
{{- $who := .authentication | default dict }}
{{- $security := .security | default dict }}
{{- $oauth := eq ($who.mechanism | default "") "OAUTHBEARER" }}
{{- $all := dict "ca" ($security.caFile | default $security.brokerPublicCertificate) "cert" $security.certificateFile "key" $security.keyFile "keyPassword" $security.keyPassword "username" ($oauth | ternary $who.clientId $who.username) "password" ($oauth | ternary $who.clientSecret $who.password) "oauthTokenEndpointUri" $who.tokenEndpointUrl "scopes" $who.scope "oauthExtensions" $who.saslOauthbearerExtensions }}
{{- $secrets := list }}
{{- $configMaps := list }}
{{- $plain := dict }}
{{- range $parameter, $value := $all }}
{{- if kindIs "map" $value }}
{{- if $value.existingSecret }}
{{- $secrets = append $secrets (dict "parameter" $parameter "name" $value.existingSecret "key" $value.key) }}
{{- else if $value.existingConfigMap }}
{{- $configMaps = append $configMaps (dict "parameter" $parameter "name" $value.existingConfigMap "key" $value.key) }}
{{- end }}
{{- else if $value }}
{{- $_ := set $plain $parameter $value }}
{{- end }}
{{- end }}
{{- toJson (dict "secretTargetRef" $secrets "configMapTargetRef" $configMaps "plain" $plain) }}
{{- end }}

{{/* (list root pool who) */}}
{{- define "penstock.scaledObject" -}}
{{- $root := index . 0 }}
{{- $pool := index . 1 }}
{{- $who := index . 2 }}
{{- $scaling := $pool.autoscaling }}
{{- $keda := $scaling.keda }}
{{- $used := dict }}
{{- $triggers := list }}
{{- if eq $scaling.type "lag" }}
{{- range include "penstock.lagSources" (list $root $pool) | fromJsonArray }}
{{- $connection := get $root.Values.connections (.connection | default "") | default dict }}
{{- $mechanism := dig "authentication" "mechanism" "" $connection }}
{{- $servers := .bootstrapServers | default $connection.bootstrapServers }}
{{- $metadata := dict "bootstrapServers" (kindIs "slice" $servers | ternary (join "," $servers) $servers) "consumerGroup" .consumerGroup "topic" .topic "lagThreshold" (toString (int $scaling.lag.threshold)) "activationLagThreshold" (toString (int $scaling.lag.activationThreshold)) "offsetResetPolicy" (.offsetResetPolicy | default "latest") "allowIdleConsumers" (toString $scaling.lag.allowIdleConsumers) "scaleToZeroOnInvalidOffset" (toString $scaling.lag.scaleToZeroOnInvalidOffset) "excludePersistentLag" (toString $scaling.lag.excludePersistentLag) "limitToPartitionsWithLag" (toString $scaling.lag.limitToPartitionsWithLag) }}
{{- $isIam := eq $mechanism "AWS_MSK_IAM" }}
{{- if not $isIam }}{{- $_ := set $metadata "version" $scaling.lag.version }}{{- end }}
{{- with $mechanism }}{{- $_ := set $metadata "sasl" (include "penstock.keda.sasl" .) }}{{- end }}
{{- if include "penstock.keda.tls" $connection }}{{- $_ := set $metadata "tls" "enable" }}{{- end }}
{{- if $isIam }}{{- $_ := set $metadata "awsRegion" (include "penstock.keda.region" $connection) }}{{- end }}
{{- $trigger := dict "type" ($isIam | ternary "apache-kafka" "kafka") "metadata" (merge dict $scaling.lag.metadata $metadata) }}
{{- if $keda.authenticationRef }}
{{- $_ := set $trigger "authenticationRef" (dict "name" $keda.authenticationRef "kind" $keda.authenticationKind) }}
{{- else if or $mechanism (include "penstock.keda.tls" $connection) }}
{{- $_ := set $used .connection $connection }}
{{- $_ := set $trigger "authenticationRef" (dict "name" (include "penstock.keda.authName" (list $pool .connection))) }}
{{- end }}
{{- $triggers = append $triggers $trigger }}
{{- end }}
{{- else }}
{{- $query := $scaling.hint.query | default (include "penstock.hintQuery" (list $root $pool)) }}
{{- /* Without ignoreNullValues: false a Prometheus that lost the pods would say 0, and take them away. */}}
{{- $metadata := merge dict $scaling.hint.metadata (dict "serverAddress" $scaling.hint.serverAddress "query" (tpl $query $root) "threshold" (toString $scaling.hint.threshold) "ignoreNullValues" "false") }}
{{- $trigger := dict "type" "prometheus" "metadata" $metadata }}
{{- with $keda.authenticationRef }}
{{- $_ := set $trigger "authenticationRef" (dict "name" . "kind" $keda.authenticationKind) }}
{{- end }}
{{- $triggers = append $triggers $trigger }}
{{- end }}
---
apiVersion: keda.sh/v1alpha1
kind: ScaledObject
metadata:
  name: {{ $pool.fullname }}
  namespace: {{ $root.Release.Namespace }}
  labels:
    {{- include "penstock.labels" $who | nindent 4 }}
  {{- include "penstock.annotations" (list $root $keda.annotations) | nindent 2 }}
spec:
  scaleTargetRef:
    apiVersion: apps/v1
    kind: {{ $pool.kind }}
    name: {{ $pool.fullname }}
  minReplicaCount: {{ int $scaling.minReplicas }}
  maxReplicaCount: {{ include "penstock.maxReplicas" (list $root $pool) }}
  pollingInterval: {{ int $keda.pollingInterval }}
  cooldownPeriod: {{ int $keda.cooldownPeriod }}
  {{- if $keda.fallback.enabled }}
  fallback:
    failureThreshold: {{ int $keda.fallback.failureThreshold }}
    replicas: {{ kindIs "invalid" $keda.fallback.replicas | ternary (max 1 (int $scaling.minReplicas)) (int $keda.fallback.replicas) }}
    behavior: {{ $keda.fallback.behavior }}
  {{- end }}
  advanced:
    restoreToOriginalReplicaCount: {{ $keda.restoreToOriginalReplicaCount }}
    {{- with $scaling.behavior }}
    horizontalPodAutoscalerConfig:
      behavior:
        {{- toYaml . | nindent 8 }}
    {{- end }}
  triggers:
    {{- toYaml $triggers | nindent 4 }}
    {{- with $keda.extraTriggers }}
    {{- tpl (toYaml .) $root | nindent 4 }}
    {{- end }}
{{- range $name, $connection := $used }}
{{- include "penstock.triggerAuthentication" (list $root $pool $who $name $connection) }}
{{- end }}
{{- end }}

{{/* (list pool connection) -> a name that Kubernetes takes. */}}
{{- define "penstock.keda.authName" -}}
{{- printf "%s-%s" (index . 0).fullname (index . 1 | lower | replace "_" "-" | replace "." "-" | replace "*" "-") | trunc 63 | trimSuffix "-" }}
{{- end }}

{{/* (list root pool who name connection) */}}
{{- define "penstock.triggerAuthentication" -}}
{{- $root := index . 0 }}
{{- $pool := index . 1 }}
{{- $connection := index . 4 }}
{{- $name := include "penstock.keda.authName" (list $pool (index . 3)) }}
{{- $found := include "penstock.keda.parameters" $connection | fromJson }}
{{- $secrets := $found.secretTargetRef }}
{{- range $parameter, $_ := $found.plain }}
{{- $secrets = append $secrets (dict "parameter" $parameter "name" $name "key" $parameter) }}
{{- end }}
---
apiVersion: keda.sh/v1alpha1
kind: TriggerAuthentication
metadata:
  name: {{ $name }}
  namespace: {{ $root.Release.Namespace }}
  labels:
    {{- include "penstock.labels" (index . 2) | nindent 4 }}
  {{- include "penstock.annotations" (list $root) | nindent 2 }}
spec:
  {{- if eq (dig "authentication" "mechanism" "" $connection) "AWS_MSK_IAM" }}
  podIdentity:
    {{- toYaml $pool.autoscaling.keda.podIdentity | nindent 4 }}
  {{- end }}
  {{- with $secrets }}
  secretTargetRef:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with $found.configMapTargetRef }}
  configMapTargetRef:
    {{- toYaml . | nindent 4 }}
  {{- end }}
{{- with $found.plain }}
---
# What is no secret, where KEDA reads it: a user's name, a public certificate.
apiVersion: v1
kind: Secret
metadata:
  name: {{ $name }}
  namespace: {{ $root.Release.Namespace }}
  labels:
    {{- include "penstock.labels" (index $ 2) | nindent 4 }}
  {{- include "penstock.annotations" (list $root) | nindent 2 }}
type: Opaque
stringData:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{/* (list root pool) -> the lag that more workers could remove: each pod runs every processor of its pool, so the one with most counts. */}}
{{- define "penstock.hintQuery" -}}
{{- $root := index . 0 }}
{{- $pool := index . 1 }}
{{- printf "max(sum by (processor) (penstock_scale_hint_records{namespace=%q,pod=~%q}))" $root.Release.Namespace (printf "%s-.+" $pool.fullname) }}
{{- end }}
