{{/*
Checks for what cannot work, before anything is created. lookup finds nothing where there
is no cluster, as in helm template.
*/}}
{{- define "queue-worker.checks" -}}
{{- include "queue-worker.names" . -}}
{{- include "queue-worker.forms" . -}}
{{- $v := .Values -}}
{{- if and $v.readAuthSecret (not $v.basic_auth) }}
{{- fail "\n\nreadAuthSecret is set, and basic_auth is false: then no credentials are asked for. Set basic_auth=true.\n" }}
{{- end }}
{{- if include "queue-worker.postgres" . -}}
{{- if and $v.postgres.existingSecret $v.postgres.url }}
{{- fail "\n\npostgres.existingSecret and postgres.url are both set: the Secret has the URL, so set one of them.\n" }}
{{- end }}
{{- if regexMatch "://[^/@]*:[^/@]*@|[?&]password=" $v.postgres.url }}
{{- fail "\n\npostgres.url has a password, and values are shown in many places: put the URL into a Secret, and set postgres.existingSecret.\n" }}
{{- end }}
{{- if $v.stanEmbedded }}
{{- fail "\n\nstanEmbedded keeps on a volume what it has confirmed, and with postgres there is none: run NATS Streaming elsewhere, or let callers use HTTP, and set stanEmbedded to false.\n" }}
{{- end }}
{{- if $v.persistence.existingClaim }}
{{- fail (printf "\n\npostgres and persistence.existingClaim are both set: invocations are stored in one place. Copy what is on the claim %s with `queue-worker store copy`, then set persistence.existingClaim to \"\".\n" $v.persistence.existingClaim) }}
{{- end }}
{{- if and $v.persistence.enabled (lookup "v1" "PersistentVolumeClaim" .Release.Namespace $v.fullnameOverride) }}
{{- fail (printf "\n\nThe claim %s may hold accepted work, which a worker with postgres would leave where it is.\nCopy it with `queue-worker store copy`, then set persistence.enabled=false together with postgres. The claim stays.\n" $v.fullnameOverride) }}
{{- end }}
{{- else if $v.postgres.caSecret }}
{{- fail "\n\npostgres.caSecret is set without postgres.existingSecret or postgres.url: set one of them.\n" }}
{{- end }}
{{- if and (include "queue-worker.several" .) (not (include "queue-worker.postgres" .)) -}}
{{- if $v.stanEmbedded }}
{{- fail "\n\nstanEmbedded needs exactly one worker: set queueWorker.replicas to 1 and keda.enabled to false.\n" }}
{{- end }}
{{- if $v.persistence.existingClaim }}
{{- fail (printf "\n\nSeveral workers cannot share the claim %s: set queueWorker.replicas to 1 and keda.enabled to false, or persistence.existingClaim to \"\".\n" $v.persistence.existingClaim) }}
{{- end }}
{{- if and $v.persistence.enabled (lookup "v1" "PersistentVolumeClaim" .Release.Namespace $v.fullnameOverride) }}
{{- fail (printf "\n\nThe claim %s may hold accepted work, and several workers cannot share it: they would leave that work where it is.\nLet one worker finish it first (queue_worker_pending_messages and queue_worker_dead are 0), then set persistence.enabled=false together with the number of workers. The claim stays.\n" $v.fullnameOverride) }}
{{- end }}
{{- end }}
{{- if and $v.mailbox.enabled $v.mailbox.inFunctionNamespace (eq (include "queue-worker.functions" .) .Release.Namespace) }}
{{- fail (printf "\n\nmailbox.inFunctionNamespace makes a second Service mailbox in %s, where the first one is: set it to false.\n" .Release.Namespace) }}
{{- end }}
{{- $env := fromYaml (include "queue-worker.env" .) }}
{{- range $v.extraEnv }}
{{- if has .name (list "store_url" "store_url_file") }}
{{- fail (printf "\n\nextraEnv sets %s: set postgres.existingSecret or postgres.url instead.\n" .name) }}
{{- end }}
{{- if and (hasPrefix "PGSSL" .name) $v.postgres.caSecret }}
{{- fail (printf "\n\nextraEnv sets %s, which postgres.caSecret decides: set one of them.\n" .name) }}
{{- end }}
{{- if has (index (splitList "__" .name) 0) (ternary (values (fromYaml (include "queue-worker.ofQueues" $))) list (contains "__" .name)) }}
{{- fail (printf "\n\nextraEnv sets %s, which is a setting of one queue: set it under queues.\n" .name) }}
{{- end }}
{{- if and (eq .name "SSL_CERT_DIR") $v.caSecret }}
{{- fail "\n\nextraEnv sets SSL_CERT_DIR, which caSecret sets too: set one of them.\n" }}
{{- end }}
{{- if hasKey $env .name }}
{{- fail (printf "\n\nextraEnv sets %s, which is a setting of the worker with a value of its own: change that one.\n" .name) }}
{{- end }}
{{- end }}
{{- if and $v.stanTLS.secret $v.stanEmbedded }}
{{- fail "\n\nstanTLS.secret is for a NATS Streaming elsewhere, and stanEmbedded is true: that connection stays within the process. Set one of them.\n" }}
{{- end }}
{{- if and $v.stanTLS.clientCertificate (not $v.stanTLS.secret) }}
{{- fail "\n\nstanTLS.clientCertificate is true without stanTLS.secret, which holds the certificate under tls.crt and tls.key.\n" }}
{{- end }}
{{- if and $v.podDisruptionBudget.enabled $v.podDisruptionBudget.minAvailable (not (include "queue-worker.several" .)) }}
{{- fail "\n\npodDisruptionBudget.minAvailable with one worker would let no node be drained: set podDisruptionBudget.maxUnavailable instead.\n" }}
{{- end }}
{{- include "queue-worker.bounds" . }}
{{- include "queue-worker.foreigners" . }}
{{- end }}

{{/* Objects of the same names that belong to someone else, the OpenFaaS chart above all. */}}
{{- define "queue-worker.foreigners" -}}
{{- $v := .Values -}}
{{- $aside := printf "Install this release into a namespace of its own: -n queue-worker --create-namespace --set openfaasNamespace=%s (docs/install.md)" (include "queue-worker.openfaas" .) -}}
{{- $another := "or give it another name: --set fullnameOverride=queue-worker-durable --set mailbox.enabled=false" -}}
{{- $external := printf "nats.external.enabled=true,nats.external.host=nats.%s.svc.%s,nats.external.port=4222,nats.external.clusterName=faas-cluster" .Release.Namespace $v.kubernetesDNSDomain -}}
{{- $away := printf "or let the OpenFaaS chart make no worker and no NATS Streaming: --set async=false,%s" $external -}}
{{- include "queue-worker.foreigner" (dict "root" . "api" "apps/v1" "kind" "Deployment" "name" $v.fullnameOverride "hint"
  (ternary (printf "%s,\n%s" $aside $away) (printf "%s,\n%s, and set queueWorker.replicas=0 in the OpenFaaS chart" $aside $another) $v.stanEmbedded)) }}
{{- include "queue-worker.foreigner" (dict "root" . "api" "v1" "kind" "Service" "name" $v.fullnameOverride "hint" (printf "%s,\n%s" $aside $another)) }}
{{- if $v.stanEmbedded }}
{{- include "queue-worker.foreigner" (dict "root" . "api" "v1" "kind" "Service" "name" "nats" "hint" (printf "%s,\n%s" $aside $away)) }}
{{- end }}
{{- if $v.mailbox.enabled }}
{{- include "queue-worker.foreigner" (dict "root" . "api" "v1" "kind" "Service" "name" "mailbox" "hint" "Remove it, or set mailbox.enabled=false") }}
{{- end }}
{{- if and (include "queue-worker.durable" .) (not $v.persistence.existingClaim) }}
{{- include "queue-worker.foreigner" (dict "root" . "api" "v1" "kind" "PersistentVolumeClaim" "name" $v.fullnameOverride "hint"
  (printf "If it is of a release that is gone, take it over: --set persistence.existingClaim=%s" $v.fullnameOverride)) }}
{{- end }}
{{- end }}

{{- define "queue-worker.foreigner" -}}
{{- $namespace := .root.Release.Namespace -}}
{{- with lookup .api .kind $namespace .name }}
{{- $owner := dig "metadata" "annotations" "meta.helm.sh/release-name" "" . -}}
{{- if ne $owner $.root.Release.Name }}
{{- fail (printf "\n\n%s %s is in the namespace %s already and belongs to %s.\n%s.\n" $.kind $.name $namespace (ternary "no release of Helm" (printf "the release %s" $owner) (eq $owner "")) $.hint) }}
{{- end }}
{{- end }}
{{- end }}
