{{/*
Values that are no settings of the worker, in the form that they need. The schema knows their types; the words for
what is expected are here, because a schema would show a regular expression.
*/}}
{{- define "queue-worker.forms" -}}
{{- $v := .Values -}}
{{- $name := "a name of Kubernetes: at most 63 lower-case letters, digits and '-', beginning with a letter, not ending with '-'" -}}
{{- $count := "a whole number" -}}
{{- $atLeastOne := "a whole number from 1" -}}
{{- $port := "a port from 1 to 65535" -}}
{{- $url := "a URL such as http://prometheus.openfaas:9090, or nothing" -}}
{{- $size := "a size as Kubernetes writes it, such as 5Gi" -}}
{{- $period := "a duration such as 30s or 1m, or nothing" -}}
{{- range list
  (list "fullnameOverride" $v.fullnameOverride "^[a-z]([-a-z0-9]{0,61}[a-z0-9])?$" $name)
  (list "queueWorker.replicas" $v.queueWorker.replicas "^[0-9]{1,6}$" $count)
  (list "queueWorkerPro.replicas" $v.queueWorkerPro.replicas "^([0-9]{1,6})?$" $count)
  (list "nats.streamReplication" $v.nats.streamReplication "^([0-9]{1,6})?$" $count)
  (list "persistence.size" $v.persistence.size "^[0-9]+([.][0-9]+)?([KMGTP]i?)?$" $size)
  (list "service.port" $v.service.port "^([1-9][0-9]{0,3}|[1-5][0-9]{4}|6[0-4][0-9]{3}|65[0-4][0-9]{2}|655[0-2][0-9]|6553[0-5])$" $port)
  (list "serviceMonitor.interval" $v.serviceMonitor.interval "^([0-9]+(ms|s|m|h))*$" $period)
  (list "keda.minReplicas" $v.keda.minReplicas "^[1-9][0-9]{0,5}$" $atLeastOne)
  (list "keda.maxReplicas" $v.keda.maxReplicas "^[1-9][0-9]{0,5}$" $atLeastOne)
  (list "keda.pendingPerWorker" $v.keda.pendingPerWorker "^[1-9][0-9]{0,8}$" $atLeastOne)
  (list "keda.prometheusUrl" $v.keda.prometheusUrl "^($|https?://[^/]+)" $url)
  (list "prometheusRule.runbookUrl" $v.prometheusRule.runbookUrl "^($|https?://[^/ #]+[^ #]*$)" "a URL without a fragment, or nothing")
  (list "podDisruptionBudget.maxUnavailable" $v.podDisruptionBudget.maxUnavailable "^([0-9]{1,6}|[0-9]{1,3}%)?$" "a whole number or a percentage")
  (list "podDisruptionBudget.minAvailable" $v.podDisruptionBudget.minAvailable "^([0-9]{1,6}|[0-9]{1,3}%)?$" "a whole number or a percentage, or nothing")
-}}
{{- $text := include "queue-worker.text" (index . 1) -}}
{{- if not (regexMatch (index . 2) $text) -}}
{{- fail (printf "\n\n%s: %q is not %s.\n" (index . 0) $text (index . 3)) -}}
{{- end -}}
{{- end -}}
{{- if and $v.nats.external.enabled (not $v.nats.external.host) (not $v.stanEmbedded) -}}
{{- fail "\n\nnats.external.host is empty, although nats.external.enabled is true: set the host of NATS Streaming, such as nats.nats.svc.cluster.local.\n" -}}
{{- end -}}
{{- if lt (int (include "queue-worker.text" $v.keda.maxReplicas)) (int (include "queue-worker.text" $v.keda.minReplicas)) -}}
{{- fail (printf "\n\nkeda.maxReplicas: %s is below keda.minReplicas, which is %s.\n" (include "queue-worker.text" $v.keda.maxReplicas) (include "queue-worker.text" $v.keda.minReplicas)) -}}
{{- end -}}
{{- end }}
