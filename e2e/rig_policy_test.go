package e2e

// What functions ask for by their annotations.

import (
	"encoding/json"
	"net/http"
	"testing"
)

// annotations are those of functions, by their names.
type annotations map[string]map[string]string

// annotate lets a gateway know functions with annotations; it knows no others.
func (s *stub) annotate(all annotations) {
	s.know(func(a asked) answer {
		own, ok := all[a.Function]
		if !ok {
			return status(http.StatusNotFound)
		}
		body, err := json.Marshal(map[string]any{"name": a.Function, "annotations": own})
		if err != nil {
			panic(err)
		}
		return answer{Body: string(body)}
	})
}

// policy is what the API says of how a function is called.
type policy struct {
	Attempts    int               `json:"max_retry_attempts"`
	Initial     string            `json:"initial_retry_wait"`
	Max         string            `json:"max_retry_wait"`
	Backoff     string            `json:"backoff"`
	Codes       string            `json:"retry_http_codes"`
	DeadCodes   string            `json:"dead_set_codes"`
	MaxAge      string            `json:"max_age"`
	Timeout     string            `json:"timeout"`
	MaxInflight int               `json:"max_inflight"`
	Rate        float64           `json:"rate"`
	Priority    int               `json:"priority"`
	From        map[string]string `json:"from"`
	Schedule    []string          `json:"schedule"`
	TotalWait   string            `json:"total_wait"`
}

func (w *worker) policy(t testing.TB, path string) (p policy) {
	t.Helper()
	code, body := w.ask(t, http.MethodGet, "/v1/functions/"+path)
	switch err := json.Unmarshal([]byte(body), &p); {
	case err != nil:
		t.Fatalf("the policy of %s is answered %d %s: got %v, want no error", path, code, body, err)
	case code != http.StatusOK:
		t.Fatalf("the policy of %s is answered %d %s, want code %d", path, code, body, http.StatusOK)
	}
	return p
}

// callsOf are the calls of one function among all.
func (s *stub) callsOf(function string) []asked {
	var all []asked
	for _, a := range s.calls() {
		if a.Function == function {
			all = append(all, a)
		}
	}
	return all
}
