{{- /*
A table as JSON: name, columns [{name, type, shown}], key [name]. Given: tableName, columns, primaryKey. PostgreSQL folds what is
not quoted to lower case; that is done here, so that all names can be quoted. Fails with what is wrong.
*/}}
{{- define "table" }}
{{- range list "tableName" "columns" "primaryKey" }}
  {{- if not (get $ .) }}
    {{- fail (printf "Config item '%s' is missing in spec." .) }}
  {{- end }}
{{- end }}
{{- $name := include "identifier" (list "tableName" .tableName) | trim }}
{{- if not (kindIs "slice" .columns) }}
  {{- fail (printf "columns: expected a list of `name: type`, found %s" (toJson .columns)) }}
{{- end }}
{{- $columns := list }}
{{- $names := list }}
{{- range .columns }}
  {{- if not (kindIs "map" . | ternary (len . | eq 1) false) }}
    {{- fail (printf "columns: expected a list of `name: type`, found %s in it" (toJson .)) }}
  {{- end }}
  {{- range $shown, $type := . }}
    {{- $column := include "identifier" (list "column name" $shown) | trim }}
    {{- if has $column $names }}
      {{- fail (printf "column %s is there twice" $shown) }}
    {{- end }}
    {{- $names = append $names $column }}
    {{- $columns = append $columns (dict "name" $column "type" (include "type" (list $shown $type) | trim) "shown" $shown) }}
  {{- end }}
{{- end }}
{{- $key := list }}
{{- range splitList "," (toString .primaryKey) }}
  {{- $column := include "identifier" (list "primaryKey" (trim .)) | trim }}
  {{- if not (has $column $names) }}
    {{- fail (printf "primaryKey: %s is no column" (trim .)) }}
  {{- end }}
  {{- $key = append $key $column }}
{{- end }}
{{- dict "name" $name "columns" $columns "key" $key | toJson }}
{{- end }}

{{- /* A name of PostgreSQL, in lower case: nothing in it could end a quoted one. Given: what it is, and the text. */}}
{{- define "identifier" }}
{{- $what := first . }}
{{- $text := last . }}
{{- if not (kindIs "string" $text | ternary (regexMatch "^[A-Za-z_][A-Za-z0-9_]{0,62}$" (toString $text)) false) }}
  {{- fail (printf "%s: expected at most 63 letters, digits and _, the first no digit; found %s" $what (toJson $text)) }}
{{- end }}
{{- lower $text }}
{{- end }}

{{- /*
A type of PostgreSQL in lower case: one word, which can be no more than a type, or one of those of several words. Given: the
column, and the text.
*/}}
{{- define "type" }}
{{- $text := last . }}
{{- $type := "" }}
{{- if kindIs "string" $text }}
  {{- $type = regexReplaceAll " *([(),\\[\\]]) *" (regexReplaceAll " +" (lower $text | trim) " ") "${1}" }}
  {{- $type = regexReplaceAll "\\)([a-z])" $type ") ${1}" }}
{{- end }}
{{- $word := "[a-z_][a-z0-9_]{0,62}(\\([0-9]{1,4}(,[0-9]{1,4})?\\))?" }}
{{- $words := "double precision|(character|bit) varying(\\([0-9]{1,8}\\))?|(time|timestamp)(\\([0-9]\\))? with(out)? time zone" }}
{{- if not (regexMatch (printf "^(%s|%s)(\\[\\])?$" $word $words) $type) }}
  {{- fail (printf "column %s: expected a type such as integer, varchar(50) or timestamp with time zone; found %s" (first .) (toJson $text)) }}
{{- end }}
{{- $type }}
{{- end }}
