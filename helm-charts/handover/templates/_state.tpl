{{- /*
Where the handover stands, as JSON:
  api        of the objects
  found      how many have either label, available and updated: how many of these pass the probes, have the new label
  processing those that have the new label, and of which the new operator has not said that they are available:
             [{uid, namespace, name}]
  next       those whose turn it is, as in processing
All of it is read off the objects, so that nothing has to be remembered and a restart changes nothing.
*/}}
{{- define "state" }}
{{- $target := .Values.targetAPI }}
{{- $relabel := .Values.strategy.relabel }}
{{- $api := list $target.group $target.version | compact | join "/" }}
{{- $selector := printf "%s in (%s,%s)" $relabel.labelKey $relabel.fromValue $relabel.toValue }}
{{- $found := lookupSelector $api $target.kind (.CR.metadata.namespace | default "") $selector }}

{{- $processing := list }}
{{- $waiting := list }}
{{- $unavailable := 0 }}
{{- $blocked := 0 }}
{{- $updated := 0 }}
{{- range $object := $found }}
  {{- $reference := pick $object.metadata "uid" "namespace" "name" }}
  {{- $fault := probe $object $.Values.probes }}
  {{- if $fault }}
    {{- $unavailable = add1 $unavailable }}
  {{- end }}
  {{- if eq (get $object.metadata.labels $relabel.labelKey) $relabel.toValue }}
    {{- $updated = add1 $updated }}
    {{- /* A label is no change of the spec, so that the old operator's word about the object passes every probe. */}}
    {{- $operator := $relabel.toValue }}
    {{- with $relabel.statusPath }}
      {{- $operator = $object }}
      {{- range splitList "." . | compact }}
        {{- if kindIs "map" $operator }}
          {{- $operator = get $operator . }}
        {{- end }}
      {{- end }}
    {{- end }}
    {{- if or $fault (ne (toString $operator) $relabel.toValue) }}
      {{- $processing = append $processing $reference }}
    {{- end }}
  {{- else }}
    {{- $waiting = append $waiting $reference }}
    {{- if $fault }}
      {{- $blocked = add1 $blocked }}
    {{- end }}
  {{- end }}
{{- end }}
{{- $free := sub (int $relabel.maxUnavailable) (add (len $processing) $blocked) | max 0 | min (len $waiting) | int }}
{{- dict
  "api" $api "found" (len $found) "available" (sub (len $found) $unavailable) "updated" $updated
  "processing" $processing "next" (slice $waiting 0 $free) | toJson
}}
{{- end }}
