{{- define "cache.fullname" }}{{ printf "%s-%s" .Release.Name (.Values.nameOverride | default .Chart.Name) | trunc 24 | trimSuffix "-" }}{{ end }}
{{- define "cache.selector" }}
app: {{ template "cache.fullname" . }}
release: {{ .Release.Name | quote }}
{{- end }}
