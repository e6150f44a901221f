{{/*
What the worker refuses at its start is refused here, before a running pod is touched. files/bounds.yaml
has the range of every setting, as the worker itself has it.
*/}}
{{- define "queue-worker.bounds" -}}
{{- $env := fromYaml (include "queue-worker.env" .) -}}
{{- $bounds := fromYaml (.Files.Get "files/bounds.yaml") -}}
{{- range $name, $bound := $bounds -}}
{{- include "queue-worker.bound" (dict "where" (include "queue-worker.valueOf" $name) "value" (get $env $name) "bound" $bound) -}}
{{- end -}}
{{- include "queue-worker.together" $env -}}
{{- include "queue-worker.channels" $env.faas_nats_channel -}}
{{- include "queue-worker.queues" (dict "root" . "env" $env "bounds" $bounds) -}}
{{- end }}

{{/* One value within its bound; nothing is the default. */}}
{{- define "queue-worker.bound" -}}
{{- $value := include "queue-worker.text" .value | trim -}}
{{- if and $value (ne $value (get .bound "zero" | toString)) (not (include "queue-worker.fits" (dict "value" $value "bound" .bound))) -}}
{{- fail (printf "\n\n%s: %q is refused by the worker, which expects %s.\n" .where (regexReplaceAll "^.*@" $value "[redacted]@") .bound.expects) -}}
{{- end -}}
{{- end }}

{{/* Settings that are right by themselves and wrong beside each other. */}}
{{- define "queue-worker.together" -}}
{{- include "queue-worker.waits" (dict "where" "queueWorkerPro.maxRetryWait" "first" .initial_retry_wait "longest" .max_retry_wait) -}}
{{- if and (eq (toString .debug) "true") .log_level (ne (toString .log_level) "debug") -}}
{{- fail (printf "\n\nsettings.debug: \"true\" is refused by the worker beside settings.log_level, which is %s: set log_level alone.\n" .log_level) -}}
{{- end -}}
{{- $calls := .max_inflight | default "50" -}}
{{- $callbacks := .callback_max_inflight | default "half" -}}
{{- if and (ne $callbacks "half") (gt (float64 $callbacks) (float64 $calls)) -}}
{{- fail (printf "\n\nsettings.callback_max_inflight: %q is refused by the worker, which expects at most maxInflight, which is %s.\n" $callbacks $calls) -}}
{{- end -}}
{{- end }}

{{/* The longest wait is not below the first one. */}}
{{- define "queue-worker.waits" -}}
{{- $first := .first | default "10s" -}}
{{- $longest := .longest | default "120s" -}}
{{- if lt (float64 (include "queue-worker.duration" $longest)) (float64 (include "queue-worker.duration" $first)) -}}
{{- fail (printf "\n\n%s: %q is refused by the worker, which expects at least initialRetryWait, which is %s.\n" .where $longest $first) -}}
{{- end -}}
{{- end }}

{{/* Retry values of one queue: of one that there is, and each within the bound of its setting. */}}
{{- define "queue-worker.queues" -}}
{{- $names := list -}}
{{- range splitList "," .env.faas_nats_channel }}{{ $names = append $names (index (splitList ":" (trim .)) 0) }}{{ end -}}
{{- $taken := dict -}}
{{- range $queue, $own := .root.Values.queues -}}
{{- if not (has $queue $names) -}}
{{- fail (printf "\n\nqueues.%s: nats.channel has no such queue; it has %s.\n" $queue (join ", " $names)) -}}
{{- end -}}
{{- $variable := include "queue-worker.inVariable" $queue -}}
{{- if hasKey $taken $variable -}}
{{- fail (printf "\n\nqueues: %s and %s differ in '-', '_' and '.' only, and cannot both have values of their own.\n" (get $taken $variable) $queue) -}}
{{- end -}}
{{- $_ := set $taken $variable $queue -}}
{{- range $key, $setting := fromYaml (include "queue-worker.ofQueues" $) -}}
{{- include "queue-worker.bound" (dict "where" (printf "queues.%s.%s" $queue $key) "value" (get ($own | default dict) $key) "bound" (get $.bounds $setting)) -}}
{{- end -}}
{{- $first := include "queue-worker.text" (get ($own | default dict) "initialRetryWait") | default $.env.initial_retry_wait -}}
{{- $longest := include "queue-worker.text" (get ($own | default dict) "maxRetryWait") | default $.env.max_retry_wait -}}
{{- include "queue-worker.waits" (dict "where" (printf "queues.%s.maxRetryWait" $queue) "first" $first "longest" $longest) -}}
{{- end -}}
{{- end }}

{{/* The values that a queue can have of its own, and their settings. */}}
{{- define "queue-worker.ofQueues" -}}
maxRetryAttempts: max_retry_attempts
initialRetryWait: initial_retry_wait
maxRetryWait: max_retry_wait
httpRetryCodes: retry_http_codes
backoff: backoff
{{- end }}

{{/* A queue's name as it can stand in the name of a variable. */}}
{{- define "queue-worker.inVariable" -}}
{{- . | replace "-" "_" | replace "." "_" -}}
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
  "drain_timeout" "drainSeconds" "faas_nats_port" "nats.external.port" "faas_nats_address" "nats.external.host"
  "faas_nats_cluster_name" "nats.external.clusterName" "faas_nats_queue_group" "queueWorker.queueGroup" "gateway_url" "gatewayUrl"
  "default_function_name" "functionNamespace" -}}
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
{{- if regexMatch "(?i)^!?[1-5]([0-9]{2}|xx)( *, *!?[1-5]([0-9]{2}|xx))*$" $value }}true{{ end -}}
{{- else if eq $bound.kind "url" -}}
{{- if regexMatch "^https?://[^/@?#]+(/[^?#]*)?$" $value }}true{{ end -}}
{{- else if eq $bound.kind "host" -}}
{{- include "queue-worker.host" $value -}}
{{- else if eq $bound.kind "hosts" -}}
{{- $wrong := list -}}
{{- range splitList "," $value -}}
{{- $host := regexReplaceAll "/[0-9]{1,3}$" (trim .) "" -}}
{{- if and $host (not (include "queue-worker.host" $host)) }}{{ $wrong = append $wrong $host }}{{ end -}}
{{- end -}}
{{- if not $wrong }}true{{ end -}}
{{- else if eq $bound.kind "subject" -}}
{{- if regexMatch "^[^ \t\n*>.]+([.][^ \t\n*>.]+)*$" $value }}true{{ end -}}
{{- else if eq $bound.kind "namespace" -}}
{{- if regexMatch "^[A-Za-z0-9_-]+$" $value }}true{{ end -}}
{{- else -}}
{{- $text := include (printf "queue-worker.%s" $bound.kind) $value -}}
{{- if $text -}}
{{- $n := float64 $text -}}
{{- if or (and (ge $n (float64 $bound.min)) (le $n (float64 $bound.max))) (and $bound.orZero (eq $n 0.0)) }}true{{ end -}}
{{- end -}}
{{- end -}}
{{- end }}

{{/* "true" for a host name whose last part is no number, or an IP address. */}}
{{- define "queue-worker.host" -}}
{{- if regexMatch "^(([A-Za-z0-9_-]+[.])*[0-9]*[A-Za-z_-][A-Za-z0-9_-]*[.]?|[0-9]{1,3}([.][0-9]{1,3}){3}|\\[?[0-9A-Fa-f.]*:[0-9A-Fa-f:.]+\\]?)$" . }}true{{ end -}}
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
