// Package chart renders the Helm chart as Helm does and checks what comes out:
// that Kubernetes would take it, field by field, and that the worker would get
// the settings that the values name.
package chart

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"helm.sh/helm/v3/pkg/chart"
	"helm.sh/helm/v3/pkg/chart/loader"
	"helm.sh/helm/v3/pkg/chartutil"
	"helm.sh/helm/v3/pkg/engine"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/pod-security-admission/api"
	"k8s.io/pod-security-admission/policy"
	"sigs.k8s.io/yaml"
)

// rendered are the objects of one rendering; what was not rendered is nil.
type rendered struct {
	deployment *appsv1.Deployment
	service    *corev1.Service
	claim      *corev1.PersistentVolumeClaim
	notes      string
}

func load(t *testing.T) *chart.Chart {
	t.Helper()
	c, err := loader.Load("../queue-worker")
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// files renders the chart with values written in YAML. The schema is checked.
func files(t *testing.T, values string) (map[string]string, error) {
	t.Helper()
	c := load(t)
	v, err := chartutil.ReadValues([]byte(values))
	if err != nil {
		t.Fatal(err)
	}
	all, err := chartutil.ToRenderValues(c, v, chartutil.ReleaseOptions{Name: "qw", Namespace: "openfaas", IsInstall: true}, nil)
	if err != nil {
		return nil, err
	}
	return engine.Render(c, all)
}

// render renders and decodes. Fields that Kubernetes does not know are errors.
func render(t *testing.T, values string) rendered {
	t.Helper()
	out, err := files(t, values)
	if err != nil {
		t.Fatal(err)
	}
	var r rendered
	for name, text := range out {
		if strings.TrimSpace(text) == "" {
			continue
		}
		switch name {
		case "queue-worker/templates/deployment.yaml":
			r.deployment = decode[appsv1.Deployment](t, text)
		case "queue-worker/templates/service.yaml":
			r.service = decode[corev1.Service](t, text)
		case "queue-worker/templates/pvc.yaml":
			r.claim = decode[corev1.PersistentVolumeClaim](t, text)
		case "queue-worker/templates/NOTES.txt":
			r.notes = text
		default:
			t.Errorf("%s is rendered and no test knows it", name)
		}
	}
	return r
}

func decode[T any](t *testing.T, text string) *T {
	t.Helper()
	v := new(T)
	if err := yaml.UnmarshalStrict([]byte(text), v); err != nil {
		t.Fatalf("%v in\n%s", err, text)
	}
	return v
}

// env is the worker's environment; a name that comes twice fails.
func (r rendered) env(t *testing.T) map[string]string {
	t.Helper()
	env := map[string]string{}
	for _, e := range r.deployment.Spec.Template.Spec.Containers[0].Env {
		if _, twice := env[e.Name]; twice {
			t.Errorf("%s is set twice", e.Name)
		}
		env[e.Name] = e.Value
	}
	return env
}

const image = "queueWorker: {image: registry.example/queue-worker:1}\n"

func TestDefaultEnvironment(t *testing.T) {
	t.Parallel()
	want := map[string]string{
		"ack_wait":              "60s",
		"backoff":               "",
		"basic_auth":            "true",
		"data_dir":              "/var/lib/queue-worker/data",
		"debug":                 "false",
		"default_function_name": "openfaas-fn",
		"drain_timeout":         "25s",
		"faas_gateway_address":  "gateway.openfaas.svc.cluster.local",
		"faas_nats_address":     "nats.openfaas.svc.cluster.local",
		"faas_nats_channel":     "faas-request",
		"faas_nats_queue_group": "faas",
		"http_listen_address":   ":8081",
		"initial_retry_wait":    "10s",
		"log_encoding":          "console",
		"max_inflight":          "50",
		"max_retry_attempts":    "10",
		"max_retry_wait":        "120s",
		"retry_http_codes":      "408,429,500,502,503,504",
		"secret_mount_path":     "/var/secrets/gateway",
		"tls_insecure":          "false",
	}
	if d := cmp.Diff(want, render(t, image).env(t)); d != "" {
		t.Errorf("environment (-want +got):\n%s", d)
	}
}

func TestValuesReachTheEnvironment(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, values string
		want         map[string]string // "-": must not be set
	}{
		{"the retry values of the OpenFaaS chart", "queueWorkerPro: {maxRetryAttempts: 100, maxRetryWait: 5m, initialRetryWait: 0s, httpRetryCodes: '429', backoff: full, insecureTLS: true}", map[string]string{
			"max_retry_attempts": "100", "max_retry_wait": "5m", "initial_retry_wait": "0s", "retry_http_codes": "429", "backoff": "full", "tls_insecure": "true"}},
		{"calls at a time", "queueWorkerPro: {maxInflight: 10000}", map[string]string{"max_inflight": "10000"}},
		{"calls at a time, Community name", "queueWorkerPro: {maxInflight: null}\nqueueWorker: {maxInflight: '7'}", map[string]string{"max_inflight": "7"}},
		{"no calls at a time: the default", "queueWorkerPro: {maxInflight: null}", map[string]string{"max_inflight": "50"}},
		{"a NATS Streaming of one's own", "nats: {channel: 'a,b', external: {enabled: true, host: stan.infra, port: 4223, clusterName: c}}", map[string]string{
			"faas_nats_address": "stan.infra", "faas_nats_port": "4223", "faas_nats_cluster_name": "c", "faas_nats_channel": "a,b"}},
		{"a gateway elsewhere", "gateway: {url: 'https://gw.example'}", map[string]string{"gateway_url": "https://gw.example", "faas_gateway_address": "-"}},
		{"another domain", "kubernetesDNSDomain: corp.local", map[string]string{"faas_nats_address": "nats.openfaas.svc.corp.local", "faas_gateway_address": "gateway.openfaas.svc.corp.local"}},
		{"without a volume", "persistence: {enabled: false}", map[string]string{"data_dir": "-"}},
		{"any other setting", "queueWorker: {env: {callback_policy: strict, max_inflight: '3'}}", map[string]string{"callback_policy": "strict", "max_inflight": "3"}},
		{"logs", "queueWorker: {logs: {format: json, debug: true}}", map[string]string{"log_encoding": "json", "debug": "true"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			env := render(t, withImage(tt.values)).env(t)
			for k, want := range tt.want {
				got, set := env[k]
				if (want == "-") == set || set && got != want {
					t.Errorf("%s is %q (set: %t), want %q", k, got, set, want)
				}
			}
		})
	}
}

// withImage adds the image, which has no default, to values in YAML.
func withImage(values string) string {
	if strings.Contains(values, "queueWorker: {") {
		return strings.Replace(values, "queueWorker: {", "queueWorker: {image: i, ", 1)
	}
	return values + "\n" + image
}

func TestPodIsRestricted(t *testing.T) {
	t.Parallel()
	checks, err := policy.NewEvaluator(policy.DefaultChecks())
	if err != nil {
		t.Fatal(err)
	}
	for _, values := range []string{image, withImage("basic_auth: false\npersistence: {enabled: false}")} {
		pod := render(t, values).deployment.Spec.Template
		for _, r := range checks.EvaluatePod(api.LevelVersion{Level: api.LevelRestricted, Version: api.LatestVersion()}, &pod.ObjectMeta, &pod.Spec) {
			if !r.Allowed {
				t.Errorf("%s: %s", r.ForbiddenReason, r.ForbiddenDetail)
			}
		}
		c := pod.Spec.Containers[0]
		if *pod.Spec.SecurityContext.RunAsUser != 65532 || !*c.SecurityContext.ReadOnlyRootFilesystem || *pod.Spec.AutomountServiceAccountToken {
			t.Errorf("the pod runs as %d, with root file system read-only: %t, with a token: %t",
				*pod.Spec.SecurityContext.RunAsUser, *c.SecurityContext.ReadOnlyRootFilesystem, *pod.Spec.AutomountServiceAccountToken)
		}
	}
}

func TestOneWorkerOwnsTheVolume(t *testing.T) {
	t.Parallel()
	r := render(t, image)
	d := r.deployment
	if d.Name != "queue-worker" || d.Namespace != "openfaas" || *d.Spec.Replicas != 1 || d.Spec.Strategy.Type != appsv1.RecreateDeploymentStrategyType {
		t.Errorf("deployment %s/%s with %d replicas, %s", d.Namespace, d.Name, *d.Spec.Replicas, d.Spec.Strategy.Type)
	}
	if *d.Spec.Template.Spec.TerminationGracePeriodSeconds != 35 {
		t.Errorf("grace period is %d s, want 10 more than the drain", *d.Spec.Template.Spec.TerminationGracePeriodSeconds)
	}
	if r.claim == nil || r.claim.Name != "queue-worker" || r.claim.Annotations["helm.sh/resource-policy"] != "keep" ||
		r.claim.Spec.StorageClassName != nil || r.claim.Spec.Resources.Requests.Storage().String() != "5Gi" {
		t.Errorf("claim is %+v", r.claim)
	}
	checkMounts(t, d.Spec.Template.Spec, map[string]string{"data": "/var/lib/queue-worker", "auth": "/var/secrets/gateway"})
	if got := d.Spec.Template.Spec.Volumes[0].PersistentVolumeClaim.ClaimName; got != r.claim.Name {
		t.Errorf("the pod mounts the claim %s", got)
	}
	if s := d.Spec.Template.Spec.Volumes[1].Secret; s.SecretName != "basic-auth" || !*s.Optional {
		t.Errorf("the credentials are %+v", s)
	}

	r = render(t, withImage("fullnameOverride: durable\npersistence: {existingClaim: mine}\nbasic_auth: false"))
	if r.claim != nil || r.deployment.Name != "durable" || r.service.Name != "durable" {
		t.Errorf("claim %v, deployment %s, service %s", r.claim, r.deployment.Name, r.service.Name)
	}
	checkMounts(t, r.deployment.Spec.Template.Spec, map[string]string{"data": "/var/lib/queue-worker"})
	if got := r.deployment.Spec.Template.Spec.Volumes[0].PersistentVolumeClaim.ClaimName; got != "mine" {
		t.Errorf("the pod mounts the claim %s", got)
	}
	r = render(t, withImage("persistence: {enabled: false}\nbasic_auth: false"))
	checkMounts(t, r.deployment.Spec.Template.Spec, map[string]string{})
	if r.claim != nil || !strings.Contains(r.notes, "dead set is gone") {
		t.Errorf("without a volume there is the claim %v, and the notes are %q", r.claim, r.notes)
	}
}

// checkMounts compares mounts with want (volume to path) and with the volumes.
func checkMounts(t *testing.T, pod corev1.PodSpec, want map[string]string) {
	t.Helper()
	got, volumes := map[string]string{}, map[string]bool{}
	for _, m := range pod.Containers[0].VolumeMounts {
		got[m.Name] = m.MountPath
	}
	for _, v := range pod.Volumes {
		volumes[v.Name] = true
		if got[v.Name] == "" {
			t.Errorf("volume %s is not mounted", v.Name)
		}
	}
	if d := cmp.Diff(want, got); d != "" || len(volumes) != len(got) {
		t.Errorf("mounts (-want +got):\n%s volumes %v", d, volumes)
	}
}

func TestProbesAndServiceReachTheWorker(t *testing.T) {
	t.Parallel()
	r := render(t, withImage("service: {port: 80}"))
	pod := r.deployment.Spec.Template
	c := pod.Spec.Containers[0]
	if len(c.Ports) != 1 || c.Ports[0].Name != "http" || c.Ports[0].ContainerPort != 8081 {
		t.Errorf("ports are %v", c.Ports)
	}
	for path, p := range map[string]*corev1.Probe{"/healthz": c.LivenessProbe, "/readyz": c.ReadinessProbe} {
		if p.HTTPGet.Path != path || p.HTTPGet.Port.StrVal != "http" {
			t.Errorf("probe of %s asks %s on %s", path, p.HTTPGet.Path, p.HTTPGet.Port.String())
		}
	}
	if c.StartupProbe.HTTPGet.Path != "/healthz" {
		t.Errorf("the startup probe asks %s", c.StartupProbe.HTTPGet.Path)
	}
	if p := r.service.Spec.Ports; len(p) != 1 || p[0].Port != 80 || p[0].TargetPort.StrVal != "http" {
		t.Errorf("the service has the ports %v", p)
	}
	for k, v := range r.service.Spec.Selector {
		if pod.Labels[k] != v || r.deployment.Spec.Selector.MatchLabels[k] != v {
			t.Errorf("%s: the service selects %s, the pod has %s, the deployment selects %s", k, v, pod.Labels[k], r.deployment.Spec.Selector.MatchLabels[k])
		}
	}
	if pod.Labels["app"] != "" {
		t.Error("the pod has the label app, by which the OpenFaaS chart selects its own worker")
	}
}

func TestValuesThatAreRefused(t *testing.T) {
	t.Parallel()
	tests := []struct{ name, values, want string }{
		{"no image", "", "queueWorker.image is not set"},
		{"a key that is not there", "queueWorkerPro: {maxRetries: 3}\n" + image, "maxRetries"},
		{"a duration without meaning", "queueWorkerPro: {maxRetryWait: soon}\n" + image, "maxRetryWait"},
		{"a negative count", "queueWorkerPro: {maxRetryAttempts: -1}\n" + image, "maxRetryAttempts"},
		{"an unknown backoff", "queueWorkerPro: {backoff: linear}\n" + image, "backoff"},
		{"a status that is none", "queueWorkerPro: {httpRetryCodes: '429,abc'}\n" + image, "httpRetryCodes"},
		{"an external NATS Streaming without host", "nats: {external: {enabled: true}}\n" + image, "host"},
		{"a setting that is no text", "queueWorker: {image: i, env: {max_inflight: 3}}", "max_inflight"},
		{"a size that is none", "persistence: {size: big}\n" + image, "size"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			_, err := files(t, tt.values)
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error is %v, want one about %q", err, tt.want)
			}
		})
	}
}

func TestEveryValueIsExplained(t *testing.T) {
	t.Parallel()
	var lines []string
	for _, f := range load(t).Raw {
		if f.Name == chartutil.ValuesfileName {
			lines = strings.Split(string(f.Data), "\n")
		}
	}
	resources := false // below this key the names are those of Kubernetes
	for i, line := range lines {
		key, value, _ := strings.Cut(strings.TrimSpace(line), ":")
		switch {
		case key == "" || strings.HasPrefix(key, "#"):
			resources = resources && key != ""
		case key == "resources":
			resources = true
		case value != "" && !resources && (i == 0 || !strings.HasPrefix(strings.TrimSpace(lines[i-1]), "#")):
			t.Errorf("values.yaml:%d: %s has no comment", i+1, key)
		}
	}
}
