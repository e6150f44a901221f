{{/* What selects the pod. The OpenFaaS chart selects app: queue-worker, so that label is not used. */}}
{{- define "queue-worker.selector" -}}
app.kubernetes.io/name: queue-worker
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "queue-worker.labels" -}}
{{ include "queue-worker.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
app.kubernetes.io/part-of: openfaas
helm.sh/chart: {{ .Chart.Name }}-{{ .Chart.Version }}
{{- end }}

{{- define "queue-worker.claim" -}}
{{ .Values.persistence.existingClaim | default .Values.fullnameOverride }}
{{- end }}

{{/* A Service of the release's namespace, by its full name. */}}
{{- define "queue-worker.service" -}}
{{ .name }}.{{ .root.Release.Namespace }}.svc.{{ .root.Values.kubernetesDNSDomain }}
{{- end }}

{{/*
The worker's environment as YAML, name: value. queueWorker.env is merged last, so
that no name comes twice.
*/}}
{{- define "queue-worker.env" -}}
{{- $pro := .Values.queueWorkerPro -}}
{{- $ce := .Values.queueWorker -}}
{{- $nats := .Values.nats -}}
{{- $env := dict
  "faas_nats_channel" $nats.channel
  "faas_nats_queue_group" $ce.queueGroup
  "default_function_name" .Values.functionNamespace
  "max_inflight" (coalesce $pro.maxInflight $ce.maxInflight 50)
  "max_retry_attempts" $pro.maxRetryAttempts
  "initial_retry_wait" $pro.initialRetryWait
  "max_retry_wait" $pro.maxRetryWait
  "retry_http_codes" $pro.httpRetryCodes
  "backoff" $pro.backoff
  "tls_insecure" $pro.insecureTLS
  "ack_wait" $ce.ackWait
  "drain_timeout" (printf "%ds" (int $ce.drainSeconds))
  "log_encoding" $ce.logs.format
  "debug" $ce.logs.debug
  "basic_auth" .Values.basic_auth
  "secret_mount_path" "/var/secrets/gateway"
  "http_listen_address" ":8081"
-}}
{{- if $nats.external.enabled -}}
{{- $_ := set $env "faas_nats_address" $nats.external.host -}}
{{- $_ := set $env "faas_nats_port" $nats.external.port -}}
{{- $_ := set $env "faas_nats_cluster_name" $nats.external.clusterName -}}
{{- else -}}
{{- $_ := set $env "faas_nats_address" (include "queue-worker.service" (dict "root" . "name" "nats")) -}}
{{- end -}}
{{- if .Values.gateway.url -}}
{{- $_ := set $env "gateway_url" .Values.gateway.url -}}
{{- else -}}
{{- $_ := set $env "faas_gateway_address" (include "queue-worker.service" (dict "root" . "name" "gateway")) -}}
{{- end -}}
{{- if .Values.persistence.enabled -}}
{{- $_ := set $env "data_dir" "/var/lib/queue-worker/data" -}}
{{- end -}}
{{- toYaml (merge (deepCopy $ce.env) $env) -}}
{{- end }}
