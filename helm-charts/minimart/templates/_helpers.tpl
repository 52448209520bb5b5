{{/* The application's name, short enough for a label. */}}
{{- define "minimart.name" -}}
{{- .Values.nameOverride | default .Chart.Name | trunc 63 | trimSuffix "-" -}}
{{- end }}

{{/*
The objects' name: the release's, and the application's behind it unless the release's already contains it.
Names of Services and labels end at 63 characters.
*/}}
{{- define "minimart.fullname" -}}
{{- $name := .Values.nameOverride | default .Chart.Name -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 63 | trimSuffix "-" -}}
{{- else if contains $name .Release.Name -}}
{{- .Release.Name | trunc 63 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name $name | trunc 63 | trimSuffix "-" -}}
{{- end -}}
{{- end }}

{{/* Chart and version as one label value; a plus sign is not allowed there. */}}
{{- define "minimart.chart" -}}
{{- printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-" -}}
{{- end }}

{{/* What finds the Pods. It must never change, so it holds neither version nor chart. */}}
{{- define "minimart.selectorLabels" -}}
app.kubernetes.io/name: {{ include "minimart.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{/* What every object carries. */}}
{{- define "minimart.labels" -}}
helm.sh/chart: {{ include "minimart.chart" . }}
{{ include "minimart.selectorLabels" . }}
{{- with .Chart.AppVersion }}
app.kubernetes.io/version: {{ . | quote }}
{{- end }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- end }}

{{/* The ServiceAccount that the Pods run as. */}}
{{- define "minimart.serviceAccountName" -}}
{{- if .Values.serviceAccount.create -}}
{{- .Values.serviceAccount.name | default (include "minimart.fullname" .) -}}
{{- else -}}
{{- .Values.serviceAccount.name | default "default" -}}
{{- end -}}
{{- end }}
