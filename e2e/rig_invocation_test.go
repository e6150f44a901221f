package e2e

// Invocations and functions as the API shows them.

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"queue-worker/internal/testkit"
)

// invocation is what became of one.
type invocation struct {
	ID       string    `json:"id"`
	CallID   string    `json:"call_id"`
	Kind     string    `json:"kind"`
	Source   string    `json:"source"`
	Queue    string    `json:"queue"`
	Function string    `json:"function"`
	State    string    `json:"state"`
	Due      time.Time `json:"due"`
	First    time.Time `json:"first_seen"`
	Retries  int       `json:"retry-count"`
	Status   int       `json:"status"`
	Reason   string    `json:"reason"`
	Finished time.Time `json:"finished_at"`
	Result   bool      `json:"result"`
	Repeats  string    `json:"repeats"`
	Attempts []struct {
		Status int `json:"status"`
	} `json:"attempts"`
	Policy *policy `json:"policy"`
}

// invocations are those of an id, newest first; none when it is not known.
func (w *worker) invocations(t testing.TB, id string, query ...string) []invocation {
	t.Helper()
	path := "/v1/invocations/" + url.PathEscape(id)
	if len(query) > 0 {
		path += "?" + query[0]
	}
	code, body := w.ask(t, http.MethodGet, path)
	if code == http.StatusNotFound {
		return nil
	}
	var all struct{ Invocations []invocation }
	switch err := json.Unmarshal([]byte(body), &all); {
	case err != nil:
		t.Fatalf("GET %s answers %d %s: got %v, want no error", path, code, body, err)
	case code != http.StatusOK:
		t.Fatalf("GET %s answers %d %s, want code %d", path, code, body, http.StatusOK)
	}
	return all.Invocations
}

// invocation is the only one of an id.
func (w *worker) invocation(t testing.TB, id string, query ...string) invocation {
	t.Helper()
	all := w.invocations(t, id, query...)
	if len(all) != 1 {
		t.Fatalf("%s has %d invocations, want one: %+v", id, len(all), all)
	}
	return all[0]
}

// isIn waits until a call is in a state, and returns it.
func (w *worker) isIn(t testing.TB, m *message, state string) (v invocation) {
	t.Helper()
	testkit.Eventually(t, "call "+id(m)+" to be "+state, func() bool {
		all := w.invocations(t, id(m))
		if len(all) == 1 {
			v = all[0]
		}
		return v.State == state
	})
	return v
}

// pending lists what is pending, page by page.
func (w *worker) pending(t testing.TB, query string) []invocation {
	t.Helper()
	var all []invocation
	for next := ""; ; {
		code, body := w.ask(t, http.MethodGet, "/v1/invocations?"+query+next)
		var page struct {
			Invocations []invocation
			Next        string
		}
		switch err := json.Unmarshal([]byte(body), &page); {
		case err != nil:
			t.Fatalf("GET /v1/invocations?%s answers %d %s: got %v, want no error", query, code, body, err)
		case code != http.StatusOK:
			t.Fatalf("GET /v1/invocations?%s answers %d %s, want code %d", query, code, body, http.StatusOK)
		}
		all = append(all, page.Invocations...)
		if page.Next == "" {
			return all
		}
		next = "&cursor=" + page.Next
	}
}

// cancel cancels an id and returns the status and the reason of the answer.
func (w *worker) cancel(t testing.TB, id string) (int, string) {
	t.Helper()
	code, body := w.ask(t, http.MethodDelete, "/v1/invocations/"+id)
	return code, parse(body).text("reason")
}

// function is a function of one queue.
type function struct {
	Function  string  `json:"function"`
	Topic     string  `json:"topic-entity"`
	Queue     string  `json:"queue"`
	Ready     int     `json:"ready"`
	Running   int     `json:"running"`
	Delayed   int     `json:"delayed"`
	Dead      int     `json:"dead"`
	Oldest    float64 `json:"oldest_age_seconds"`
	Rate      float64 `json:"rate_per_second"`
	LastError *struct {
		Status int    `json:"status"`
		Cause  string `json:"cause"`
	} `json:"last_error"`
	Limit   int        `json:"limit"`
	Held    *time.Time `json:"held_until"`
	Breaker struct {
		State string `json:"state"`
		Since string `json:"since"`
		Cause string `json:"cause"`
		Next  string `json:"next_probe"`
	} `json:"breaker"`
	Paused *struct {
		Reason string     `json:"reason"`
		Author string     `json:"author"`
		By     string     `json:"by"`
		Since  time.Time  `json:"since"`
		Until  *time.Time `json:"until"`
	} `json:"paused"`
}

// functions reads an answer about functions.
func functions(t testing.TB, code int, body string) []function {
	t.Helper()
	var all struct{ Functions []function }
	switch err := json.Unmarshal([]byte(body), &all); {
	case err != nil:
		t.Fatalf("the answer about functions is %d %s: got %v, want no error", code, body, err)
	case code != http.StatusOK:
		t.Fatalf("the answer about functions is %d %s, want code %d", code, body, http.StatusOK)
	}
	return all.Functions
}

// function is the only view of a function.
func (w *worker) function(t testing.TB, name string) function {
	t.Helper()
	code, body := w.ask(t, http.MethodGet, "/v1/functions/"+name)
	all := functions(t, code, body)
	if len(all) != 1 {
		t.Fatalf("%s has %d views: %s, want 1", name, len(all), body)
	}
	return all[0]
}

// steerFunction pauses or resumes a function.
func (w *worker) steerFunction(t testing.TB, name, verb, body string) (int, string) {
	t.Helper()
	return w.ask(t, http.MethodPost, "/v1/functions/"+name+"/"+verb, asJSON(body))
}

// pause pauses a function, which must work.
func (w *worker) pause(t testing.TB, name, body string) []function {
	t.Helper()
	code, answer := w.steerFunction(t, name, "pause", body)
	return functions(t, code, answer)
}

// inStates are the states of invocations, with a space between.
func inStates(all []invocation) string {
	var states []string
	for _, v := range all {
		states = append(states, v.State)
	}
	return strings.Join(states, " ")
}
