{{/*
Keys at the top that neither chart has: ignored, with a line in the notes, since a values file may be for several
charts. One that is nearly one of ours was meant for us, and is refused.
*/}}
{{- define "queue-worker.names" -}}
{{- range $key := fromYamlArray (include "queue-worker.strangers" .) -}}
{{- range $ours := keys (fromYaml ($.Files.Get "files/defaults.yaml")) | sortAlpha -}}
{{- if include "queue-worker.near" (dict "a" (lower $key) "b" (lower $ours)) -}}
{{- fail (printf "\n\n%s is no value of this chart or of the OpenFaaS chart: did you mean %s?\n" $key $ours) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end }}

{{/* The keys that are not ours, not those of the OpenFaaS chart since 2019, and not Helm's own. */}}
{{- define "queue-worker.strangers" -}}
{{- $known := concat (list "global" "tags") (keys (fromYaml (.Files.Get "files/defaults.yaml"))) (regexFindAll "[A-Za-z0-9_]+" (.Files.Get "files/openfaas-keys.txt") -1) -}}
{{- $strangers := list -}}
{{- range $key, $_ := .Values -}}
{{- if not (has $key $known) }}{{ $strangers = append $strangers $key }}{{ end -}}
{{- end -}}
{{- $strangers | sortAlpha | toYaml -}}
{{- end }}

{{/* "true" where at most two letters have to be changed, added or removed to make one word the other. */}}
{{- define "queue-worker.near" -}}
{{- if le (len .a) (add (len .b) 2 | int) -}}
{{- if le (len .b) (add (len .a) 2 | int) -}}
{{- $b := splitList "" .b -}}
{{- $row := until (add1 (len $b) | int) -}}
{{- range $i, $x := splitList "" .a -}}
{{- $next := list (add1 $i) -}}
{{- range $j, $y := $b -}}
{{- $same := ternary 0 1 (eq $x $y) -}}
{{- $next = append $next (min (add (index $row $j) $same) (add1 (index $row (add1 $j))) (add1 (last $next))) -}}
{{- end -}}
{{- $row = $next -}}
{{- end -}}
{{- if le (int (last $row)) 2 }}true{{ end -}}
{{- end -}}
{{- end -}}
{{- end }}
