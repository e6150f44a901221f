package chart

// The alerts, by promtool's unit tests in testdata/alerts.yaml. promtool itself
// is a main package that brings every cloud's service discovery with it, so its
// file is carried out here, by the parts that it is made of.

import (
	"context"
	"fmt"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	monitoringv1 "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql/promqltest"
	"github.com/prometheus/prometheus/rules"
)

// ruleTests is promtool's file, as far as it is used.
type ruleTests struct {
	RuleFiles          []string `json:"rule_files"`
	EvaluationInterval string   `json:"evaluation_interval"`
	Tests              []struct {
		Name        string `json:"name"`
		Interval    string `json:"interval"`
		InputSeries []struct {
			Series string `json:"series"`
			Values string `json:"values"`
		} `json:"input_series"`
		AlertRuleTest []struct {
			EvalTime  string  `json:"eval_time"`
			Alertname string  `json:"alertname"`
			ExpAlerts []alert `json:"exp_alerts"`
		} `json:"alert_rule_test"`
	} `json:"tests"`
}

type alert struct {
	Labels      map[string]string `json:"exp_labels"`
	Annotations map[string]string `json:"exp_annotations"`
}

func duration(t *testing.T, s string) time.Duration {
	t.Helper()
	d, err := model.ParseDuration(s)
	if err != nil {
		t.Fatal(err)
	}
	return time.Duration(d)
}

func readRuleTests(t *testing.T) ruleTests {
	t.Helper()
	var f ruleTests
	strictly(t, read(t, "testdata/alerts.yaml"), &f)
	return f
}

func TestAlerts(t *testing.T) {
	t.Parallel()
	f := readRuleTests(t)
	step := duration(t, f.EvaluationInterval)
	for _, tt := range f.Tests {
		t.Run(tt.Name, func(t *testing.T) {
			t.Parallel()
			load := "load " + tt.Interval + "\n"
			for _, s := range tt.InputSeries {
				load += "  " + s.Series + " " + s.Values + "\n"
			}
			e := newEvaluation(t, load, f.RuleFiles)
			for _, a := range tt.AlertRuleTest {
				got := e.at(t, duration(t, a.EvalTime), step, a.Alertname)
				if d := cmp.Diff(a.ExpAlerts, got); d != "" {
					t.Errorf("%s at %s (-want +got):\n%s", a.Alertname, a.EvalTime, d)
				}
			}
		})
	}
}

// evaluation evaluates the rules over made-up samples.
type evaluation struct {
	samples *promqltest.LazyLoader
	groups  map[string]*rules.Group
	next    time.Duration // the evaluation that has not been made yet
}

func newEvaluation(t *testing.T, load string, files []string) *evaluation {
	t.Helper()
	samples, err := promqltest.NewLazyLoader(load, promqltest.LazyLoaderOpts{EnableAtModifier: true, EnableNegativeOffset: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = samples.Close() })
	m := rules.NewManager(&rules.ManagerOptions{
		QueryFunc:  rules.EngineQueryFunc(samples.QueryEngine(), samples.Storage()),
		Appendable: samples.Storage(), Queryable: samples.Storage(), Context: context.Background(),
		NotifyFunc: func(context.Context, string, ...*rules.Alert) {}, Logger: slog.New(slog.DiscardHandler),
	})
	var paths []string
	for _, f := range files {
		paths = append(paths, filepath.Join("testdata", f))
	}
	groups, errs := m.LoadGroups(time.Minute, labels.EmptyLabels(), "", nil, false, paths...)
	if errs != nil {
		t.Fatal(errs)
	}
	for _, g := range groups {
		for _, r := range g.Rules() {
			if a, is := r.(*rules.AlertingRule); is {
				a.SetRestored(true)
			}
		}
	}
	return &evaluation{samples: samples, groups: groups}
}

// at evaluates up to a time and returns what of one alert fires then. Times have
// to come in order.
func (e *evaluation) at(t *testing.T, when, step time.Duration, name string) []alert {
	t.Helper()
	for ; e.next <= when; e.next += step {
		ts := time.Unix(0, 0).UTC().Add(e.next)
		e.samples.WithSamplesTill(ts, func(err error) {
			if err != nil {
				t.Fatal(err)
			}
			for _, g := range e.groups {
				g.Eval(e.samples.Context(), ts)
			}
		})
	}
	var firing []alert
	for _, g := range e.groups {
		for _, r := range g.Rules() {
			if err := r.LastError(); err != nil {
				t.Fatalf("%s: %v, want nil", r.Name(), err)
			}
			a, is := r.(*rules.AlertingRule)
			if !is || a.Name() != name {
				continue
			}
			for _, active := range a.ActiveAlerts() {
				if active.State == rules.StateFiring {
					set := active.Labels.Map()
					delete(set, "alertname")
					firing = append(firing, alert{set, active.Annotations.Map()})
				}
			}
		}
	}
	slices.SortFunc(firing, func(a, b alert) int { return strings.Compare(fmt.Sprint(a.Labels), fmt.Sprint(b.Labels)) })
	return firing
}

// ruleFile is the rules as Prometheus reads them.
func ruleFile(t *testing.T) monitoringv1.PrometheusRuleSpec {
	t.Helper()
	var spec monitoringv1.PrometheusRuleSpec
	strictly(t, read(t, "../queue-worker/files/alerts.yaml"), &spec)
	return spec
}

func TestEveryAlertIsTestedAndHasARunbook(t *testing.T) {
	t.Parallel()
	fires, silent := map[string]bool{}, map[string]bool{}
	for _, tt := range readRuleTests(t).Tests {
		for _, a := range tt.AlertRuleTest {
			if len(a.ExpAlerts) > 0 {
				fires[a.Alertname] = true
			} else {
				silent[a.Alertname] = true
			}
		}
	}
	runbook := read(t, "../../docs/runbook.md")
	for _, g := range ruleFile(t).Groups {
		for _, r := range g.Rules {
			switch {
			case !fires[r.Alert]:
				t.Errorf("%s: got no test in which it fires, want one", r.Alert)
			case !silent[r.Alert]:
				t.Errorf("%s: got no test in which it stays silent, want one", r.Alert)
			}
			switch {
			case !strings.Contains(runbook, "\n## "+r.Alert+"\n"):
				t.Errorf("%s has no section in docs/runbook.md, or does not name it: %s, want %q in it", r.Alert, r.Annotations["runbook_url"], "\n## "+r.Alert+"\n")
			case r.Annotations["runbook_url"] != "docs/runbook.md#"+strings.ToLower(r.Alert):
				t.Errorf("%s has no section in docs/runbook.md, or does not name it: %s, want %q", r.Alert, r.Annotations["runbook_url"], "docs/runbook.md#"+strings.ToLower(r.Alert))
			}
			if s := r.Labels["severity"]; s != "warning" && s != "critical" {
				t.Errorf(`%s has the severity %q, want "warning" or "critical"`, r.Alert, s)
			}
		}
	}
}

func TestTheChartCarriesTheAlertsAsTheyAre(t *testing.T) {
	t.Parallel()
	r := render(t, "prometheusRule: {enabled: true}")
	got := the[*monitoringv1.PrometheusRule](t, r, "queue-worker").Spec
	if d := cmp.Diff(ruleFile(t), got); d != "" {
		t.Errorf("(-file +rendered):\n%s", d)
	}
}
