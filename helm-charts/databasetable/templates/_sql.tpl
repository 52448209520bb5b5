{{- /*
What has to be done in the database, as JSON: action, statement; empty if nothing. What became of the table is remembered as its
comment, in the transaction that does it: a Pod that runs once more does nothing, and nobody else's table is changed or dropped.
*/}}
{{- define "work" }}
{{- if .Deleting }}
  {{- dict "action" "drop" "statement" "" | toJson }}
{{- else }}
  {{- $table := include "table" .Values | fromJson }}
  {{- if not .Previous }}
    {{- dict "action" "create" "table" $table.name "statement" (include "create" $table | trim) | toJson }}
  {{- else }}
    {{- $added := include "added" (list (include "table" .Previous | fromJson) $table) | fromJsonArray }}
    {{- if $added }}
      {{- $columns := list }}
      {{- range $added }}
        {{- $columns = append $columns (printf "ADD COLUMN %q %s" .name .type) }}
      {{- end }}
      {{- dict "action" "update" "table" $table.name "statement" (printf "ALTER TABLE %q %s" $table.name (join ", " $columns)) | toJson }}
    {{- end }}
  {{- end }}
{{- end }}
{{- end }}

{{- define "create" }}
  {{- $columns := list }}
  {{- range .columns }}
    {{- $columns = append $columns (printf "%q %s" .name .type) }}
  {{- end }}
  {{- $key := list }}
  {{- range .key }}
    {{- $key = append $key (quote .) }}
  {{- end }}
  {{- printf "CREATE TABLE %q (%s, PRIMARY KEY (%s))" .name (join ", " $columns) (join ", " $key) }}
{{- end }}

{{- /* The columns that are new. Given: the table as it is, and as it should be. Fails where that is more than new columns. */}}
{{- define "added" }}
{{- $old := first . }}
{{- $new := last . }}
{{- $faults := list }}
{{- if ne $old.name $new.name }}
  {{- $faults = append $faults "Changing tableName is not supported" }}
{{- end }}
{{- if ne (toJson $old.key) (toJson $new.key) }}
  {{- $faults = append $faults "Changing primaryKey is not supported" }}
{{- end }}
{{- $types := dict }}
{{- range $new.columns }}
  {{- $_ := set $types .name .type }}
{{- end }}
{{- $names := list }}
{{- range $old.columns }}
  {{- $names = append $names .name }}
  {{- if not (hasKey $types .name) }}
    {{- $faults = append $faults (printf "Removing column %s is not supported" .shown) }}
  {{- else if ne .type (get $types .name) }}
    {{- $faults = append $faults (printf "Changing column %s from %s to %s is not supported" .shown .type (get $types .name)) }}
  {{- end }}
{{- end }}
{{- with $faults }}
  {{- fail (join "; " .) }}
{{- end }}
{{- $added := list }}
{{- range $new.columns }}
  {{- if not (has .name $names) }}
    {{- $added = append $added . }}
  {{- end }}
{{- end }}
{{- toJson $added }}
{{- end }}

{{- /* A block of PL/pgSQL that does the work once. Given: work, owner, step. */}}
{{- define "script" }}
{{- $work := .work -}}
DO $table$
DECLARE
  owner CONSTANT text := '{{ .owner }}';
{{- if eq $work.action "drop" }}
  owned regclass;
BEGIN
  PERFORM pg_advisory_xact_lock(hashtext(owner));
  FOR owned IN
    SELECT objoid::regclass FROM pg_description
    WHERE classoid = 'pg_class'::regclass AND objsubid = 0 AND starts_with(description, owner || ': ')
  LOOP
    EXECUTE format('DROP TABLE %s', owned);
  END LOOP;
{{- else }}
  step CONSTANT text := owner || ': {{ .step }}';
  done text;
BEGIN
  PERFORM pg_advisory_xact_lock(hashtext(owner));
  done := obj_description(to_regclass('{{ quote .table }}'), 'pg_class');
  IF done = step THEN
    RETURN;
  END IF;
{{- if eq $work.action "update" }}
  IF NOT coalesce(starts_with(done, owner || ': '), false) THEN
    RAISE EXCEPTION USING MESSAGE = 'table {{ quote .table }} is not there, or not of ' || owner;
  END IF;
{{- end }}
  {{ $work.statement }};
  EXECUTE format('COMMENT ON TABLE {{ quote .table }} IS %L', step);
{{- end }}
END
$table$
{{- end }}
