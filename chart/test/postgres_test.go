package chart

// The store on PostgreSQL: what the pods share, and what they need no more.

import (
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
)

func TestWorkersShareADatabase(t *testing.T) {
	t.Parallel()
	for _, values := range []string{
		"postgres: {existingSecret: db, key: url}\nbasic_auth: false",
		"postgres: {existingSecret: db, key: url}\nbasic_auth: false\nqueueWorker: {replicas: 3}",
	} {
		r := render(t, values)
		d := r.deployment(t)
		if got := d.Spec.Strategy.Type; got != appsv1.RollingUpdateDeploymentStrategyType {
			t.Errorf("%s: strategy: got %s, want RollingUpdate", values, got)
		}
		if got := len(all[*corev1.PersistentVolumeClaim](r)); got != 0 {
			t.Errorf("%s: claims: got %d, want none", values, got)
		}
		checkMounts(t, r, map[string]string{"postgres": "/var/secrets/postgres"})
		s := d.Spec.Template.Spec.Volumes[0].Secret
		if s.SecretName != "db" || s.Items[0] != (corev1.KeyToPath{Key: "url", Path: "url"}) {
			t.Errorf("%s: secret: got %+v, want the key url of db", values, s)
		}
		env := r.env(t)
		if env["store_url_file"] != "/var/secrets/postgres/url" {
			t.Errorf("%s: store_url_file: got %q, want the mounted file", values, env["store_url_file"])
		}
		if env["data_dir"] != "" || env["store_url"] != "" {
			t.Errorf("%s: got data_dir %q and store_url %q, want neither", values, env["data_dir"], env["store_url"])
		}
	}
}

func TestSeveralWorkersWithPostgresAreSpread(t *testing.T) {
	t.Parallel()
	d := render(t, "postgres: {existingSecret: db}\nqueueWorker: {replicas: 3}").deployment(t)
	if got := len(d.Spec.Template.Spec.TopologySpreadConstraints); got != 1 {
		t.Errorf("topology spread constraints: got %d, want 1", got)
	}
	if got := *d.Spec.Replicas; got != 3 {
		t.Errorf("replicas: got %d, want 3", got)
	}
}

func TestKEDACountsASharedStoreOnce(t *testing.T) {
	t.Parallel()
	query := func(values string) string {
		return the[*scaledObject](t, render(t, values), "queue-worker").Spec.Triggers[0].Metadata["query"]
	}
	const inflight = " + sum(queue_worker_function_invocation_inflight)"
	if got, want := query("postgres: {existingSecret: db}\nkeda: {enabled: true}"), "sum(max by (queue_name, function_name) (queue_worker_ready))"+inflight; got != want {
		t.Errorf("with a shared store: got %s, want %s", got, want)
	}
	if got, want := query("keda: {enabled: true}"), "sum(queue_worker_ready)"+inflight; got != want {
		t.Errorf("with a store in each worker: got %s, want %s", got, want)
	}
}

func TestTheCAOfPostgresIsChecked(t *testing.T) {
	t.Parallel()
	r := render(t, "postgres: {url: 'postgres://qw@h/queue', caSecret: ca}\nbasic_auth: false")
	checkMounts(t, r, map[string]string{"postgres-ca": "/var/secrets/postgres-ca"})
	env := r.env(t)
	for name, want := range map[string]string{"store_url": "postgres://qw@h/queue", "PGSSLMODE": "verify-full", "PGSSLROOTCERT": "/var/secrets/postgres-ca/ca.crt"} {
		if env[name] != want {
			t.Errorf("%s: got %q, want %q", name, env[name], want)
		}
	}
}

func TestPostgresTakesNothingOfTheDeadSetInMemory(t *testing.T) {
	t.Parallel()
	limit := func(values string) string {
		return render(t, values).pod(t).Spec.Containers[0].Resources.Limits.Memory().String()
	}
	if got, want := limit("postgres: {existingSecret: db}"), limit("{}"); got != want {
		t.Errorf("memory limit: got %s, want %s as with a volume", got, want)
	}
}
