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

{{/* A value as text; nothing for null. YAML's numbers arrive as floating point, and 1000000 would become 1e+06. */}}
{{- define "queue-worker.text" -}}
{{- if kindIs "float64" . }}{{ printf "%.0f" . }}{{ else if not (kindIs "invalid" .) }}{{ . }}{{ end -}}
{{- end }}

{{/* A number that may have been written as text. */}}
{{- define "queue-worker.replicas" -}}
{{- include "queue-worker.text" .Values.queueWorker.replicas -}}
{{- end }}

{{/* "true" where several workers share the queue: then nothing is stored on a volume. */}}
{{- define "queue-worker.several" -}}
{{- if or .Values.keda.enabled (gt (int (include "queue-worker.replicas" .)) 1) }}true{{ end -}}
{{- end }}

{{/* "true" where the store is on PostgreSQL. */}}
{{- define "queue-worker.postgres" -}}
{{- if or .Values.postgres.existingSecret .Values.postgres.url }}true{{ end -}}
{{- end }}

{{/* "true" where the store lies on a volume. */}}
{{- define "queue-worker.durable" -}}
{{- if and .Values.persistence.enabled (not (include "queue-worker.several" .)) (not (include "queue-worker.postgres" .)) }}true{{ end -}}
{{- end }}

{{- define "queue-worker.claim" -}}
{{ .Values.persistence.existingClaim | default .Values.fullnameOverride }}
{{- end }}

{{- define "queue-worker.openfaas" -}}
{{ .Values.openfaasNamespace | default .Release.Namespace }}
{{- end }}

{{/* The namespace of functions; older OpenFaaS values set it to null, which means that of the release. */}}
{{- define "queue-worker.functions" -}}
{{ .Values.functionNamespace | default .Release.Namespace }}
{{- end }}

{{/* "true" for an image of OpenFaaS's own workers, from their registry or a mirror of it. */}}
{{- define "queue-worker.foreign" -}}
{{- if regexMatch "(^|/)openfaas(ltd)?/(jetstream-)?queue-worker(-pro)?([:@]|$)" . }}true{{ end -}}
{{- end }}

{{- define "queue-worker.image" -}}
{{- $ce := .Values.queueWorker.image -}}
{{- if .Values.image -}}
{{ .Values.image }}
{{- else if and $ce (not (include "queue-worker.foreign" $ce)) -}}
{{ $ce }}
{{- else -}}
queue-worker:{{ .Chart.AppVersion }}
{{- end -}}
{{- end }}

{{/*
Retry values stood under queueWorker in the OpenFaaS charts of July to October
2021. They have no default there, so what is set was meant.
*/}}
{{- define "queue-worker.retry" -}}
{{- $old := dig .name nil .root.Values.queueWorker -}}
{{- $value := ternary (dig .name nil .root.Values.queueWorkerPro) $old (kindIs "invalid" $old) -}}
{{- if not (kindIs "invalid" $value) }}{{ include "queue-worker.text" $value }}{{ end -}}
{{- end }}

{{/*
Blocks whose children are all commented out are null, and Helm removes them with their defaults: they get these back.
A security context that is null stays away, as OpenShift wants.
*/}}
{{- define "queue-worker.init" -}}
{{- range $key, $default := fromYaml (.Files.Get "files/defaults.yaml") -}}
{{- if and (kindIs "invalid" (index $.Values $key)) (kindIs "map" $default) (not (hasSuffix "SecurityContext" $key)) -}}
{{- $_ := set $.Values $key $default -}}
{{- end -}}
{{- end -}}
{{- end }}

{{/* YAML whose numbers are whole, as user ids have to be. */}}
{{- define "queue-worker.whole" -}}
{{- range $key, $value := . }}
{{ $key }}: {{ if kindIs "float64" $value }}{{ int64 $value }}{{ else }}{{ toJson $value }}{{ end }}
{{- end }}
{{- end }}
