package chart

// Every block of YAML in the documents is what it says: values of the chart, which are rendered, annotations of
// functions, which pkg/policy parses in a test of its own, or a scrape job of Prometheus.

import (
	"net"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"
)

var yamlBlock = regexp.MustCompile("(?ms)^```ya?ml\n(.*?)^```$")

func TestEveryBlockOfYAMLInTheDocuments(t *testing.T) {
	t.Parallel()
	n := 0
	for _, pattern := range []string{"../../*.md", "../../docs/*.md", "../../docs/*/*.md", "../../deploy/*/*.md"} {
		docs, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		for _, doc := range docs {
			for _, m := range yamlBlock.FindAllStringSubmatch(read(t, doc), -1) {
				n++
				checkYAML(t, doc, m[1])
			}
		}
	}
	if n < 5 {
		t.Errorf("got %d blocks, want at least 5", n)
	}
}

func checkYAML(t *testing.T, doc, text string) {
	t.Helper()
	var content any
	if err := yaml.UnmarshalStrict([]byte(text), &content); err != nil {
		t.Errorf("%s: got %v, want YAML:\n%s", doc, err, text)
		return
	}
	block, values := content.(map[string]any)
	switch _, functions := block["functions"]; {
	case !values:
		checkScrapeJobs(t, doc, text)
	case block["kind"] == "Cluster":
		checkDatabase(t, doc, text)
	case functions:
		checkStack(t, doc, text)
	default:
		checkValues(t, doc, text, block)
	}
}

// checkValues renders them; keys that the chart ignores are not what a document wants to show.
func checkValues(t *testing.T, doc, text string, block map[string]any) {
	t.Helper()
	for key := range block {
		if _, ours := load(t).Values[key]; !ours {
			t.Errorf("%s: got the key %s, want one of values.yaml:\n%s", doc, key, text)
		}
	}
	if _, err := files(t, text); err != nil {
		t.Errorf("%s: got %v, want it rendered:\n%s", doc, err, text)
	}
}

// checkDatabase reads a Cluster of CloudNativePG, whose Secrets the document's values have to name.
func checkDatabase(t *testing.T, doc, text string) {
	t.Helper()
	var cluster struct {
		APIVersion string            `json:"apiVersion"`
		Kind       string            `json:"kind"`
		Metadata   map[string]string `json:"metadata"`
		Spec       map[string]any    `json:"spec"`
	}
	if err := yaml.UnmarshalStrict([]byte(text), &cluster); err != nil || cluster.APIVersion != "postgresql.cnpg.io/v1" {
		t.Errorf("%s: got %v, want a Cluster of CloudNativePG:\n%s", doc, err, text)
	}
	for _, value := range []string{"existingSecret: " + cluster.Metadata["name"] + "-app", "caSecret: " + cluster.Metadata["name"] + "-ca"} {
		if !strings.Contains(read(t, doc), value) {
			t.Errorf("%s: got no value %q, want that of the Cluster", doc, value)
		}
	}
}

// checkStack reads a part of a stack.yml of faas-cli.
func checkStack(t *testing.T, doc, text string) {
	t.Helper()
	var stack struct {
		Functions map[string]struct {
			Lang, Handler, Image             string
			Annotations, Labels, Environment map[string]string
		} `json:"functions"`
	}
	if err := yaml.UnmarshalStrict([]byte(text), &stack); err != nil {
		t.Errorf("%s: got %v, want functions with annotations:\n%s", doc, err, text)
	}
}

// checkScrapeJobs reads a part of a prometheus.yml.
func checkScrapeJobs(t *testing.T, doc, text string) {
	t.Helper()
	var jobs []struct {
		Name    string `json:"job_name"`
		Statics []struct {
			Targets []string `json:"targets"`
		} `json:"static_configs"`
	}
	if err := yaml.UnmarshalStrict([]byte(text), &jobs); err != nil || len(jobs) == 0 {
		t.Errorf("%s: got %v, want scrape jobs:\n%s", doc, err, text)
		return
	}
	for _, job := range jobs {
		if job.Name == "" || len(job.Statics) == 0 {
			t.Errorf("%s: got %+v, want a name and targets:\n%s", doc, job, text)
		}
		for _, s := range job.Statics {
			for _, target := range s.Targets {
				if _, port, err := net.SplitHostPort(target); err != nil || strings.TrimLeft(port, "0123456789") != "" {
					t.Errorf("%s: got target %q, want host:port", doc, target)
				}
			}
		}
	}
}
