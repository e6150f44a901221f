{{/*
The worker's environment as YAML, name: value, all of it text. What has a value
of its own is not among settings, so that no name comes twice.
*/}}
{{- define "queue-worker.env" -}}
{{- $v := .Values -}}
{{- $env := dict
  "faas_nats_channel" $v.nats.channel
  "faas_nats_queue_group" $v.queueWorker.queueGroup
  "default_function_name" (include "queue-worker.functions" .)
  "max_retry_attempts" (include "queue-worker.retry" (dict "root" . "name" "maxRetryAttempts"))
  "initial_retry_wait" (include "queue-worker.retry" (dict "root" . "name" "initialRetryWait"))
  "max_retry_wait" (include "queue-worker.retry" (dict "root" . "name" "maxRetryWait"))
  "retry_http_codes" (include "queue-worker.retry" (dict "root" . "name" "httpRetryCodes"))
  "max_inflight" (include "queue-worker.retry" (dict "root" . "name" "maxInflight"))
  "backoff" $v.queueWorkerPro.backoff
  "tls_insecure" $v.queueWorkerPro.insecureTLS
  "ack_wait" (include "queue-worker.text" $v.queueWorker.ackWait)
  "drain_timeout" (printf "%ss" (include "queue-worker.text" $v.drainSeconds))
  "basic_auth" $v.basic_auth
  "secret_mount_path" "/var/secrets/gateway"
  "http_listen_address" ":8081"
-}}
{{- if include "queue-worker.durable" . -}}
{{- $_ := set $env "data_dir" "/var/lib/queue-worker/data" -}}
{{- end -}}
{{- if $v.postgres.existingSecret -}}
{{- $_ := set $env "store_url_file" "/var/secrets/postgres/url" -}}
{{- else if $v.postgres.url -}}
{{- $_ := set $env "store_url" $v.postgres.url -}}
{{- end -}}
{{- if $v.gatewayUrl -}}
{{- $_ := set $env "gateway_url" $v.gatewayUrl -}}
{{- else -}}
{{- $_ := set $env "faas_gateway_address" (include "queue-worker.service" (dict "root" . "name" "gateway")) -}}
{{- end -}}
{{- $_ := merge $env (fromYaml (include "queue-worker.messages" .)) -}}
{{- range $name, $value := $v.settings -}}
{{- $_ := set $env $name $value -}}
{{- end -}}
{{- range $queue, $own := $v.queues -}}
{{- range $key, $setting := fromYaml (include "queue-worker.ofQueues" $) -}}
{{- with include "queue-worker.text" (get ($own | default dict) $key) -}}
{{- $_ := set $env (printf "%s__%s" $setting (include "queue-worker.inVariable" $queue)) . -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- /* A pod that replaces this one waits for the volume until the drain has ended. */ -}}
{{- $drain := int (include "queue-worker.text" $v.drainSeconds) -}}
{{- if and (gt $drain 540) (eq (toString $env.data_dir_wait) "10m") -}}
{{- $_ := set $env "data_dir_wait" (printf "%ds" (add $drain 60)) -}}
{{- end -}}
{{- if eq (include "queue-worker.text" (get $env "debug")) "true" -}}
{{- if eq (get $env "log_level") "info" }}{{ $_ := unset $env "log_level" }}{{ end -}}
{{- else -}}
{{- $_ := unset $env "debug" -}}
{{- end -}}
{{- range $name, $value := $env }}
{{ $name }}: {{ include "queue-worker.text" $value | quote }}
{{- end }}
{{- end }}

{{/* A Service of OpenFaaS by its full name. */}}
{{- define "queue-worker.service" -}}
{{ .name }}.{{ include "queue-worker.openfaas" .root }}.svc.{{ .root.Values.kubernetesDNSDomain }}
{{- end }}

{{/* Where NATS Streaming is: in the process, elsewhere, or beside the gateway. */}}
{{- define "queue-worker.messages" -}}
{{- $external := .Values.nats.external -}}
{{- if .Values.stanEmbedded -}}
stan_embedded: "true"
stan_listen_address: ":4222"
faas_nats_cluster_name: {{ $external.clusterName | quote }}
{{- else if $external.enabled -}}
faas_nats_address: {{ $external.host | quote }}
faas_nats_port: {{ include "queue-worker.text" $external.port | quote }}
faas_nats_cluster_name: {{ $external.clusterName | quote }}
{{- else -}}
faas_nats_address: {{ include "queue-worker.service" (dict "root" . "name" "nats") }}
{{- end }}
{{ with .Values.stanCredentialsSecret -}}
stan_credentials_file: /var/secrets/nats/credentials
{{ end -}}
{{ if .Values.stanTLS.secret -}}
stan_ca_file: /var/secrets/nats-tls/ca.crt
{{ if .Values.stanTLS.clientCertificate -}}
stan_cert_file: /var/secrets/nats-tls/tls.crt
stan_key_file: /var/secrets/nats-tls/tls.key
{{ end -}}
{{ end -}}
{{- end }}
