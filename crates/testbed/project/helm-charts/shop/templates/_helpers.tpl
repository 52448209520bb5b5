{{- define "shop.labels" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
{{- end }}
{{- define "shop.meta" -}}
metadata:
  name: {{ .root.Release.Name }}-{{ .name }}
  labels:
    {{- include "shop.labels" .root | nindent 4 }}
    app.kubernetes.io/component: {{ .name }}
{{- end }}
{{- define "shop.selector" -}}
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .name }}
{{- end }}
