{{/* The app folder and the secrets of its connections, as files in pods. */}}

{{/* path -> "host" for what functions are made of, else "worker": each kind of pod gets its own, so that a changed
     function restarts no worker. */}}
{{- define "penstock.app.owner" -}}
{{- regexMatch "^(functions|values|environments)(/|$)|^root_config\\.json$" . | ternary "host" "worker" }}
{{- end }}

{{/* path -> the key of a ConfigMap, which takes no slash. */}}
{{- define "penstock.app.key" -}}
{{- . | replace "/" "__" }}
{{- end }}

{{/* (list root owner) -> JSON: the files of these pods that come from values, path -> text. */}}
{{- define "penstock.app.files" -}}
{{- $root := index . 0 }}
{{- $owner := index . 1 }}
{{- $found := dict }}
{{- range $path, $text := $root.Values.app.files }}
{{- if eq (include "penstock.app.owner" $path) $owner }}
{{- $_ := set $found $path (kindIs "string" $text | ternary $text (toJson $text)) }}
{{- end }}
{{- end }}
{{- if and (eq $owner "worker") $root.Values.connections }}
{{- $_ := set $found "connections.yaml" (include "penstock.connections" $root) }}
{{- end }}
{{- toJson $found }}
{{- end }}

{{/* (list root owner name extraMetadata) -> a ConfigMap with these files, or nothing. */}}
{{- define "penstock.app.configMap" -}}
{{- $root := index . 0 }}
{{- with include "penstock.app.files" (list $root (index . 1)) | fromJson }}
apiVersion: v1
kind: ConfigMap
metadata:
  name: {{ index $ 2 }}
  namespace: {{ $root.Release.Namespace }}
  labels:
    {{- include "penstock.labels" (list $root "app") | nindent 4 }}
  {{- include "penstock.annotations" (list $root (index $ 3)) | nindent 2 }}
data:
  {{- $data := dict }}
  {{- range $path, $text := . }}{{- $_ := set $data (include "penstock.app.key" $path) $text }}{{- end }}
  {{- toYaml $data | nindent 2 }}
{{- end }}
{{- end }}

{{/* (list root owner) -> what changes with the content that these pods see from values. */}}
{{- define "penstock.app.checksum" -}}
{{- $root := index . 0 }}
{{- list (include "penstock.app.files" .) (toJson $root.Values.app.configMaps) (toString $root.Values.app.revision) | join "\n" | sha256sum }}
{{- end }}

{{/* Does a ConfigMap of `app.configMaps` go to these pods? (list source owner) -> "true" or nothing. */}}
{{- define "penstock.app.wants" -}}
{{- $source := index . 0 }}
{{- if or (not $source.folder) (eq (index . 1) "all") (eq (include "penstock.app.owner" $source.folder) (index . 1)) }}true{{ end }}
{{- end }}

{{/* (list root owner name) -> JSON: the sources of the folder /app itself: what values hold, and single keys of others.
     Without any there is no volume for it: folders are mounted into the image's empty /app. */}}
{{- define "penstock.app.sources" -}}
{{- $root := index . 0 }}
{{- $owner := index . 1 }}
{{- $sources := list }}
{{- range $one := eq $owner "all" | ternary (list "worker" "host") (list $owner) }}
{{- with include "penstock.app.files" (list $root $one) | fromJson }}
{{- $items := list }}
{{- range $path, $_ := . }}{{- $items = append $items (dict "key" (include "penstock.app.key" $path) "path" $path) }}{{- end }}
{{- $sources = append $sources (dict "configMap" (dict "name" (printf "%s-%s" (index $ 2) $one) "items" $items)) }}
{{- end }}
{{- end }}
{{- range $root.Values.app.configMaps }}
{{- if not .folder }}
{{- $source := dict "name" .name }}
{{- with .items }}{{- $_ := set $source "items" . }}{{- end }}
{{- $sources = append $sources (dict "configMap" $source) }}
{{- end }}
{{- end }}
{{- toJson $sources }}
{{- end }}

{{/* (list root owner name): owner worker, host or all (jobs and tests); name of the ConfigMap of values: the volumes. */}}
{{- define "penstock.app.volumes" -}}
{{- $root := index . 0 }}
{{- $owner := index . 1 }}
{{- $app := $root.Values.app }}
{{- if $app.volume }}
- name: app
  {{- toYaml $app.volume | nindent 2 }}
{{- else }}
{{- with include "penstock.app.sources" . | fromJsonArray }}
- name: app
  projected:
    sources:
      {{- toYaml . | nindent 6 }}
{{- end }}
{{- range $at, $source := $app.configMaps }}
{{- if and .folder (include "penstock.app.wants" (list . $owner)) }}
- name: app-{{ $at }}
  configMap:
    name: {{ .name }}
    {{- with .items }}
    items:
      {{- toYaml . | nindent 6 }}
    {{- end }}
{{- end }}
{{- end }}
{{- end }}
{{- end }}

{{/* (list root owner): the mounts. */}}
{{- define "penstock.app.mounts" -}}
{{- $root := index . 0 }}
{{- $owner := index . 1 }}
{{- $app := $root.Values.app }}
{{- if or $app.volume (include "penstock.app.sources" (list $root $owner "") | fromJsonArray) }}
- name: app
  mountPath: /app
  readOnly: true
  {{- if and $app.volume $app.subPath }}
  subPath: {{ $app.subPath }}
  {{- end }}
{{- end }}
{{- if not $app.volume }}
{{- range $at, $source := $app.configMaps }}
{{- if and .folder (include "penstock.app.wants" (list . $owner)) }}
- name: app-{{ $at }}
  mountPath: /app/{{ .folder }}
  readOnly: true
{{- end }}
{{- end }}
{{- end }}
{{- end }}

{{/*
(list node refs field): a copy of `node` in which `{existingSecret, key}` and `{existingConfigMap, key}` are the file
that the pod sees; what they name is noted in the dict `refs` (kind/name/key). Certificates are paths, the rest
`{file: path}`, as connections.yaml has it. JSON: {"value": ...}.
*/}}
{{- define "penstock.resolve" -}}
{{- $node := index . 0 }}
{{- $refs := index . 1 }}
{{- $field := index . 2 }}
{{- if and (kindIs "map" $node) (or $node.existingSecret $node.existingConfigMap) }}
{{- $kind := empty $node.existingSecret | ternary "configMap" "secret" }}
{{- $name := $node.existingSecret | default $node.existingConfigMap }}
{{- $_ := set $refs (printf "%s/%s/%s" $kind $name $node.key) (dict "kind" $kind "name" $name "key" $node.key) }}
{{- $path := printf "/run/secrets/penstock/%s/%s/%s" (lower $kind) $name $node.key }}
{{- if has $field (list "caFile" "certificateFile" "keyFile" "jwksFile") }}
{{- toJson (dict "value" $path) }}
{{- else if eq $field "account" }}
{{- toJson (dict "value" (printf "${file:%s}" $path)) }}
{{- else }}
{{- toJson (dict "value" (dict "file" $path)) }}
{{- end }}
{{- else if kindIs "map" $node }}
{{- $copy := dict }}
{{- range $key, $value := $node }}
{{- $inner := ne $field "account" | ternary $key (has $key (list "jwksFile") | ternary $key "account") }}
{{- $_ := set $copy $key (include "penstock.resolve" (list $value $refs $inner) | fromJson).value }}
{{- end }}
{{- toJson (dict "value" $copy) }}
{{- else if kindIs "slice" $node }}
{{- $copy := list }}
{{- range $node }}{{- $copy = append $copy (include "penstock.resolve" (list . $refs $field) | fromJson).value }}{{- end }}
{{- toJson (dict "value" $copy) }}
{{- else }}
{{- toJson (dict "value" $node) }}
{{- end }}
{{- end }}

{{/* connections.yaml. */}}
{{- define "penstock.connections" -}}
{{- toYaml (include "penstock.resolve" (list .Values.connections dict "") | fromJson).value }}
{{- end }}

{{/* functions/authentication.yaml. */}}
{{- define "penstock.accounts" -}}
{{- toYaml (include "penstock.resolve" (list .Values.functions.authentication.accounts dict "account") | fromJson).value }}
{{- end }}

{{/* (list name value field) -> the volume of the secrets that `value` names, or nothing. */}}
{{- define "penstock.refs.volume" -}}
{{- $refs := dict }}
{{- $_ := include "penstock.resolve" (list (index . 1) $refs (index . 2)) }}
{{- with $refs }}
- name: {{ index $ 0 }}
  projected:
    # 0440 for the pod's group: what nobody else in the pod may read.
    defaultMode: 0440
    sources:
      {{- range $_, $ref := . }}
      - {{ .kind }}:
          name: {{ .name }}
          items:
            - {key: {{ .key | quote }}, path: {{ printf "%s/%s/%s" (lower .kind) .name .key | quote }}}
      {{- end }}
{{- end }}
{{- end }}

{{/* (list name value field) -> its mount, or nothing. */}}
{{- define "penstock.refs.mount" -}}
{{- if include "penstock.refs.volume" . }}
- name: {{ index . 0 }}
  mountPath: /run/secrets/penstock
  readOnly: true
{{- end }}
{{- end }}

{{/* Volumes of everything secret that workers and jobs read. */}}
{{- define "penstock.secrets.volumes" -}}
{{- include "penstock.refs.volume" (list "connections" .Values.connections "") }}
{{- range $name, $secret := .Values.secrets }}
- name: secret-{{ $name }}
  secret:
    secretName: {{ .existingSecret }}
    defaultMode: 0440
    {{- with .items }}
    items:
      {{- toYaml . | nindent 6 }}
    {{- end }}
{{- end }}
{{- end }}

{{- define "penstock.secrets.mounts" -}}
{{- include "penstock.refs.mount" (list "connections" .Values.connections "") }}
{{- range $name, $secret := .Values.secrets }}
- name: secret-{{ $name }}
  mountPath: {{ .mountPath | default (printf "/run/secrets/%s" $name) }}
  readOnly: true
{{- end }}
{{- end }}
