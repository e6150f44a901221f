{{/*
The resources of the container as YAML. A memory limit of "auto" follows from the
settings; it is never below the memory that the container asks for.
*/}}
{{- define "queue-worker.resources" -}}
{{- $resources := deepCopy (.Values.queueWorker.resources | default dict) -}}
{{- if eq (toString (dig "limits" "memory" "" $resources)) "auto" -}}
{{- $limit := include "queue-worker.memory" . -}}
{{- if $limit -}}
{{- $asked := include "queue-worker.bytes" (dig "requests" "memory" 0 $resources) | int64 -}}
{{- $_ := set $resources.limits "memory" (printf "%dMi" (div (add (max (int64 $limit) $asked) 1048575) 1048576)) -}}
{{- else -}}
{{- $_ := unset $resources.limits "memory" -}}
{{- end -}}
{{- end -}}
{{- toYaml $resources -}}
{{- end }}

{{/*
The memory limit in bytes that follows from the settings; empty where they set no bound:

  1.5 * ( 256 MiB: the program, the store's cache, requests that arrive, what the API shows
          + max_inflight * (4/3 max_request_bytes + 128 KiB): calls
          + max_response_memory: answers longer than 64 KiB
          + 3 max_response_bytes - 32 MiB where that is more than nothing: answers that are stored or sent
          + 8 max_request_bytes - 64 MiB where that is more than nothing: requests that arrive
          + 256 MiB with stanEmbedded
          + max_unsettled_bytes + dead_set_max_bytes without a volume or PostgreSQL )

The 4/3 are those of base64, in which a request is stored.
*/}}
{{- define "queue-worker.memory" -}}
{{- $env := fromYaml (include "queue-worker.env" .) -}}
{{- $request := include "queue-worker.bytes" ($env.max_request_bytes | default "8MiB") | int64 -}}
{{- $answers := include "queue-worker.bytes" ($env.max_response_memory | default "64MiB") | int64 -}}
{{- $answer := include "queue-worker.bytes" ($env.max_response_bytes | default "8MiB") | int64 -}}
{{- $calls := add $answers (max 0 (sub (mul 3 $answer) 33554432)) (mul (int64 ($env.max_inflight | default "50")) (add (div (mul $request 4) 3) 131072)) -}}
{{- $arriving := max 0 (sub (mul 8 $request) 67108864) -}}
{{- $all := add 268435456 $calls $arriving (ternary 268435456 0 .Values.stanEmbedded) -}}
{{- $bounded := true -}}
{{- if not (or (include "queue-worker.durable" .) (include "queue-worker.postgres" .)) -}}
{{- $all = add $all (int64 (include "queue-worker.bytes" ($env.max_unsettled_bytes | default "64MiB"))) -}}
{{- if ne (toString $env.dead_set) "off" -}}
{{- $dead := include "queue-worker.bytes" ($env.dead_set_max_bytes | default "1GiB") | int64 -}}
{{- $all = add $all $dead -}}
{{- $bounded = gt $dead 0 -}}
{{- end -}}
{{- end -}}
{{- if $bounded }}{{ div (mul $all 3) 2 }}{{ end -}}
{{- end }}

{{/* The bytes of a size, as settings (8MiB) or Kubernetes (120Mi, 1.5Gi, 1G) write it. */}}
{{- define "queue-worker.bytes" -}}
{{- $text := include "queue-worker.text" . -}}
{{- $units := dict "k" 1e3 "M" 1e6 "G" 1e9 "T" 1e12 "Ki" 1024 "Mi" 1048576 "Gi" 1073741824 "Ti" 1099511627776 "Pi" 1125899906842624 -}}
{{- $unit := regexFind "[A-Za-z]*$" $text | trimSuffix "B" -}}
{{- printf "%.0f" (mulf (float64 (regexFind "^[0-9.]+" $text | default "0")) (float64 (get $units $unit | default 1))) -}}
{{- end }}
