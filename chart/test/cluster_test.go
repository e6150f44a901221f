package chart

// In a cluster where something is already: names that are taken, and work that
// would be left behind.

import (
	"strings"
	"testing"

	"helm.sh/helm/v3/pkg/engine"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/dynamic/fake"
)

// cluster is what helm's lookup sees.
type cluster struct{ client dynamic.Interface }

var resources = map[string]schema.GroupVersionResource{
	"Deployment":            {Group: "apps", Version: "v1", Resource: "deployments"},
	"Service":               {Version: "v1", Resource: "services"},
	"PersistentVolumeClaim": {Version: "v1", Resource: "persistentvolumeclaims"},
}

// GetClientFor implements engine.ClientProvider.
func (c cluster) GetClientFor(_, kind string) (dynamic.NamespaceableResourceInterface, bool, error) {
	return c.client.Resource(resources[kind]), true, nil
}

// object is written "Kind namespace/name of release"; no release: made by hand.
func object(text string) runtime.Object {
	f := strings.Fields(text)
	namespace, name, _ := strings.Cut(f[1], "/")
	gvr := resources[f[0]]
	meta := map[string]any{"name": name, "namespace": namespace}
	if len(f) == 4 {
		meta["annotations"] = map[string]any{"meta.helm.sh/release-name": f[3], "meta.helm.sh/release-namespace": namespace}
	}
	return &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": gvr.GroupVersion().String(), "kind": f[0], "metadata": meta,
	}}
}

// install renders as helm install does, with lookup.
func install(t *testing.T, text string, there ...string) error {
	t.Helper()
	var objects []runtime.Object
	for _, o := range there {
		objects = append(objects, object(o))
	}
	c := load(t)
	v, err := values(t, c, text)
	if err != nil {
		t.Fatal(err)
	}
	_, err = engine.RenderWithClientProvider(c, v, cluster{fake.NewSimpleDynamicClient(runtime.NewScheme(), objects...)})
	return err
}

func TestWhatIsThereAlready(t *testing.T) {
	t.Parallel()
	tests := []struct{ name, values, there, want string }{
		{"nothing", "{}", "", ""},
		{"our own release, an upgrade", "stanEmbedded: true", "Deployment openfaas/queue-worker of qw\nService openfaas/queue-worker of qw\nService openfaas/nats of qw\nService openfaas/mailbox of qw\nPersistentVolumeClaim openfaas/queue-worker of qw", ""},
		{"OpenFaaS's worker", "{}", "Deployment openfaas/queue-worker of openfaas",
			"Deployment queue-worker is in the namespace openfaas already and belongs to the release openfaas.\nInstall this release into a namespace of its own: -n queue-worker --create-namespace --set openfaasNamespace=openfaas"},
		{"OpenFaaS's worker, and another name is chosen", "fullnameOverride: mine", "Deployment openfaas/queue-worker of openfaas", ""},
		{"a worker made by hand", "{}", "Deployment openfaas/queue-worker", "belongs to no release of Helm"},
		{"a worker in another namespace", "{}", "Deployment faas/queue-worker of openfaas", ""},
		{"a Service of that name", "{}", "Service openfaas/queue-worker of x", "Service queue-worker is in the namespace openfaas already"},
		{"OpenFaaS's NATS Streaming, and an embedded server", "stanEmbedded: true", "Service openfaas/nats of openfaas",
			"--set async=false,nats.external.enabled=true,nats.external.host=nats.openfaas.svc.cluster.local"},
		{"OpenFaaS's NATS Streaming, which is what we read", "{}", "Service openfaas/nats of openfaas", ""},
		{"a mailbox", "{}", "Service openfaas/mailbox of old", "set mailbox.enabled=false"},
		{"a mailbox that is not wanted", "mailbox: {enabled: false}", "Service openfaas/mailbox of old", ""},
		{"the claim of a release that is gone", "{}", "PersistentVolumeClaim openfaas/queue-worker of old", "--set persistence.existingClaim=queue-worker"},
		{"that claim is taken over", "persistence: {existingClaim: queue-worker}", "PersistentVolumeClaim openfaas/queue-worker of old", ""},
		{"several workers would leave the work of one behind", "queueWorker: {replicas: 2}", "PersistentVolumeClaim openfaas/queue-worker of qw", "may hold accepted work"},
		{"postgres would leave the work on a volume behind", "postgres: {existingSecret: db}", "PersistentVolumeClaim openfaas/queue-worker of qw", "Copy it with `queue-worker store copy`"},
		{"postgres, after a copy", "postgres: {existingSecret: db}\npersistence: {enabled: false}", "PersistentVolumeClaim openfaas/queue-worker of qw", ""},
		{"several workers, knowingly", "queueWorker: {replicas: 2}\npersistence: {enabled: false}", "PersistentVolumeClaim openfaas/queue-worker of qw", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var there []string
			if tt.there != "" {
				there = strings.Split(tt.there, "\n")
			}
			err := install(t, tt.values, there...)
			if tt.want == "" && err != nil || tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)) {
				t.Errorf("error is %v, want one with %q", err, tt.want)
			}
		})
	}
}
