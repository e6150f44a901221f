// What functions write into their annotations, and what comes of it.

package policy

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"queue-worker/pkg/retry"
)

func mustCodes(list string) retry.Codes {
	c, err := retry.ParseCodes(list)
	if err != nil {
		panic(err)
	}
	return c
}

// defaults are the worker's default settings, with a bound on calls.
func defaults() Policy {
	return Policy{
		Policy: retry.Policy{
			Attempts: 10, Initial: 10 * time.Second, Max: 2 * time.Minute, MaxRetryAfter: time.Hour,
			Codes: mustCodes("408,429,500,502,503,504"), DeadCodes: mustCodes("4xx,5xx"),
		},
		Timeout: time.Minute,
		Lane:    Lane{MaxInflight: 50, Priority: 5},
	}
}

func TestOpenFaaSsAnnotations(t *testing.T) {
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
		{"attempts below zero, because endless retries cannot be switched on", map[string]string{attempts: "-1"}, func(*Policy) {}, []string{attempts}},
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
			"a bad one does not spoil the good ones, and all bad ones are reported in a fixed order",
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
			got, problems := defaults().With(tt.annotations, Annotation)
			got.Sources = want.Sources // see TestEachValueKnowsWhereItIsFrom
			if d := cmp.Diff(want, got, cmp.AllowUnexported(retry.Codes{})); d != "" {
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
	_, problems := defaults().With(map[string]string{AnnotationAttempts: "many\n"}, Annotation)
	const want = `com.openfaas.retry.attempts is "many\n": expected a whole number from 0 to 1000000000`
	if len(problems) != 1 || problems[0].String() != want {
		t.Errorf("problems are %v, want %s", problems, want)
	}
	_, problems = defaults().With(map[string]string{AnnotationCodes: strings.Repeat("x", 1<<20)}, Annotation)
	switch {
	case len(problems) != 1:
		t.Errorf("a huge value is repeated whole: len(problems) = %d, want 1", len(problems))
	case len(problems[0].String()) > 256:
		t.Errorf("a huge value is repeated whole: len(problems[0].String()) = %d, want at most 256", len(problems[0].String()))
	}
}

func TestOurAnnotations(t *testing.T) {
	t.Parallel()
	tests := []struct {
		key, value string
		want       func(*Policy) // nil: it changes nothing and is reported
	}{
		{AnnotationBackoff, "exponential", func(*Policy) {}},
		{AnnotationBackoff, "full", func(p *Policy) { p.Mode = retry.Full }},
		{AnnotationBackoff, "equal", func(p *Policy) { p.Mode = retry.Equal }},
		{AnnotationBackoff, " constant ", func(p *Policy) { p.Mode = retry.Constant }},
		{AnnotationBackoff, "Full", nil},
		{AnnotationBackoff, "linear", nil},

		{AnnotationMaxAge, "90s", func(p *Policy) { p.MaxAge = 90 * time.Second }},
		{AnnotationMaxAge, "90", func(p *Policy) { p.MaxAge = 90 * time.Second }},
		{AnnotationMaxAge, "1ms", func(p *Policy) { p.MaxAge = time.Millisecond }},
		{AnnotationMaxAge, "8760h", func(p *Policy) { p.MaxAge = 8760 * time.Hour }},
		{AnnotationMaxAge, "0", nil},
		{AnnotationMaxAge, "-1s", nil},
		{AnnotationMaxAge, "8761h", nil},
		{AnnotationMaxAge, "tomorrow", nil},

		{AnnotationMaxInflight, "1", func(p *Policy) { p.Lane.MaxInflight = 1 }},
		{AnnotationMaxInflight, "10000", func(p *Policy) { p.Lane.MaxInflight = 10000 }},
		{AnnotationMaxInflight, "0", nil},
		{AnnotationMaxInflight, "10001", nil},
		{AnnotationMaxInflight, "2.5", nil},

		{AnnotationRate, "5", func(p *Policy) { p.Lane.Rate = 5 }},
		{AnnotationRate, "0.5", func(p *Policy) { p.Lane.Rate = 0.5 }},
		{AnnotationRate, "0.01", func(p *Policy) { p.Lane.Rate = 0.01 }},
		{AnnotationRate, "100000", func(p *Policy) { p.Lane.Rate = 100000 }},
		{AnnotationRate, "0", nil},
		{AnnotationRate, "0.009", nil},
		{AnnotationRate, "100001", nil},
		{AnnotationRate, "-1", nil},
		{AnnotationRate, "1e3", nil},
		{AnnotationRate, "0x10", nil},
		{AnnotationRate, "Inf", nil},
		{AnnotationRate, "NaN", nil},
		{AnnotationRate, "10/s", nil},

		{AnnotationTimeout, "30s", func(p *Policy) { p.Timeout = 30 * time.Second }},
		{AnnotationTimeout, "30", func(p *Policy) { p.Timeout = 30 * time.Second }},
		{AnnotationTimeout, "1ms", func(p *Policy) { p.Timeout = time.Millisecond }},
		{AnnotationTimeout, "720h", func(p *Policy) { p.Timeout = 720 * time.Hour }},
		{AnnotationTimeout, "0s", nil},
		{AnnotationTimeout, "721h", nil},
		{AnnotationTimeout, "long", nil},

		{AnnotationDeadCodes, "5xx,!501", func(p *Policy) { p.DeadCodes = mustCodes("5xx,!501") }},
		{AnnotationDeadCodes, "404", func(p *Policy) { p.DeadCodes = mustCodes("404") }},
		{AnnotationDeadCodes, "none", func(p *Policy) { p.DeadCodes = retry.Codes{} }},
		{AnnotationDeadCodes, "!501", nil},
		{AnnotationDeadCodes, "all", nil},
		{AnnotationDeadCodes, "600", nil},

		{AnnotationPriority, "1", func(p *Policy) { p.Lane.Priority = 1 }},
		{AnnotationPriority, "10", func(p *Policy) { p.Lane.Priority = 10 }},
		{AnnotationPriority, "0", nil},
		{AnnotationPriority, "11", nil},
		{AnnotationPriority, "high", nil},

		{"queue-worker.max_inflght", "1", nil}, // a slip of the pen
	}
	for _, tt := range tests {
		t.Run(tt.key+" "+tt.value, func(t *testing.T) {
			t.Parallel()
			want, reports := defaults(), 1
			if tt.want != nil {
				tt.want(&want)
				reports = 0
			}
			got, problems := defaults().With(map[string]string{tt.key: tt.value}, Annotation)
			got.Sources = want.Sources
			if d := cmp.Diff(want, got, cmp.AllowUnexported(retry.Codes{})); d != "" {
				t.Errorf("policy (-want +got):\n%s", d)
			}
			if len(problems) != reports || reports > 0 && problems[0].Key != tt.key {
				t.Errorf("problems are %v", problems)
			}
		})
	}
}

func TestEachValueKnowsWhereItIsFrom(t *testing.T) {
	t.Parallel()
	p := defaults()
	p.Sources.Set(Queue, Attempts, MaxInflight)
	p, _ = p.With(map[string]string{
		AnnotationAttempts: "3", AnnotationCodes: "5xx", AnnotationRate: "5", AnnotationMinWait: "5m", AnnotationPriority: "no",
	}, GatewayAnnotation)
	p, _ = p.With(map[string]string{AnnotationRate: "6", AnnotationBackoff: "full", AnnotationMaxInflight: "100"}, Annotation)
	p, _ = p.WithHeader(map[string][]string{"X-Retry-Limit": {"2"}, "X-Max-Age": {"1m"}, "X-Timeout": {"5m"}}, false)
	p = p.Within(Policy{Lane: Lane{MaxInflight: 5}, Sources: Sources{MaxInflight: Queue}})
	want := map[string]string{
		"max_retry_attempts": "header", "initial_retry_wait": "gateway annotation", "max_retry_wait": "gateway annotation", // min_wait has moved it
		"backoff": "annotation", "retry_http_codes": "gateway annotation", "max_retry_after": "worker", "dead_set_codes": "worker",
		"max_age": "header", "timeout": "worker", "max_inflight": "queue", "rate": "annotation", "priority": "worker",
	}
	if d := cmp.Diff(want, p.Sources.Words()); d != "" {
		t.Errorf("from (-want +got):\n%s", d)
	}
	if p.Lane != (Lane{MaxInflight: 5, Rate: 6, Priority: 5}) {
		t.Errorf("the lane's are %+v, want %+v", p.Lane, Lane{MaxInflight: 5, Rate: 6, Priority: 5})
	}
}

func TestAMessagesWrongAnnotationLeavesTheGateways(t *testing.T) {
	t.Parallel()
	p, _ := defaults().With(map[string]string{AnnotationAttempts: "3"}, GatewayAnnotation)
	p, problems := p.With(map[string]string{AnnotationAttempts: "three"}, Annotation)
	switch {
	case p.Attempts != 3:
		t.Errorf("%d from %s, %v: p.Attempts = %d, want 3", p.Attempts, p.Sources[Attempts], problems, p.Attempts)
	case p.Sources[Attempts] != GatewayAnnotation:
		t.Errorf("%d from %s, %v: p.Sources[Attempts] = %v, want %v", p.Attempts, p.Sources[Attempts], problems, p.Sources[Attempts], GatewayAnnotation)
	case len(problems) != 1:
		t.Errorf("%d from %s, %v, want len 1", p.Attempts, p.Sources[Attempts], problems)
	}
}

func TestAHeaderMayOnlyLower(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, field, value string
		trust              bool
		want               func(*Policy)
		from               Source // Worker: it changes nothing
		wrong              bool
	}{
		{"fewer retries", HeaderRetryLimit, "3", false, func(p *Policy) { p.Attempts = 3 }, Header, false},
		{"no retries", HeaderRetryLimit, "0", false, func(p *Policy) { p.Attempts = 0 }, Header, false},
		{"as many retries", HeaderRetryLimit, "10", false, func(*Policy) {}, Worker, false},
		{"more retries", HeaderRetryLimit, "11", false, func(*Policy) {}, Worker, false},
		{"more retries, trusted", HeaderRetryLimit, "11", true, func(p *Policy) { p.Attempts = 11 }, Header, false},
		{"retries that are none", HeaderRetryLimit, "-1", true, func(*Policy) {}, Worker, true},
		{"an age where there was none", HeaderMaxAge, "5m", false, func(p *Policy) { p.MaxAge = 5 * time.Minute }, Header, false},
		{"an age in seconds", HeaderMaxAge, " 30 ", false, func(p *Policy) { p.MaxAge = 30 * time.Second }, Header, false},
		{"an age of nothing", HeaderMaxAge, "0", true, func(*Policy) {}, Worker, true},
		{"an age that is a word", HeaderMaxAge, "old", false, func(*Policy) {}, Worker, true},
		{"a shorter call", HeaderTimeout, "10s", false, func(p *Policy) { p.Timeout = 10 * time.Second }, Header, false},
		{"a longer call", HeaderTimeout, "2m", false, func(*Policy) {}, Worker, false},
		{"a longer call, trusted", HeaderTimeout, "2m", true, func(p *Policy) { p.Timeout = 2 * time.Minute }, Header, false},
		{"a call of no time", HeaderTimeout, "0s", true, func(*Policy) {}, Worker, true},
		{"a call beyond the bounds", HeaderTimeout, "721h", true, func(*Policy) {}, Worker, true},
		{"an empty field", HeaderTimeout, "", true, func(*Policy) {}, Worker, false},
	}
	settings := map[string]Setting{HeaderRetryLimit: Attempts, HeaderMaxAge: MaxAge, HeaderTimeout: Timeout}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			want := defaults()
			tt.want(&want)
			want.Sources[settings[tt.field]] = tt.from
			got, problems := defaults().WithHeader(map[string][]string{tt.field: {tt.value}}, tt.trust)
			switch {
			case got != want:
				t.Errorf("%+v, want %+v", got, want)
			case (len(problems) > 0) != tt.wrong:
				t.Errorf("%+v, problems %v: len(problems) > 0 = %v, want %v", got, problems, len(problems) > 0, tt.wrong)
			}
		})
	}
}

func TestAHeaderLowersWhatAnAnnotationHasSet(t *testing.T) {
	t.Parallel()
	base, _ := defaults().With(map[string]string{AnnotationMaxAge: "1m", AnnotationTimeout: "5s", AnnotationAttempts: "2"}, Annotation)
	h := map[string][]string{HeaderMaxAge: {"2m"}, HeaderTimeout: {"4s"}, HeaderRetryLimit: {"5"}}
	for _, tt := range []struct {
		trust    bool
		age      time.Duration
		timeout  time.Duration
		attempts int
	}{
		{false, time.Minute, 4 * time.Second, 2},
		{true, 2 * time.Minute, 4 * time.Second, 5},
	} {
		p, _ := base.WithHeader(h, tt.trust)
		switch {
		case p.MaxAge != tt.age:
			t.Errorf("trust %v: %s %s %d: p.MaxAge = %v, want %v", tt.trust, p.MaxAge, p.Timeout, p.Attempts, p.MaxAge, tt.age)
		case p.Timeout != tt.timeout:
			t.Errorf("trust %v: %s %s %d: p.Timeout = %v, want %v", tt.trust, p.MaxAge, p.Timeout, p.Attempts, p.Timeout, tt.timeout)
		case p.Attempts != tt.attempts:
			t.Errorf("trust %v: %s %s %d: p.Attempts = %d, want %d", tt.trust, p.MaxAge, p.Timeout, p.Attempts, p.Attempts, tt.attempts)
		}
	}
}

func TestNothingIsBeyondTheWorkers(t *testing.T) {
	t.Parallel()
	base := defaults()
	p, _ := base.With(map[string]string{AnnotationTimeout: "1h", AnnotationMaxInflight: "9000"}, Annotation)
	switch got := p.Within(base); {
	case got.Timeout != time.Minute:
		t.Errorf("%+v, want Timeout %v", got, time.Minute)
	case got.Lane.MaxInflight != 50:
		t.Errorf("%+v: got.Lane.MaxInflight = %d, want 50", got, got.Lane.MaxInflight)
	case got.Sources != base.Sources:
		t.Errorf("%+v, want Sources %v", got, base.Sources)
	}
	base.Timeout = 0
	if got := p.Within(base); got.Timeout != time.Hour {
		t.Errorf("without upstream_timeout it is cut to %s, want %v", got.Timeout, time.Hour)
	}
}

func TestNoAnnotationsCostNothing(t *testing.T) { // not parallel: AllocsPerRun counts the whole process
	p := defaults()
	h := map[string][]string{"Content-Type": {"text/plain"}}
	others := map[string]string{"prometheus.io.scrape": "false"}
	if n := testing.AllocsPerRun(100, func() {
		p, _ = p.With(others, Annotation)
		p, _ = p.WithHeader(h, false)
		p = p.Within(p)
	}); n != 0 {
		t.Errorf("%v allocations, want 0", n)
	}
}
