package chart

// The dashboard and the alerts ask for metrics, and labels of them, that the
// running program exposes.

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	monitoringv1 "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/prometheus/promql/parser"
)

// exposed are the labels of every series name that the program has after an
// invocation that was retried and given up.
func exposed(t *testing.T) map[string]map[string]bool {
	t.Helper()
	worker, gateway := dev(t)
	for _, r := range []struct{ path, body string }{{"/function/chaos-fn/set", `{"status": 500}`}, {"/async-function/chaos-fn", "hello"}} {
		resp, err := http.Post(gateway+r.path, "text/plain", strings.NewReader(r.body))
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
	}
	deadline := time.Now().Add(5 * time.Minute)
	for {
		series := scrape(t, worker)
		if labels := series["queue_worker_outcomes_total"]; series["queue_worker_retries_total"] != nil && labels["function_name"] {
			return series
		}
		if time.Now().After(deadline) {
			t.Fatalf("no function's series came within five minutes, want now not after %v", deadline)
		}
		time.Sleep(50 * time.Millisecond)
	}
}

// dev builds the program and runs it with all that it needs.
func dev(t *testing.T) (worker, gateway string) {
	t.Helper()
	binary := filepath.Join(t.TempDir(), "queue-worker")
	build := exec.Command("go", "build", "-C", "../..", "-trimpath", "-tags", "", "-ldflags", "-s -w -X main.version=chart", "-o", binary, "./cmd/queue-worker")
	build.Env = append(os.Environ(), "CGO_ENABLED=0", "GOWORK=off")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v, want nil\n%s", err, out)
	}
	ctx, end := context.WithCancel(context.Background())
	run := exec.CommandContext(ctx, binary, "dev", "--gateway-listen", "127.0.0.1:0", "--stan-listen", "127.0.0.1:0",
		"--http-listen", "127.0.0.1:0", "--data", t.TempDir())
	run.Env = []string{"log_encoding=json", "initial_retry_wait=10ms", "max_retry_attempts=1"}
	out, err := run.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := run.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { end(); _ = run.Wait() })
	for lines := bufio.NewScanner(out); lines.Scan(); {
		var line struct{ Msg, Gateway, Worker string }
		if json.Unmarshal(lines.Bytes(), &line) == nil && line.Msg == "ready" {
			go func() { _, _ = io.Copy(io.Discard, out) }()
			return line.Worker, line.Gateway
		}
	}
	t.Fatal("the program ended before it was ready")
	return "", ""
}

// scrape reads the names of series and their labels. A histogram has three.
func scrape(t *testing.T, worker string) map[string]map[string]bool {
	t.Helper()
	resp, err := http.Get(worker + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	var text expfmt.TextParser
	families, err := text.TextToMetricFamilies(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	series := map[string]map[string]bool{}
	for name, f := range families {
		labels := map[string]bool{}
		for _, m := range f.GetMetric() {
			for _, l := range m.GetLabel() {
				labels[l.GetName()] = true
			}
			if m.GetHistogram() != nil {
				labels["le"] = true
			}
		}
		names := []string{name}
		if labels["le"] {
			names = []string{name + "_bucket", name + "_sum", name + "_count"}
		}
		for _, n := range names {
			series[n] = labels
		}
	}
	return series
}

// panel is what of a panel of Grafana is of interest.
type panel struct {
	Title, Type, Description string
	Targets                  []struct{ Expr string }
	GridPos                  struct{ X, Y, W, H int }
}

func dashboard(t *testing.T) (panels []panel, queries []string) {
	t.Helper()
	var d struct {
		Panels     []panel
		Templating struct{ List []struct{ Definition string } }
	}
	if err := json.Unmarshal([]byte(read(t, "../queue-worker/files/dashboard.json")), &d); err != nil {
		t.Fatal(err)
	}
	for _, v := range d.Templating.List {
		if inner, is := strings.CutPrefix(v.Definition, "label_values("); is {
			queries = append(queries, inner[:strings.LastIndexByte(inner, ',')])
		}
	}
	return d.Panels, queries
}

func TestEveryQueryAsksForWhatIsThere(t *testing.T) {
	t.Parallel()
	series := exposed(t)
	page := read(t, "../../docs/metrics.md")
	for name := range series {
		family := strings.NewReplacer("_bucket", "", "_sum", "", "_count", "").Replace(name)
		if strings.HasPrefix(name, "queue_worker_") && !strings.Contains(page, "\n| `"+family+"` |") {
			t.Errorf("docs/metrics.md: got no row for %s, want one", family)
		}
	}
	panels, queries := dashboard(t)
	for _, q := range queries {
		checkQuery(t, "a variable of the dashboard", q, series)
	}
	for _, p := range panels {
		if p.Type != "row" && len(p.Targets) == 0 {
			t.Errorf("panel %s asks for nothing", p.Title)
		}
		for _, target := range p.Targets {
			checkQuery(t, "panel "+p.Title, target.Expr, series)
		}
	}
	for _, g := range ruleFile(t).Groups {
		for _, r := range g.Rules {
			checkQuery(t, "alert "+r.Alert, r.Expr.StrVal, series)
		}
	}
	for _, o := range all[*scaledObject](render(t, "keda: {enabled: true}")) {
		checkQuery(t, "the trigger of KEDA", o.Spec.Triggers[0].Metadata["query"], series)
	}
}

// targetLabels are added by Prometheus when it scrapes.
var targetLabels = []string{"namespace", "pod", "instance", "job"}

// checkQuery looks up every metric of a query, and every label that it selects
// or groups by.
func checkQuery(t *testing.T, where, query string, series map[string]map[string]bool) {
	t.Helper()
	query = strings.NewReplacer("$__rate_interval", "5m", "$function", ".*", "$queue", ".*", "$namespace", ".*", "$instance", ".*").Replace(query)
	expr, err := parser.ParseExpr(query)
	if err != nil {
		t.Errorf("%s: %v in %s, want no error", where, err, query)
		return
	}
	known := map[string]bool{}
	asked := map[string]bool{}
	parser.Inspect(expr, func(n parser.Node, _ []parser.Node) error {
		switch n := n.(type) {
		case *parser.VectorSelector:
			labels, is := series[n.Name]
			if !is {
				t.Errorf("%s: there is no metric %s: is = false, want true", where, n.Name)
			}
			for l := range labels {
				known[l] = true
			}
			for _, m := range n.LabelMatchers {
				if m.Name != "__name__" && !labels[m.Name] && !slices.Contains(targetLabels, m.Name) {
					t.Errorf("%s: %s has no label %s", where, n.Name, m.Name)
				}
			}
		case *parser.AggregateExpr:
			for _, l := range n.Grouping {
				asked[l] = true
			}
		}
		return nil
	})
	for l := range asked {
		if !known[l] && !slices.Contains(targetLabels, l) {
			t.Errorf("%s: nothing in %s has the label %s", where, query, l)
		}
	}
}

func TestPanelsDoNotOverlapAndSayWhatTheyShow(t *testing.T) {
	t.Parallel()
	panels, _ := dashboard(t)
	taken := map[string]string{}
	for _, p := range panels {
		for x := p.GridPos.X; x < p.GridPos.X+p.GridPos.W; x++ {
			for y := p.GridPos.Y; y < p.GridPos.Y+p.GridPos.H; y++ {
				at := fmt.Sprintf("%d,%d", x, y)
				switch {
				case taken[at] != "":
					t.Fatalf("%s lies over %s at %s: taken[at] = %q, want \"\"", p.Title, taken[at], at, taken[at])
				case x >= 24:
					t.Fatalf("%s lies over %s at %s: x = %d, want less than 24", p.Title, taken[at], at, x)
				}
				taken[at] = p.Title
			}
		}
	}
	if !bytes.Contains([]byte(read(t, "../../docs/runbook.md")), []byte("dashboard")) {
		t.Errorf("docs/runbook.md does not speak of the dashboard, want %q in it", "dashboard")
	}
}

// TestTheDashboardIsOfOneNamespaceAndInstance: with several releases every panel can show one of them.
func TestTheDashboardIsOfOneNamespaceAndInstance(t *testing.T) {
	t.Parallel()
	text := read(t, "../queue-worker/files/dashboard.json")
	for _, variable := range []string{"namespace", "instance", "queue", "function"} {
		if !strings.Contains(text, `"name": "`+variable+`"`) {
			t.Errorf("got no variable %s, want one", variable)
		}
	}
	panels, _ := dashboard(t)
	for _, p := range panels {
		for _, target := range p.Targets {
			metrics, scoped := strings.Count(target.Expr, "queue_worker_"), strings.Count(target.Expr, `{namespace=~"$namespace", instance=~"$instance"`)
			if metrics != scoped {
				t.Errorf("panel %s: got %d of %d metrics of the namespace and instance, want all: %s", p.Title, scoped, metrics, target.Expr)
			}
		}
	}
}

func TestTheDashboardShowsWhatHoldsAFunctionBack(t *testing.T) {
	t.Parallel()
	text := read(t, "../queue-worker/files/dashboard.json")
	for _, metric := range []string{"breaker_open", "lane_limit", "paused", "jobs", "attempt_seconds_bucket", "submissions_refused_total"} {
		if !strings.Contains(text, "queue_worker_"+metric+"{") {
			t.Errorf("got no panel of queue_worker_%s, want one", metric)
		}
	}
}

func TestTheURLOfTheRunbookIsAValue(t *testing.T) {
	t.Parallel()
	for values, want := range map[string]string{
		"prometheusRule: {enabled: true}":                                             "docs/runbook.md#queueworkerabsent",
		"prometheusRule: {enabled: true, runbookUrl: 'https://wiki.example/runbook'}": "https://wiki.example/runbook#queueworkerabsent",
	} {
		rules := the[*monitoringv1.PrometheusRule](t, render(t, values), "queue-worker").Spec
		if got := rules.Groups[0].Rules[0].Annotations["runbook_url"]; got != want {
			t.Errorf("%s: got %q, want %q", values, got, want)
		}
	}
}

// TestThePageOfMetricsNamesWhatTheProgramHas: every name of the page stands in the code.
func TestThePageOfMetricsNamesWhatTheProgramHas(t *testing.T) {
	t.Parallel()
	code := ""
	for _, pattern := range []string{"../../pkg/*/*.go", "../../pkg/*/*/*.go"} {
		sources, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		for _, source := range sources {
			code += read(t, source)
		}
	}
	n := 0
	for line := range strings.Lines(read(t, "../../docs/metrics.md")) {
		name, is := strings.CutPrefix(line, "| `")
		name, _, _ = strings.Cut(name, "`")
		if !is {
			continue
		}
		n++
		if !strings.Contains(code, `"`+name+`"`) && !strings.Contains(code, `"`+strings.TrimPrefix(name, "queue_worker_")+`"`) {
			t.Errorf("docs/metrics.md: got %s, want a metric of the program", name)
		}
	}
	if n < 40 {
		t.Errorf("got %d metrics, want at least 40", n)
	}
}
