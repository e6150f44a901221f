// Package chart renders the Helm chart as Helm does and checks what comes out:
// that Kubernetes would take it, field by field, that the worker would get the
// settings that the values name, and that the alerts and the dashboard ask for
// metrics which there are.
package chart

// Rendering: from values to typed objects.

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	monitoringv1 "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	"helm.sh/helm/v3/pkg/chart"
	"helm.sh/helm/v3/pkg/chart/loader"
	"helm.sh/helm/v3/pkg/chartutil"
	"helm.sh/helm/v3/pkg/engine"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/json"
	"sigs.k8s.io/yaml"
)

// kinds makes an empty object of every kind that the chart may render.
var kinds = map[string]func() metav1.Object{
	"apps/v1 Deployment":                      func() metav1.Object { return &appsv1.Deployment{} },
	"v1 Service":                              func() metav1.Object { return &corev1.Service{} },
	"v1 ConfigMap":                            func() metav1.Object { return &corev1.ConfigMap{} },
	"v1 PersistentVolumeClaim":                func() metav1.Object { return &corev1.PersistentVolumeClaim{} },
	"networking.k8s.io/v1 NetworkPolicy":      func() metav1.Object { return &networkingv1.NetworkPolicy{} },
	"policy/v1 PodDisruptionBudget":           func() metav1.Object { return &policyv1.PodDisruptionBudget{} },
	"monitoring.coreos.com/v1 ServiceMonitor": func() metav1.Object { return &monitoringv1.ServiceMonitor{} },
	"monitoring.coreos.com/v1 PrometheusRule": func() metav1.Object { return &monitoringv1.PrometheusRule{} },
	"keda.sh/v1alpha1 ScaledObject":           func() metav1.Object { return &scaledObject{} },
}

// scaledObject is what of KEDA's type the chart uses. KEDA's own module brings
// its whole operator with it.
type scaledObject struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata"`
	Spec              struct {
		ScaleTargetRef struct {
			Name string `json:"name"`
		} `json:"scaleTargetRef"`
		MinReplicaCount int32 `json:"minReplicaCount"`
		MaxReplicaCount int32 `json:"maxReplicaCount"`
		Triggers        []struct {
			Type     string            `json:"type"`
			Metadata map[string]string `json:"metadata"`
		} `json:"triggers"`
	} `json:"spec"`
}

// rendered are the objects of one rendering, the notes, and everything as text.
type rendered struct {
	objects []metav1.Object
	notes   string
	text    string
}

func load(t *testing.T) *chart.Chart {
	t.Helper()
	c, err := loader.Load("../queue-worker")
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// values merges values written in YAML with the chart's, after its schema.
func values(t *testing.T, c *chart.Chart, text string) (chartutil.Values, error) {
	t.Helper()
	v, err := chartutil.ReadValues([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	release := chartutil.ReleaseOptions{Name: "qw", Namespace: "openfaas", IsInstall: true}
	return chartutil.ToRenderValues(c, v, release, nil)
}

// files renders the chart with values written in YAML, without a cluster.
func files(t *testing.T, text string) (map[string]string, error) {
	t.Helper()
	c := load(t)
	all, err := values(t, c, text)
	if err != nil {
		return nil, err
	}
	return engine.Render(c, all)
}

// render renders and decodes. Fields that Kubernetes does not know are errors,
// and so are kinds that no test knows.
func render(t *testing.T, text string) rendered {
	t.Helper()
	out, err := files(t, text)
	if err != nil {
		t.Fatal(err)
	}
	return parse(t, out)
}

var separator = regexp.MustCompile(`(?m)^---\s*$`)

func parse(t *testing.T, out map[string]string) rendered {
	t.Helper()
	var r rendered
	for _, name := range sortedKeys(out) {
		if strings.HasSuffix(name, "NOTES.txt") {
			r.notes = out[name]
			continue
		}
		for _, doc := range separator.Split(out[name], -1) {
			if strings.TrimSpace(doc) != "" {
				r.objects = append(r.objects, decode(t, doc))
				r.text += "---\n# " + strings.TrimPrefix(name, "queue-worker/") + "\n" + strings.TrimSpace(doc) + "\n"
			}
		}
	}
	return r
}

func decode(t *testing.T, doc string) metav1.Object {
	t.Helper()
	var kind metav1.TypeMeta
	if err := yaml.Unmarshal([]byte(doc), &kind); err != nil {
		t.Fatalf("error %v, want nil, in\n%s", err, doc)
	}
	make, known := kinds[kind.APIVersion+" "+kind.Kind]
	if !known {
		t.Fatalf("no test knows %s %s: known = false, want true", kind.APIVersion, kind.Kind)
	}
	v := make()
	strictly(t, doc, v)
	return v
}

// strictly decodes as the API server does when it is asked to be strict: names
// count letter by letter, and unknown or double ones are errors.
func strictly(t *testing.T, doc string, v any) {
	t.Helper()
	text, err := yaml.YAMLToJSONStrict([]byte(doc))
	if err != nil {
		t.Fatalf("error %v, want nil, in\n%s", err, doc)
	}
	unknown, err := json.UnmarshalStrict(text, v)
	switch {
	case err != nil:
		t.Fatalf("%v %v: err = %v, want nil, in\n%s", err, unknown, err, doc)
	case len(unknown) > 0:
		t.Fatalf("unknown keys: %v %v, want len 0, in\n%s", err, unknown, doc)
	}
}

// all are the objects of one kind.
func all[T metav1.Object](r rendered) []T {
	var found []T
	for _, o := range r.objects {
		if v, is := o.(T); is {
			found = append(found, v)
		}
	}
	return found
}

// the returns the one object of a kind with a name, or in a namespace, "ns/name".
func the[T metav1.Object](t *testing.T, r rendered, name string) T {
	t.Helper()
	var found []T
	for _, o := range all[T](r) {
		if o.GetName() == name || o.GetNamespace()+"/"+o.GetName() == name {
			found = append(found, o)
		}
	}
	if len(found) != 1 {
		t.Fatalf("%d objects %T named %s, want 1", len(found), *new(T), name)
	}
	return found[0]
}

func (r rendered) deployment(t *testing.T) *appsv1.Deployment {
	t.Helper()
	d := all[*appsv1.Deployment](r)
	if len(d) != 1 {
		t.Fatalf("%d deployments, want 1", len(d))
	}
	return d[0]
}

func (r rendered) pod(t *testing.T) corev1.PodTemplateSpec {
	t.Helper()
	return r.deployment(t).Spec.Template
}

// env is the worker's environment; a name that comes twice fails.
func (r rendered) env(t *testing.T) map[string]string {
	t.Helper()
	env := map[string]string{}
	for _, e := range r.pod(t).Spec.Containers[0].Env {
		if _, twice := env[e.Name]; twice {
			t.Errorf("%s is set twice: twice = true, want false", e.Name)
		}
		env[e.Name] = e.Value
	}
	return env
}

// names lists the objects as "Kind namespace/name".
func (r rendered) names() []string {
	var names []string
	for _, o := range r.objects {
		kind := strings.TrimPrefix(fmt.Sprintf("%T", o), "*")
		names = append(names, kind[strings.LastIndex(kind, ".")+1:]+" "+o.GetNamespace()+"/"+o.GetName())
	}
	slices.Sort(names)
	return names
}

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}
