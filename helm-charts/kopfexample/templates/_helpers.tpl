{{- /* The tenant's name, short enough for Jobs to be named after it. */}}
{{- define "tenant" }}
  {{- $name := .CR.metadata.name }}
  {{- if gt (len $name) 40 }}
    {{- $name = printf "%s-%s" (trunc 31 $name) (sha256sum $name | trunc 8) }}
  {{- end }}
  {{- $name }}
{{- end }}

{{- define "nats" }}
  {{- $name := .CR.metadata.name }}
  {{- .Values.nats.name | default (contains "kopf" $name | ternary (replace "kopf" "nats" $name) (printf "%s-nats" $name)) }}
{{- end }}

{{- /*
A step as a Job, tried again ten seconds after it failed. Given: root, step (its name), phase, script, env. What the script
writes to /dev/termination-log is the step's result.
*/}}
{{- define "step" }}
apiVersion: batch/v1
kind: Job
metadata:
  name: {{ include "tenant" .root | trim }}-{{ .step | replace "_" "-" }}
  annotations:
    chart-operator.dev/phase: {{ .phase }}
    chart-operator.dev/action: {{ .step }}
    chart-operator.dev/retry: 10s
spec:
  backoffLimit: 0
  activeDeadlineSeconds: 60
  template:
    metadata:
      annotations: {{ toJson .root.Values.podAnnotations }}
    spec:
      restartPolicy: Never
      automountServiceAccountToken: false
      securityContext:
        runAsNonRoot: true
        runAsUser: 65534
        seccompProfile: {type: RuntimeDefault}
      containers:
      - name: step
        image: {{ quote .root.Values.image }}
        command: [sh, -c, {{ toJson .script }}]
        env:
        {{- toYaml .env | nindent 8 }}
        terminationMessagePolicy: FallbackToLogsOnError
        securityContext:
          allowPrivilegeEscalation: false
          capabilities: {drop: [ALL]}
{{- end }}
