{{- /* {group, kind, name} of an object as JSON, as `pausedFor` names it; in a cluster-scoped set with its namespace, if any. */}}
{{- define "reference" }}
{{- $group := "" }}
{{- if contains "/" .object.apiVersion }}
  {{- $group = splitList "/" .object.apiVersion | first }}
{{- end }}
{{- $reference := dict "group" $group "kind" .object.kind "name" .object.metadata.name }}
{{- if and (not .namespace) .object.metadata.namespace }}
  {{- $_ := set $reference "namespace" .object.metadata.namespace }}
{{- end }}
{{- toJson $reference }}
{{- end }}

{{- /* The label value by which users find the objects of a set. Values end at 63 characters, names do not. */}}
{{- define "set" }}
{{- $name := list .CR.metadata.namespace .CR.metadata.name | compact | join "-" }}
{{- if gt (len $name) 63 }}
  {{- $name = printf "%s-%s" (trunc 54 $name) (sha256sum $name | trunc 8) }}
{{- end }}
{{- $name }}
{{- end }}

{{- /* The APIs that `dependencies` names and nobody serves, joined by commas. */}}
{{- define "missing" }}
{{- $missing := list }}
{{- range .Values.dependencies }}
  {{- with .kubernetesAPI }}
    {{- $version := list .group .version | compact | join "/" }}
    {{- if not ($.Capabilities.APIVersions.Has (printf "%s/%s" $version .kind)) }}
      {{- $missing = append $missing (printf "%s, Kind=%s" $version .kind) }}
    {{- end }}
  {{- end }}
{{- end }}
{{- join ", " $missing }}
{{- end }}
