{{/*
What the worker refuses at its start is refused here, before a running pod is touched. files/bounds.yaml
has the range of every setting, as the worker itself has it.
*/}}
{{- define "queue-worker.bounds" -}}
{{- $env := fromYaml (include "queue-worker.env" .) -}}
{{- range $name, $bound := fromYaml (.Files.Get "files/bounds.yaml") -}}
{{- $value := get $env $name | toString | trim -}}
{{- if and $value (ne $value (get $bound "zero" | toString)) (not (include "queue-worker.fits" (dict "value" $value "bound" $bound))) -}}
{{- fail (printf "\n\n%s: %q is refused by the worker, which expects %s.\n" (include "queue-worker.valueOf" $name) $value $bound.expects) -}}
{{- end -}}
{{- end -}}
{{- include "queue-worker.together" $env -}}
{{- include "queue-worker.channels" $env.faas_nats_channel -}}
{{- end }}

{{/* Settings that are right by themselves and wrong beside each other. */}}
{{- define "queue-worker.together" -}}
{{- $first := .initial_retry_wait | default "10s" -}}
{{- $longest := .max_retry_wait | default "120s" -}}
{{- if lt (float64 (include "queue-worker.duration" $longest)) (float64 (include "queue-worker.duration" $first)) -}}
{{- fail (printf "\n\nqueueWorkerPro.maxRetryWait: %q is refused by the worker, which expects at least initialRetryWait, which is %s.\n" $longest $first) -}}
{{- end -}}
{{- if and (eq (toString .debug) "true") .log_level (ne (toString .log_level) "debug") -}}
{{- fail (printf "\n\nsettings.debug: \"true\" is refused by the worker beside settings.log_level, which is %s: set log_level alone.\n" .log_level) -}}
{{- end -}}
{{- $calls := .max_inflight | default "50" -}}
{{- $callbacks := .callback_max_inflight | default "half" -}}
{{- if and (ne $callbacks "half") (gt (float64 $callbacks) (float64 $calls)) -}}
{{- fail (printf "\n\nsettings.callback_max_inflight: %q is refused by the worker, which expects at most maxInflight, which is %s.\n" $callbacks $calls) -}}
{{- end -}}
{{- end }}

{{/* The queues: at most 12, none twice, each with a limit or without. */}}
{{- define "queue-worker.channels" -}}
{{- $names := list -}}
{{- $given := . -}}
{{- range splitList "," . -}}
{{- $item := trim . -}}
{{- if $item -}}
{{- $name := index (splitList ":" $item) 0 -}}
{{- if or (not (regexMatch "^[A-Za-z0-9_.-]+(:([1-9][0-9]{0,3}|10000))?$" $item)) (has $name $names) -}}
{{- fail (printf "\n\nnats.channel: %q is refused by the worker, which expects names of letters, digits, '-', '_' and '.', at most 12, none twice, each with :<limit> from 1 to 10000 or without.\n" $item) -}}
{{- end -}}
{{- $names = append $names $name -}}
{{- end -}}
{{- end -}}
{{- if or (gt (len $names) 12) (not $names) -}}
{{- fail (printf "\n\nnats.channel: %q is refused by the worker, which expects from 1 to 12 names.\n" $given) -}}
{{- end -}}
{{- end }}

{{/* The value of the chart that becomes a setting. */}}
{{- define "queue-worker.valueOf" -}}
{{- $own := dict "max_retry_attempts" "queueWorkerPro.maxRetryAttempts" "initial_retry_wait" "queueWorkerPro.initialRetryWait"
  "max_retry_wait" "queueWorkerPro.maxRetryWait" "retry_http_codes" "queueWorkerPro.httpRetryCodes" "max_inflight" "queueWorkerPro.maxInflight"
  "backoff" "queueWorkerPro.backoff" "tls_insecure" "queueWorkerPro.insecureTLS" "ack_wait" "queueWorker.ackWait"
  "drain_timeout" "drainSeconds" "faas_nats_port" "nats.external.port" -}}
{{- get $own . | default (printf "settings.%s" .) -}}
{{- end }}

{{/* "true" for a value within its bound. */}}
{{- define "queue-worker.fits" -}}
{{- $value := .value -}}
{{- $bound := .bound -}}
{{- if eq $bound.kind "word" -}}
{{- if has $value $bound.words }}true{{ end -}}
{{- else if eq $bound.kind "yesno" -}}
{{- if regexMatch "(?i)^(1|t|true|on|yes|0|f|false|off|no)$" $value }}true{{ end -}}
{{- else if eq $bound.kind "codes" -}}
{{- if regexMatch "^!?[1-5]([0-9]{2}|xx)( *, *!?[1-5]([0-9]{2}|xx))*$" $value }}true{{ end -}}
{{- else -}}
{{- $text := include (printf "queue-worker.%s" $bound.kind) $value -}}
{{- if $text -}}
{{- $n := float64 $text -}}
{{- if or (and (ge $n (float64 $bound.min)) (le $n (float64 $bound.max))) (and $bound.orZero (eq $n 0.0)) }}true{{ end -}}
{{- end -}}
{{- end -}}
{{- end }}

{{/* Whole numbers, durations in seconds and sizes in bytes; empty for what is none. */}}
{{- define "queue-worker.number" -}}
{{- if regexMatch "^[0-9]+$" . }}{{ . }}{{ end -}}
{{- end }}

{{- define "queue-worker.duration" -}}
{{- if regexMatch "^[0-9]+$" . -}}
{{ . }}
{{- else if regexMatch "^([0-9]{1,5}d)?([0-9]+(\\.[0-9]+)?(ns|us|ms|s|m|h))*$" . -}}
{{- $sum := 0.0 -}}
{{- range regexFindAll "[0-9]+(\\.[0-9]+)?[a-z]+" . -1 -}}
{{- $unit := regexFind "[a-z]+$" . -}}
{{- $factor := get (dict "ns" 0.000000001 "us" 0.000001 "ms" 0.001 "s" 1.0 "m" 60.0 "h" 3600.0 "d" 86400.0) $unit -}}
{{- $sum = addf $sum (mulf (float64 (trimSuffix $unit .)) $factor) -}}
{{- end -}}
{{ $sum }}
{{- end -}}
{{- end }}

{{- define "queue-worker.size" -}}
{{- $size := trimSuffix "b" (lower .) -}}
{{- if regexMatch "^[0-9]+( *[kmgtp]i)?$" $size -}}
{{- $unit := regexFind "[kmgtp]i$" $size -}}
{{- $factor := get (dict "" 1.0 "ki" 1024.0 "mi" 1048576.0 "gi" 1073741824.0 "ti" 1099511627776.0 "pi" 1125899906842624.0) $unit -}}
{{ mulf (float64 (trim (trimSuffix $unit $size))) $factor }}
{{- end -}}
{{- end }}
