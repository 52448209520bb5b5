{{- /*
[{group, kind, name}] of all objects in `phases`, as JSON: how a PackageSet is told which objects to leave alone. Only those
of a cluster-scoped set have a namespace of their own, which then is a fourth key.
*/}}
{{- define "references" }}
{{- $references := list }}
{{- range .phases }}
  {{- range .objects }}
    {{- $group := "" }}
    {{- if contains "/" .object.apiVersion }}
      {{- $group = splitList "/" .object.apiVersion | first }}
    {{- end }}
    {{- $reference := dict "group" $group "kind" .object.kind "name" .object.metadata.name }}
    {{- if and (not $.namespace) .object.metadata.namespace }}
      {{- $_ := set $reference "namespace" .object.metadata.namespace }}
    {{- end }}
    {{- $references = append $references $reference }}
  {{- end }}
{{- end }}
{{- toJson $references }}
{{- end }}

{{- /* "yes" if the labels of the template match the selector: a set that does not would be made again and again. */}}
{{- define "selected" }}
{{- $labels := dig "metadata" "labels" dict .template | default dict }}
{{- $selected := "yes" }}
{{- range $key, $value := .selector.matchLabels }}
  {{- if ne (get $labels $key) $value }}{{ $selected = "" }}{{ end }}
{{- end }}
{{- range .selector.matchExpressions }}
  {{- $has := hasKey $labels .key }}
  {{- $listed := and $has (has (get $labels .key) (.values | default list)) }}
  {{- if or
    (and (eq .operator "In") (not $listed))
    (and (eq .operator "NotIn") $listed)
    (and (eq .operator "Exists") (not $has))
    (and (eq .operator "DoesNotExist") $has)
  }}{{ $selected = "" }}{{ end }}
{{- end }}
{{- $selected }}
{{- end }}

{{- /* The label by which a deployment knows its sets among those that its selector, or that of another one, matches. */}}
{{- define "labels" }}
{{- dict "packages.thetechnick.ninja/package-deployment" (.CR.metadata.name | trunc 63 | trimAll "-.") | toJson }}
{{- end }}

{{- /*
What there is to know of the revisions, as JSON:
  kind        of the sets
  hash        of the spec that is wanted
  name        of the set that has it: the current one
  exists      whether that is there; what follows is false and new if it is not
  revision    its number
  collisions  names that were taken before one was free
  ready       whether it works, and has seen its latest spec
  concluded   whether it is ready and all others are archived
  serves      whether this set or an older one works
  names       of all other sets
  old         the other sets, newest first: {name, archived, succeeded, references}; the last are those of the objects that
              other live sets contain
*/}}
{{- define "state" }}
{{- $prefix := "packages.thetechnick.ninja" }}
{{- $kind := replace "Deployment" "Set" .CR.kind }}
{{- $namespace := .CR.metadata.namespace | default "" }}
{{- $wanted := .Values.template.spec }}
{{- $hash := toJson $wanted | sha256sum }}

{{- $selector := merge (dict "matchLabels" (include "labels" . | fromJson)) .Values.selector }}
{{- $fields := list
  "metadata.annotations" "metadata.generation" "metadata.deletionTimestamp"
  "spec.archived" "spec.phases[].objects[].object.apiVersion" "spec.phases[].objects[].object.kind"
  "spec.phases[].objects[].object.metadata.name" "spec.phases[].objects[].object.metadata.namespace"
  "status.observedGeneration" "status.conditions[].type" "status.conditions[].status"
}}
{{- $sets := lookupSelector .CR.apiVersion $kind $namespace $selector $fields }}
{{- $sets = sortByPath $sets "metadata" "annotations" (print $prefix "/revision") }}

{{- $current := dict }}
{{- $newest := 0 }}
{{- $names := list }}
{{- $live := dict }}
{{- range $sets }}
  {{- $annotations := .metadata.annotations | default dict }}
  {{- $names = append $names .metadata.name }}
  {{- $newest = max $newest (get $annotations (print $prefix "/revision") | int) }}
  {{- if not .spec.archived }}
    {{- $_ := set $live .metadata.name (dict "phases" .spec.phases "namespace" $namespace) }}
    {{- if and (eq (get $annotations (print $prefix "/hash")) $hash) (not .metadata.deletionTimestamp) }}
      {{- $current = . }}
    {{- end }}
  {{- end }}
{{- end }}

{{- $name := dig "metadata" "name" "" $current }}
{{- $collisions := 0 }}
{{- range $try := until 64 }}
  {{- if not $name }}
    {{- /* A name may be that of an archived set of the same spec, which stays what it is: then the next one is tried. */}}
    {{- $tried := printf "%s-%s" $.CR.metadata.name (printf "%s/%d" $hash $try | sha256sum | trunc 8) }}
    {{- $found := lookup $.CR.apiVersion $kind $namespace $tried }}
    {{- $same := eq (dig "metadata" "annotations" (print $prefix "/hash") "" $found) $hash }}
    {{- $gone := or (dig "spec" "archived" false $found) (dig "metadata" "deletionTimestamp" "" $found) }}
    {{- if or (not $found) (and $same (not $gone)) }}
      {{- /* It is there only if somebody took its labels off; they come back with it. */}}
      {{- $name = $tried }}
      {{- $current = $found }}
      {{- $collisions = $try }}
    {{- end }}
  {{- end }}
{{- end }}
{{- $revision := dig "metadata" "annotations" (print $prefix "/revision") (add1 $newest | toString) $current }}
{{- $collisions = dig "metadata" "annotations" (print $prefix "/collisions") (toString $collisions) $current | int }}
{{- $_ := set $live $name (dict "phases" $wanted.phases "namespace" $namespace) }}

{{- $available := and $current (conditionTrue $current "Available") }}
{{- $seen := eq (dig "metadata" "generation" 0 $current | int) (dig "status" "observedGeneration" 0 $current | int) }}
{{- $serves := not (not $available) }}
{{- $ready := and $available $seen | not | not }}
{{- $concluded := $ready }}
{{- $old := list }}
{{- range reverse $sets }}
  {{- $set := .metadata.name }}
  {{- if ne $set $name }}
    {{- $references := list }}
    {{- range $other, $package := $live }}
      {{- if ne $other $set }}
        {{- $references = concat $references (include "references" $package | fromJsonArray) }}
      {{- end }}
    {{- end }}
    {{- $archived := not (not .spec.archived) }}
    {{- if not $archived }}
      {{- $concluded = false }}
      {{- $serves = or $serves (conditionTrue . "Available") }}
    {{- end }}
    {{- $old = append $old (dict
      "name" $set "archived" $archived "succeeded" (conditionTrue . "Succeeded") "references" (uniq $references)
    ) }}
  {{- end }}
{{- end }}
{{- dict
  "kind" $kind "hash" $hash "name" $name "exists" (gt (len $current) 0) "revision" $revision "collisions" $collisions
  "ready" $ready "concluded" $concluded "serves" $serves
  "names" (without $names $name) "old" $old | toJson
}}
{{- end }}
