{{/* Names, labels, images. */}}

{{- define "penstock.name" -}}
{{- .Values.nameOverride | default .Chart.Name | trunc 40 | trimSuffix "-" }}
{{- end }}

{{/* `<release>-penstock`, or the release alone where it says so already. */}}
{{- define "penstock.fullname" -}}
{{- if .Values.fullnameOverride }}
{{- .Values.fullnameOverride }}
{{- else if contains (include "penstock.name" .) .Release.Name }}
{{- .Release.Name }}
{{- else }}
{{- printf "%s-%s" .Release.Name (include "penstock.name" .) }}
{{- end }}
{{- end }}

{{- define "penstock.functions.name" -}}
{{- printf "%s-functions" (include "penstock.fullname" .) }}
{{- end }}

{{/* PENSTOCK_RELEASE: what keeps the transactional ids of two releases on one cluster apart. */}}
{{- define "penstock.releaseId" -}}
{{- .Values.releaseId | default (printf "%s-%s" .Release.Namespace (include "penstock.fullname" .)) }}
{{- end }}

{{/* (list root component [pool]) -> what selectors go by; never changes between versions. */}}
{{- define "penstock.selector" -}}
{{- $root := index . 0 -}}
app.kubernetes.io/name: {{ include "penstock.name" $root }}
app.kubernetes.io/instance: {{ $root.Release.Name }}
app.kubernetes.io/component: {{ index . 1 }}
{{- if gt (len .) 2 }}
penstock/pool: {{ index . 2 }}
{{- end }}
{{- end }}

{{/* (list root component [pool]) -> labels of pods: without the chart's version, which alone restarts nothing. */}}
{{- define "penstock.podLabels" -}}
{{- $root := index . 0 -}}
{{- with $root.Values.commonLabels }}
{{- toYaml . }}
{{ end }}
{{- include "penstock.selector" . }}
app.kubernetes.io/version: {{ $root.Chart.AppVersion | quote }}
app.kubernetes.io/part-of: penstock
{{- end }}

{{/* (list root component [pool]) -> all labels of a resource. */}}
{{- define "penstock.labels" -}}
{{- $root := index . 0 -}}
{{- include "penstock.podLabels" . }}
app.kubernetes.io/managed-by: {{ $root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" $root.Chart.Name $root.Chart.Version | replace "+" "_" }}
{{- end }}

{{/* (list root map...) -> `annotations:` with the common ones under those given; nothing without any. */}}
{{- define "penstock.annotations" -}}
{{- $all := dict }}
{{- range $at, $one := . }}
{{- $these := eq $at 0 | ternary ($one.Values | default dict).commonAnnotations $one }}
{{- range $key, $value := $these | default dict }}{{- $_ := set $all $key $value }}{{- end }}
{{- end }}
{{- with $all }}
annotations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{/* The image: registry, repository, and its digest or tag. */}}
{{- define "penstock.image" -}}
{{- $image := .Values.image }}
{{- $registry := (.Values.global | default dict).imageRegistry | default $image.registry }}
{{- $name := empty $registry | ternary $image.repository (printf "%s/%s" $registry $image.repository) }}
{{- if $image.digest }}
{{- printf "%s@%s" $name $image.digest }}
{{- else }}
{{- printf "%s:%s" $name ($image.tag | default .Chart.AppVersion) }}
{{- end }}
{{- end }}

{{- define "penstock.pullSecrets" -}}
{{- $found := list }}
{{- range concat ((.Values.global | default dict).imagePullSecrets | default list) (.Values.imagePullSecrets | default list) }}
{{- $found = append $found (dict "name" (kindIs "map" . | ternary (dig "name" "" (kindIs "map" . | ternary . dict)) .)) }}
{{- end }}
{{- with uniq $found }}
imagePullSecrets:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{- define "penstock.serviceAccount" -}}
{{- if .Values.serviceAccount.create }}
{{- .Values.serviceAccount.name | default (include "penstock.fullname" .) }}
{{- else }}
{{- .Values.serviceAccount.name | default "default" }}
{{- end }}
{{- end }}

{{- define "penstock.functions.serviceAccount" -}}
{{- $account := .Values.functions.serviceAccount }}
{{- if $account.create }}
{{- $account.name | default (include "penstock.functions.name" .) }}
{{- else }}
{{- $account.name | default (include "penstock.serviceAccount" .) }}
{{- end }}
{{- end }}

{{/* One that is there before the release: its own hook, or one that nobody makes here. */}}
{{- define "penstock.topics.serviceAccount" -}}
{{- $own := .Values.serviceAccount.create | ternary (printf "%s-topics" (include "penstock.fullname" .)) (include "penstock.serviceAccount" .) }}
{{- .Values.topics.serviceAccountName | default $own }}
{{- end }}

{{- define "penstock.functions.url" -}}
{{- $scheme := empty .Values.functions.tls.existingSecret | ternary "http" "https" }}
{{- printf "%s://%s.%s.svc:%d" $scheme (include "penstock.functions.name" .) .Release.Namespace (int .Values.functions.service.port) }}
{{- end }}
