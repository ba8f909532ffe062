{{/* What every pod has. */}}

{{/* (list root values serviceAccountName selector owner): the fields of a pod's spec that workers and host share. */}}
{{- define "penstock.pod" -}}
{{- $root := index . 0 }}
{{- $v := index . 1 }}
{{- include "penstock.pullSecrets" $root }}
serviceAccountName: {{ index . 2 }}
automountServiceAccountToken: {{ $root.Values.serviceAccount.automountToken }}
# Variables for each Service of the namespace would be read as settings (PENSTOCK_...).
enableServiceLinks: false
{{- with $v.podSecurityContext }}
securityContext:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $v.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- with $v.runtimeClassName }}
runtimeClassName: {{ . }}
{{- end }}
{{- with $v.schedulerName }}
schedulerName: {{ . }}
{{- end }}
{{- if $v.hostNetwork }}
hostNetwork: true
{{- end }}
{{- with $v.dnsPolicy | default (empty $v.hostNetwork | ternary "" "ClusterFirstWithHostNet") }}
dnsPolicy: {{ . }}
{{- end }}
{{- with $v.dnsConfig }}
dnsConfig:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $v.hostAliases }}
hostAliases:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $v.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $v.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $v.affinity }}
affinity:
  {{- tpl (toYaml .) $root | nindent 2 }}
{{- end }}
{{- include "penstock.spread" (list $root $v (index . 3) (index . 4)) }}
{{- end }}

{{/* (list root values selector kind): the constraints with a selector, and counted within one rollout. */}}
{{- define "penstock.spread" -}}
{{- $selector := fromYaml (index . 2) }}
{{- $kind := index . 3 }}
{{- with (index . 1).topologySpreadConstraints }}
topologySpreadConstraints:
  {{- range . }}
  {{- $one := deepCopy . }}
  {{- if not .labelSelector }}
  {{- $_ := set $one "labelSelector" (dict "matchLabels" $selector) }}
  {{- if and (eq $kind "Deployment") (not .matchLabelKeys) }}
  {{- $_ := set $one "matchLabelKeys" (list "pod-template-hash") }}
  {{- end }}
  {{- end }}
  - {{- toYaml $one | nindent 4 }}
  {{- end }}
{{- end }}
{{- end }}

{{/* (list root values): variables and envFrom that values add. */}}
{{- define "penstock.env" -}}
{{- with (index . 1).extraEnv }}
{{ tpl (toYaml .) (index $ 0) }}
{{- end }}
{{- end }}

{{- define "penstock.envFrom" -}}
{{- with .envFrom }}
envFrom:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{- define "penstock.probes" -}}
{{- range $name := list "startupProbe" "livenessProbe" "readinessProbe" }}
{{- with get $ $name }}
{{ $name }}:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}
{{- end }}

{{/* (list root values name): the start of a container: name, image, security. */}}
{{- define "penstock.container" -}}
{{- $root := index . 0 -}}
name: {{ index . 2 }}
image: {{ include "penstock.image" $root | quote }}
imagePullPolicy: {{ $root.Values.image.pullPolicy }}
{{- with (index . 1).securityContext }}
securityContext:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{/* Variables of whatever runs processors: workers, jobs, tests. */}}
{{- define "penstock.worker.env" -}}
- name: PENSTOCK_RELEASE
  value: {{ include "penstock.releaseId" . | quote }}
# The pod's name, which the host's is not under hostNetwork.
- name: PENSTOCK_SLOT
  valueFrom:
    fieldRef:
      fieldPath: metadata.name
- name: HOME
  value: /tmp
{{- if .Values.functions.enabled }}
- name: PENSTOCK_FUNCTIONS_URL
  value: {{ include "penstock.functions.url" . | quote }}
{{- end }}
{{- end }}
