package e2e

// The dead set as its API shows it.

import (
	"encoding/json"
	"fmt"
	"net/http"
	"testing"
	"time"
)

// letter is one item of the dead set.
type letter struct {
	ID       string `json:"id"`
	CallID   string `json:"call_id"`
	Kind     string `json:"kind"`
	Function string `json:"function"`
	Topic    string `json:"topic-entity"`
	Reason   string `json:"reason"`
	Detail   string `json:"detail"`
	Status   int    `json:"status"`
	Retries  int    `json:"retry-count"`
	Crashes  int    `json:"crashes"`
	Message  []byte `json:"message"`
	Attempts []struct {
		At     time.Time `json:"at"`
		Status int       `json:"status"`
		Cause  string    `json:"cause"`
	} `json:"attempts"`
	FirstSeen time.Time `json:"first_seen"`
	DiedAt    time.Time `json:"died_at"`
}

// String is all that should not change while a dead letter is in the dead set.
func (l letter) String() string {
	type plain letter // has no String
	return fmt.Sprintf("%+v", plain(l))
}

// letters are a dead set, oldest first.
type letters []letter

// only is the one letter that there should be.
func (l letters) only(t testing.TB) letter {
	t.Helper()
	if len(l) != 1 {
		t.Fatalf("there are %d dead letters, want one: %+v", len(l), l)
	}
	return l[0]
}

// deadSet reads the whole dead set, page by page.
func (w *worker) deadSet(t testing.TB, edits ...func(*http.Request)) letters {
	t.Helper()
	var all letters
	for path := "/v1/dead_set?limit=100"; ; {
		code, body := w.ask(t, http.MethodGet, path, edits...)
		if code != http.StatusOK {
			t.Fatalf("GET %s answers %d %s, want %d", path, code, body, http.StatusOK)
		}
		var page struct {
			Messages letters `json:"messages"`
			Next     string  `json:"next"`
		}
		if err := json.Unmarshal([]byte(body), &page); err != nil {
			t.Fatalf("GET %s answers %s: %v, want no error", path, body, err)
		}
		all = append(all, page.Messages...)
		if page.Next == "" {
			return all
		}
		path = "/v1/dead_set?limit=100&cursor=" + page.Next
	}
}

// raw is the whole message: the body of a call, or, of what is malformed, the
// QueueRequest as it came.
func (l letter) raw(t testing.TB, w *worker) string {
	t.Helper()
	code, body := w.ask(t, http.MethodGet, "/v1/dead_set/"+l.ID+"?body=true")
	var whole letter
	switch err := json.Unmarshal([]byte(body), &whole); {
	case err != nil:
		t.Fatalf("GET of the letter %s answers %d %s: got %v, want no error", l.ID, code, body, err)
	case code != http.StatusOK:
		t.Fatalf("GET of the letter %s answers %d %s, want code %d", l.ID, code, body, http.StatusOK)
	}
	return string(whole.Message)
}

// replay and drop act on one letter and return the status of the answer.
func (l letter) replay(t testing.TB, w *worker, edits ...func(*http.Request)) int {
	t.Helper()
	code, _ := w.ask(t, http.MethodPost, "/v1/dead_set/"+l.ID+"/replay", edits...)
	return code
}

func (l letter) drop(t testing.TB, w *worker, edits ...func(*http.Request)) int {
	t.Helper()
	code, _ := w.ask(t, http.MethodDelete, "/v1/dead_set/"+l.ID, edits...)
	return code
}
