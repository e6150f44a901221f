package chart

// The pod, its volume and its services.

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/pod-security-admission/api"
	"k8s.io/pod-security-admission/policy"
)

func TestThePodIsRestricted(t *testing.T) {
	t.Parallel()
	checks, err := policy.NewEvaluator(policy.DefaultChecks())
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range valueFiles(t, "values") {
		pod := render(t, text).pod(t)
		for _, r := range checks.EvaluatePod(api.LevelVersion{Level: api.LevelRestricted, Version: api.LatestVersion()}, &pod.ObjectMeta, &pod.Spec) {
			if !r.Allowed {
				t.Errorf("%s: %s: %s: r.Allowed = false, want true", name, r.ForbiddenReason, r.ForbiddenDetail)
			}
		}
		c := pod.Spec.Containers[0]
		if *pod.Spec.SecurityContext.RunAsUser != 65532 || !*c.SecurityContext.ReadOnlyRootFilesystem || *pod.Spec.AutomountServiceAccountToken {
			t.Errorf("%s: the pod runs as %d, with root file system read-only: %t, with a token: %t", name,
				*pod.Spec.SecurityContext.RunAsUser, *c.SecurityContext.ReadOnlyRootFilesystem, *pod.Spec.AutomountServiceAccountToken)
		}
		if pod.Labels["app"] != "" {
			t.Errorf("%s: the pod has the label app, by which the OpenFaaS chart selects its own worker: pod.Labels[\"app\"] = %q, want \"\"", name, pod.Labels["app"])
		}
	}
}

func TestOneWorkerOwnsTheVolume(t *testing.T) {
	t.Parallel()
	r := render(t, "{}")
	d, claim := r.deployment(t), the[*corev1.PersistentVolumeClaim](t, r, "queue-worker")
	switch {
	case d.Name != "queue-worker":
		t.Errorf("deployment %s with %d replicas, %s: d.Name = %q, want \"queue-worker\"", d.Name, *d.Spec.Replicas, d.Spec.Strategy.Type, d.Name)
	case *d.Spec.Replicas != 1:
		t.Errorf("deployment %s with %d replicas, %s: *d.Spec.Replicas = %d, want 1", d.Name, *d.Spec.Replicas, d.Spec.Strategy.Type, *d.Spec.Replicas)
	case d.Spec.Strategy.Type != appsv1.RecreateDeploymentStrategyType:
		t.Errorf("%s, want %q", d.Spec.Strategy.Type, appsv1.RecreateDeploymentStrategyType)
	}
	switch {
	case claim.Annotations["helm.sh/resource-policy"] != "keep":
		t.Errorf(`claim is %+v, want claim.Annotations["helm.sh/resource-policy"] "keep"`, claim)
	case claim.Spec.StorageClassName != nil:
		t.Errorf("claim is %+v, want StorageClassName nil", claim)
	case claim.Spec.Resources.Requests.Storage().String() != "5Gi":
		t.Errorf(`claim is %+v, want storage "5Gi"`, claim)
	}
	checkMounts(t, r, map[string]string{"data": "/var/lib/queue-worker", "auth": "/var/secrets/gateway"})
	if got := d.Spec.Template.Spec.Volumes[0].PersistentVolumeClaim.ClaimName; got != claim.Name {
		t.Errorf("the pod mounts the claim %s, want %q", got, claim.Name)
	}
	switch s := d.Spec.Template.Spec.Volumes[1].Secret; {
	case s.SecretName != "basic-auth":
		t.Errorf("the credentials are %+v, want SecretName \"basic-auth\"", s)
	case !*s.Optional:
		t.Errorf("the credentials are %+v: *s.Optional = false, want true", s)
	}
	if got := *d.Spec.Template.Spec.TerminationGracePeriodSeconds; got != 35 {
		t.Errorf("grace period is %d s, want 10 more than the drain", got)
	}
}

func TestAClaimOfOnesOwnIsMounted(t *testing.T) {
	t.Parallel()
	r := render(t, "fullnameOverride: durable\npersistence: {existingClaim: mine}\nbasic_auth: false")
	checkMounts(t, r, map[string]string{"data": "/var/lib/queue-worker"})
	switch n := len(all[*corev1.PersistentVolumeClaim](r)); {
	case n != 0:
		t.Errorf("%d claims are made, want 0", n)
	case r.deployment(t).Name != "durable":
		t.Errorf("for the deployment %s, want \"durable\"", r.deployment(t).Name)
	}
	if got := r.pod(t).Spec.Volumes[0].PersistentVolumeClaim.ClaimName; got != "mine" {
		t.Errorf("the pod mounts the claim %s, want \"mine\"", got)
	}
}

func TestWithoutAVolumeNothingIsMountedAndTheNotesSayIt(t *testing.T) {
	t.Parallel()
	r := render(t, "persistence: {enabled: false}\nbasic_auth: false")
	checkMounts(t, r, map[string]string{})
	switch n := len(all[*corev1.PersistentVolumeClaim](r)); {
	case n != 0:
		t.Errorf("%d claims; notes, want 0\n%s", n, r.notes)
	case !strings.Contains(r.notes, "dead set is lost"):
		t.Errorf("%d claims; notes, want \"dead set is lost\" in it\n%s", n, r.notes)
	}
	if got := render(t, "persistence: {enabled: false}\nstanEmbedded: true").deployment(t).Spec.Strategy.Type; got != appsv1.RecreateDeploymentStrategyType {
		t.Errorf("two embedded servers would run during a rollout: the strategy is %s, want %q", got, appsv1.RecreateDeploymentStrategyType)
	}
}

func TestSeveralWorkersShareTheQueueWithoutAVolume(t *testing.T) {
	t.Parallel()
	for _, values := range []string{"queueWorker: {replicas: 3}", "queueWorker: {replicas: '3'}", "keda: {enabled: true}"} {
		r := render(t, values)
		d := r.deployment(t)
		switch {
		case len(all[*corev1.PersistentVolumeClaim](r)) != 0:
			t.Errorf("%s: claim, data_dir %q, strategy %s, want 0", values, r.env(t)["data_dir"], d.Spec.Strategy.Type)
		case r.env(t)["data_dir"] != "":
			t.Errorf(`%s: claim, data_dir %q, strategy %s, want r.env(t)["data_dir"] empty`, values, r.env(t)["data_dir"], d.Spec.Strategy.Type)
		case d.Spec.Strategy.Type != appsv1.RollingUpdateDeploymentStrategyType:
			t.Errorf("%s: claim, data_dir %q, strategy %s, want type %v", values, r.env(t)["data_dir"], d.Spec.Strategy.Type, appsv1.RollingUpdateDeploymentStrategyType)
		}
		if len(d.Spec.Template.Spec.TopologySpreadConstraints) != 1 {
			t.Errorf("%s: nothing spreads the pods: got %v, want 1 TopologySpreadConstraint", values, len(d.Spec.Template.Spec.TopologySpreadConstraints))
		}
		if !strings.Contains(r.notes, "Several workers share the queue, and none has a volume") {
			t.Errorf("%s: the notes do not say what that means, want \"Several workers share the queue, and none has a volume\" in it\n%s", values, r.notes)
		}
		if r.service(t, "queue-worker").Spec.PublishNotReadyAddresses {
			t.Errorf("%s: requests to the API are sent to a worker that drains: r.service(t, \"queue-worker\").Spec.PublishNotReadyAddresses = true, want false", values)
		}
		switch scaled := strings.Contains(values, "keda"); {
		case scaled != (d.Spec.Replicas == nil):
			t.Errorf("%s: replicas are %v beside KEDA, want scaled %v", values, d.Spec.Replicas, d.Spec.Replicas == nil)
		case scaled != (len(all[*scaledObject](r)) == 1):
			t.Errorf("%s: replicas are %v beside KEDA: got scaled %v, want %v", values, d.Spec.Replicas, scaled, len(all[*scaledObject](r)) == 1)
		}
	}
}

func (r rendered) service(t *testing.T, name string) *corev1.Service {
	t.Helper()
	return the[*corev1.Service](t, r, name)
}

// checkMounts compares mounts with want (volume to path) and with the volumes.
func checkMounts(t *testing.T, r rendered, want map[string]string) {
	t.Helper()
	pod := r.pod(t).Spec
	got, volumes := map[string]string{}, map[string]bool{}
	for _, m := range pod.Containers[0].VolumeMounts {
		got[m.Name] = m.MountPath
	}
	for _, v := range pod.Volumes {
		volumes[v.Name] = true
		if got[v.Name] == "" {
			t.Errorf("volume %s is not mounted: got[v.Name] = %q, want not \"\"", v.Name, got[v.Name])
		}
	}
	if d := cmp.Diff(want, got); d != "" || len(volumes) != len(got) {
		t.Errorf("mounts (-want +got):\n%s volumes %v", d, volumes)
	}
}

func TestProbesAreApart(t *testing.T) {
	t.Parallel()
	c := render(t, "{}").pod(t).Spec.Containers[0]
	for want, p := range map[string]*corev1.Probe{"startup /healthz": c.StartupProbe, "liveness /healthz": c.LivenessProbe, "readiness /readyz": c.ReadinessProbe} {
		_, path, _ := strings.Cut(want, " ")
		switch {
		case p.HTTPGet.Path != path:
			t.Errorf("%s: asks %s on %s: p.HTTPGet.Path = %q, want %q", want, p.HTTPGet.Path, p.HTTPGet.Port.String(), p.HTTPGet.Path, path)
		case p.HTTPGet.Port.StrVal != "http":
			t.Errorf("%s: asks %s on %s: p.HTTPGet.Port.StrVal = %q, want \"http\"", want, p.HTTPGet.Path, p.HTTPGet.Port.String(), p.HTTPGet.Port.StrVal)
		}
	}
	switch {
	case len(c.Ports) != 1:
		t.Errorf("ports are %v, want len 1", c.Ports)
	case c.Ports[0].Name != "http":
		t.Errorf("ports are %v, want [0].Name \"http\"", c.Ports)
	case c.Ports[0].ContainerPort != 8081:
		t.Errorf("ports are %v, want [0].ContainerPort 8081", c.Ports)
	}
}

func TestServicesReachTheWorker(t *testing.T) {
	t.Parallel()
	r := render(t, "service: {port: '80'}\nstanEmbedded: true\nmailbox: {inFunctionNamespace: true}")
	ports := map[string]int32{}
	for _, p := range r.pod(t).Spec.Containers[0].Ports {
		ports[p.Name] = p.ContainerPort
	}
	for name, want := range map[string]struct{ port, target int32 }{"queue-worker": {80, 8081}, "openfaas/mailbox": {8080, 8081}, "nats": {4222, 4222}} {
		s := r.service(t, name)
		p := s.Spec.Ports[0]
		switch {
		case len(s.Spec.Ports) != 1:
			t.Errorf("%s has the ports %v, want len 1", name, s.Spec.Ports)
		case p.Port != want.port:
			t.Errorf("%s has the ports %v: p.Port = %d, want %d", name, s.Spec.Ports, p.Port, want.port)
		case ports[p.TargetPort.StrVal] != want.target:
			t.Errorf("%s has the ports %v: ports[p.TargetPort.StrVal] = %d, want %d", name, s.Spec.Ports, ports[p.TargetPort.StrVal], want.target)
		}
		if d := cmp.Diff(r.deployment(t).Spec.Selector.MatchLabels, s.Spec.Selector); d != "" {
			t.Errorf("%s selects other pods than the deployment:\n%s, want empty", name, d)
		}
	}
	switch {
	case r.service(t, "nats").Spec.PublishNotReadyAddresses:
		t.Error("the embedded server is reached while not ready, or the API is not: r.service(t, \"nats\").Spec.PublishNotReadyAddresses = true, want false")
	case !r.service(t, "queue-worker").Spec.PublishNotReadyAddresses:
		t.Error("the embedded server is reached while not ready, or the API is not: r.service(t, \"queue-worker\").Spec.PublishNotReadyAddresses = false, want true")
	}
	switch s := r.service(t, "openfaas-fn/mailbox"); {
	case s.Spec.Type != corev1.ServiceTypeExternalName:
		t.Errorf("mailbox in the functions' namespace is %+v, want Type %q", s.Spec, corev1.ServiceTypeExternalName)
	case s.Spec.ExternalName != "mailbox.openfaas.svc.cluster.local":
		t.Errorf("mailbox in the functions' namespace is %+v, want ExternalName \"mailbox.openfaas.svc.cluster.local\"", s.Spec)
	}
}

// TestSecretsOfTheConnectionsAreMounted holds the settings, the mounts and the Secrets together.
func TestSecretsOfTheConnectionsAreMounted(t *testing.T) {
	t.Parallel()
	for values, want := range map[string]map[string]string{ // volume: Secret
		"{stanEmbedded: true, stanCredentialsSecret: nc}":                                                   {"nats": "nc"},
		"{stanEmbedded: true, stanCredentialsSecret: nc, basic_auth: false, persistence: {enabled: false}}": {"nats": "nc"},
		"{stanEmbedded: true}":        {},
		"{stanCredentialsSecret: nc}": {"nats": "nc"},
		"{stanCredentialsSecret: nc, stanTLS: {secret: nt, clientCertificate: true}}": {"nats": "nc", "nats-tls": "nt"},
		"{stanTLS: {secret: nt}, basic_auth: false, persistence: {enabled: false}}":   {"nats-tls": "nt"},
		"{caSecret: ca}": {"ca": "ca"},
	} {
		pod := render(t, values).pod(t)
		got := map[string]string{}
		for _, m := range pod.Spec.Containers[0].VolumeMounts {
			for _, v := range pod.Spec.Volumes {
				if v.Name == m.Name && v.Secret != nil && m.Name != "auth" && m.ReadOnly && m.MountPath == "/var/secrets/"+m.Name {
					got[m.Name] = v.Secret.SecretName
				}
			}
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("%s: (-want +got)\n%s", values, d)
		}
	}
	if got := render(t, "caSecret: ca").env(t)["SSL_CERT_DIR"]; got != "/var/secrets/ca" {
		t.Errorf("got SSL_CERT_DIR %q, want the folder of the Secret", got)
	}
}

func TestTheReadOnlyAccountIsMountedBesideBasicAuth(t *testing.T) {
	t.Parallel()
	var got []string
	for _, v := range render(t, "readAuthSecret: readers").pod(t).Spec.Volumes {
		if v.Name != "auth" || v.Projected == nil {
			continue
		}
		for _, source := range v.Projected.Sources {
			got = append(got, source.Secret.Name)
			for _, item := range source.Secret.Items {
				got = append(got, item.Key+" as "+item.Path)
			}
		}
	}
	want := []string{"basic-auth", "readers", "basic-auth-read-user as basic-auth-read-user", "basic-auth-read-password as basic-auth-read-password"}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("sources of the folder (-want +got):\n%s", d)
	}
}
