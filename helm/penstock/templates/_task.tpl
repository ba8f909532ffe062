{{/*
(list root name resources serviceAccount configMaps [volume mountPath]): the pod of a job or test, which sees the whole app folder and the
workers' secrets and takes from `workers` what says where a pod may run. Its one container stands last and unfinished:
the caller adds `args` at the same indentation.
*/}}
{{- define "penstock.task" -}}
{{- $root := index . 0 }}
{{- $v := omit $root.Values.workers "topologySpreadConstraints" }}
{{- include "penstock.pod" (list $root $v (index . 3) "" "Job") | trim }}
volumes:
  {{- include "penstock.app.volumes" (list $root "all" (index . 4)) | nindent 2 }}
  {{- include "penstock.secrets.volumes" $root | nindent 2 }}
  - name: tmp
    emptyDir:
      sizeLimit: 16Mi
  {{- if gt (len .) 5 }}
  - {{- toYaml (index . 5) | nindent 4 }}
  {{- end }}
  {{- with $v.extraVolumes }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- with $v.initContainers }}
initContainers:
  {{- tpl (toYaml .) $root | nindent 2 }}
{{- end }}
containers:
  - {{- include "penstock.container" (list $root $v (index . 1)) | nindent 4 }}
    env:
      {{- include "penstock.worker.env" $root | nindent 6 }}
      {{- include "penstock.env" (list $root $v) | nindent 6 }}
    {{- include "penstock.envFrom" $v | nindent 4 }}
    {{- with index . 2 }}
    resources:
      {{- toYaml . | nindent 6 }}
    {{- end }}
    volumeMounts:
      {{- include "penstock.app.mounts" (list $root "all") | nindent 6 }}
      {{- include "penstock.secrets.mounts" $root | nindent 6 }}
      - name: tmp
        mountPath: /tmp
      {{- if gt (len .) 5 }}
      - name: {{ (index . 5).name }}
        mountPath: {{ index . 6 }}
        readOnly: true
      {{- end }}
      {{- with $v.extraVolumeMounts }}
      {{- toYaml . | nindent 6 }}
      {{- end }}
{{- end }}
