// What functions write into their annotations, and what comes of it.

package retry

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestWithAnnotations(t *testing.T) {
	t.Parallel()
	const (
		attempts = AnnotationAttempts
		codes    = AnnotationCodes
		least    = AnnotationMinWait
		greatest = AnnotationMaxWait
	)
	tests := []struct {
		name        string
		annotations map[string]string
		want        func(*Policy)
		problems    []string // the keys
	}{
		{"none change nothing", nil, func(*Policy) {}, nil},
		{"others change nothing", map[string]string{"com.openfaas.queue": "q", "topic": "t"}, func(*Policy) {}, nil},
		{"empty ones are absent", map[string]string{attempts: "", codes: " ", least: "", greatest: "\t"}, func(*Policy) {}, nil},
		{
			"all four, as the documentation shows them",
			map[string]string{attempts: "30", codes: "429", least: "5s", greatest: "1m"},
			func(p *Policy) {
				p.Attempts, p.Codes, p.Initial, p.Max = 30, mustCodes("429"), 5*time.Second, time.Minute
			},
			nil,
		},
		{"0 attempts mean one call", map[string]string{attempts: "0"}, func(p *Policy) { p.Attempts = 0 }, nil},
		{"spaces are passed over", map[string]string{attempts: " 3 "}, func(p *Policy) { p.Attempts = 3 }, nil},
		{"codes replace the worker's", map[string]string{codes: "418"}, func(p *Policy) { p.Codes = mustCodes("418") }, nil},
		{"classes and exclusions", map[string]string{codes: "5xx,!501"}, func(p *Policy) { p.Codes = mustCodes("5xx,!501") }, nil},
		{"bare numbers are seconds", map[string]string{least: "2", greatest: "30"}, func(p *Policy) { p.Initial, p.Max = 2*time.Second, 30*time.Second }, nil},
		{"a least wait of zero is legal", map[string]string{least: "0s"}, func(p *Policy) { p.Initial = 0 }, nil},
		{"a greatest wait of zero makes every wait zero", map[string]string{greatest: "0"}, func(p *Policy) { p.Initial, p.Max = 0, 0 }, nil},
		{"the longest wait is a year", map[string]string{greatest: "8760h"}, func(p *Policy) { p.Max = 8760 * time.Hour }, nil},

		{"a least wait above the worker's greatest moves it", map[string]string{least: "10m"}, func(p *Policy) { p.Initial, p.Max = 10*time.Minute, 10*time.Minute }, nil},
		{"a greatest wait below the worker's least moves it", map[string]string{greatest: "3s"}, func(p *Policy) { p.Initial, p.Max = 3*time.Second, 3*time.Second }, nil},
		{"of two that contradict each other the greatest wins", map[string]string{least: "1m", greatest: "5s"}, func(p *Policy) { p.Initial, p.Max = 5*time.Second, 5*time.Second }, []string{least}},

		{"attempts that are a word", map[string]string{attempts: "many"}, func(*Policy) {}, []string{attempts}},
		{"attempts below zero, for nobody can switch on endless retries", map[string]string{attempts: "-1"}, func(*Policy) {}, []string{attempts}},
		{"attempts that are a fraction", map[string]string{attempts: "1.5"}, func(*Policy) {}, []string{attempts}},
		{"attempts beyond the limit", map[string]string{attempts: "1000000001"}, func(*Policy) {}, []string{attempts}},
		{"attempts beyond 64 bits", map[string]string{attempts: "99999999999999999999"}, func(*Policy) {}, []string{attempts}},
		{"codes that are none", map[string]string{codes: "429,teapot"}, func(*Policy) {}, []string{codes}},
		{"codes that only exclude", map[string]string{codes: "!501"}, func(*Policy) {}, []string{codes}},
		{"a wait that is a word", map[string]string{least: "soon"}, func(*Policy) {}, []string{least}},
		{"a wait below zero", map[string]string{least: "-1s", greatest: "-5"}, func(*Policy) {}, []string{least, greatest}},
		{"a wait of more than a year", map[string]string{greatest: "8761h"}, func(*Policy) {}, []string{greatest}},
		{"a wait beyond 64 bits", map[string]string{greatest: "99999999999999999999"}, func(*Policy) {}, []string{greatest}},
		{
			"a bad one does not spoil the good ones, and all bad ones are told in a fixed order",
			map[string]string{attempts: "x", codes: "y", least: "z", greatest: "20s"},
			func(p *Policy) { p.Max = 20 * time.Second },
			[]string{attempts, codes, least},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			want := defaults()
			tt.want(&want)
			got, problems := defaults().WithAnnotations(tt.annotations)
			if d := cmp.Diff(want, got, cmp.AllowUnexported(Codes{})); d != "" {
				t.Errorf("policy (-want +got):\n%s", d)
			}
			var keys []string
			for _, p := range problems {
				keys = append(keys, p.Key)
			}
			if d := cmp.Diff(tt.problems, keys); d != "" {
				t.Errorf("problems (-want +got):\n%s", d)
			}
		})
	}
}

func TestProblemNamesKeyValueAndWhatIsExpected(t *testing.T) {
	t.Parallel()
	_, problems := defaults().WithAnnotations(map[string]string{AnnotationAttempts: "many\n"})
	const want = `com.openfaas.retry.attempts is "many\n": expected a whole number from 0 to 1000000000`
	if len(problems) != 1 || problems[0].String() != want {
		t.Errorf("problems are %v, want %s", problems, want)
	}
	_, problems = defaults().WithAnnotations(map[string]string{AnnotationCodes: strings.Repeat("x", 1<<20)})
	if len(problems) != 1 || len(problems[0].String()) > 256 {
		t.Error("a huge value is repeated whole")
	}
}
