{{- define "penstock.checks" -}}{{- end }}
