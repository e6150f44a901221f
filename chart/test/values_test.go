package chart

// Values that operators of other clusters need, and blocks that say nothing.

import (
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
)

// TestTheDefaultsAreThere: Helm gives templates no values.yaml, so its copy has to be the same.
func TestTheDefaultsAreThere(t *testing.T) {
	t.Parallel()
	if read(t, "../queue-worker/values.yaml") != read(t, "../queue-worker/files/defaults.yaml") {
		t.Errorf(`files/defaults.yaml is not values.yaml: cp chart/queue-worker/values.yaml chart/queue-worker/files/defaults.yaml, want read(t, "../queue-worker/values.yaml") %v`, read(t, "../queue-worker/files/defaults.yaml"))
	}
}

func TestABlockWithoutChildrenRendersAsTheDefaults(t *testing.T) {
	t.Parallel()
	want := render(t, "{}").text
	for key, value := range load(t).Values {
		if _, block := value.(map[string]any); !block || strings.HasSuffix(key, "SecurityContext") {
			continue // null leaves a security context out
		}
		if got := render(t, key+":\n").text; got != want {
			t.Errorf("%s: without a value the chart renders otherwise than by default: got %v, want %v", key, got, want)
		}
	}
}

func TestThePodTakesWhatAClusterAsksFor(t *testing.T) {
	t.Parallel()
	pod := render(t, `
podLabels: {team: a, app.kubernetes.io/name: mine}
podAnnotations: {prometheus.io/scrape: "false", x: z}
priorityClassName: high
topologySpreadConstraints: [{maxSkew: 2, topologyKey: zone, whenUnsatisfiable: DoNotSchedule}]
extraVolumes: [{name: ca, configMap: {name: ca}}]
extraVolumeMounts: [{name: ca, mountPath: /etc/ssl/ca}]
podSecurityContext: null
containerSecurityContext: null
`).pod(t)
	c := pod.Spec.Containers[0]
	for what, is := range map[string]bool{
		"a label":                       pod.Labels["team"] == "a",
		"the chart's own label":         pod.Labels["app.kubernetes.io/name"] == "queue-worker",
		"an annotation":                 pod.Annotations["x"] == "z",
		"one of the chart's, replaced":  pod.Annotations["prometheus.io/scrape"] == "false",
		"one of the chart's, kept":      pod.Annotations["prometheus.io/port"] == "8081",
		"a priority class":              pod.Spec.PriorityClassName == "high",
		"a spread":                      len(pod.Spec.TopologySpreadConstraints) == 1 && pod.Spec.TopologySpreadConstraints[0].TopologyKey == "zone",
		"a volume":                      pod.Spec.Volumes[len(pod.Spec.Volumes)-1].Name == "ca",
		"its mount":                     c.VolumeMounts[len(c.VolumeMounts)-1].MountPath == "/etc/ssl/ca",
		"no security context":           pod.Spec.SecurityContext == nil,
		"none of the container":         c.SecurityContext == nil,
		"the last log lines on failure": c.TerminationMessagePolicy == corev1.TerminationMessageFallbackToLogsOnError,
	} {
		if !is {
			t.Errorf("the pod is without %s, want is", what)
		}
	}
}

func TestADisruptionBudgetIsAskedFor(t *testing.T) {
	t.Parallel()
	if n := len(all[*policyv1.PodDisruptionBudget](render(t, "queueWorker: {replicas: 3}\npersistence: {enabled: false}"))); n != 0 {
		t.Errorf("got %d budgets, want 0 by default", n)
	}
	b := the[*policyv1.PodDisruptionBudget](t, render(t, "podDisruptionBudget: {enabled: true}"), "queue-worker")
	if got := b.Spec.MaxUnavailable.IntValue(); got != 1 {
		t.Errorf("got maxUnavailable %d, want 1", got)
	}
	const several = "podDisruptionBudget: {enabled: true, minAvailable: 2}\npersistence: {enabled: false}\nqueueWorker: {replicas: "
	b = the[*policyv1.PodDisruptionBudget](t, render(t, several+"3}"), "queue-worker")
	if b.Spec.MaxUnavailable != nil || b.Spec.MinAvailable.IntValue() != 2 {
		t.Errorf("got %+v, want minAvailable 2 alone", b.Spec)
	}
	if _, err := files(t, several+"1}"); err == nil || !strings.Contains(err.Error(), "would let no node be drained") {
		t.Errorf("got %v, want it refused with the reason", err)
	}
}
