{{- define "demo.labels" -}}
release: {{ .Release.Name }}
{{- end }}
{{- define "demo.refuse" -}}
{{ fail .Values.failWith }}
{{- end }}
