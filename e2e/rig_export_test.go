package e2e

// Dead sets that are made up, and accepted and out as lines.

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"
)

// corpse is a line of an export, as far as the tests make it up.
type corpse struct {
	ID       string    `json:"id"`
	CallID   string    `json:"call_id"`
	Kind     string    `json:"kind"`
	Queue    string    `json:"queue"`
	Topic    string    `json:"topic-entity"`
	Function string    `json:"function"`
	First    time.Time `json:"first_seen"`
	Retries  int       `json:"retry-count"`
	Attempts []struct {
		At       time.Time `json:"at"`
		Duration int64     `json:"duration_ns"`
		Status   int       `json:"status"`
	} `json:"attempts"`
	Omitted int       `json:"attempts_omitted"`
	Crashes int       `json:"crashes"`
	Replays int       `json:"replays"`
	Reason  string    `json:"reason"`
	Detail  string    `json:"detail"`
	Died    time.Time `json:"died_at"`
	Request []byte    `json:"request"`
}

// corpseAt makes up the n-th letter; they died a millisecond apart, an hour ago.
func corpseAt(t testing.TB, began time.Time, n int, edits ...func(*corpse)) *corpse {
	t.Helper()
	m := call("fn1", fmt.Sprint(n), with("X-Tenant", fmt.Sprint("tenant-", n%3)))
	c := &corpse{
		ID: fmt.Sprintf("01990000-%04x-7000-8000-%012x", n%0x10000, n), CallID: id(m), Kind: "function", Queue: defaultQueue,
		Topic: "fn1", Function: "fn1", First: began.Add(-time.Hour), Reason: "attempts_exhausted",
		Died: began.Add(-time.Hour + time.Duration(n)*time.Millisecond), Request: []byte(encode(t, m)),
	}
	c.attempt(500)
	for _, edit := range edits {
		edit(c)
	}
	return c
}

func (c *corpse) attempt(status int) {
	c.Attempts = append(c.Attempts[:0], struct {
		At       time.Time `json:"at"`
		Duration int64     `json:"duration_ns"`
		Status   int       `json:"status"`
	}{c.Died.Add(-time.Second), 1234567, status})
}

func linesOf(t testing.TB, corpses ...*corpse) string {
	t.Helper()
	var b strings.Builder
	for _, c := range corpses {
		line, err := json.Marshal(c)
		if err != nil {
			t.Fatal(err)
		}
		b.Write(append(line, '\n'))
	}
	return b.String()
}

// imported is what an import answers.
type imported struct {
	Imported int `json:"imported"`
	Skipped  int `json:"skipped"`
	Failed   []struct {
		Line  int    `json:"line"`
		Error string `json:"error"`
	} `json:"failed"`
	Total int `json:"failed_total"`
}

func (w *worker) load(t testing.TB, lines string) imported {
	t.Helper()
	code, body := w.ask(t, http.MethodPost, "/v1/dead_set/import", sending("application/x-ndjson", lines))
	var got imported
	switch err := json.Unmarshal([]byte(body), &got); {
	case err != nil:
		t.Fatalf("the import is answered %d %s: got %v, want no error", code, body, err)
	case code != http.StatusOK:
		t.Fatalf("the import is answered %d %s, want code %d", code, body, http.StatusOK)
	}
	return got
}

func (w *worker) export(t testing.TB, query string) string {
	t.Helper()
	code, body := w.ask(t, http.MethodGet, "/v1/dead_set/export"+query)
	if code != http.StatusOK {
		t.Fatalf("the export is answered %d %s, want %d", code, body, http.StatusOK)
	}
	return body
}

// listed is the listing that a query asks for, page by page, and what it says
// byte for byte.
func (w *worker) listed(t testing.TB, query string) (all letters, text string) {
	t.Helper()
	for cursor := ""; ; {
		code, body := w.ask(t, http.MethodGet, "/v1/dead_set?"+query+""+after(cursor))
		var page struct {
			Messages letters `json:"messages"`
			Next     string  `json:"next"`
		}
		switch err := json.Unmarshal([]byte(body), &page); {
		case code != http.StatusOK:
			t.Fatalf("GET of %s is answered %d %s, want code %d", query, code, body, http.StatusOK)
		case err != nil:
			t.Fatalf("GET of %s is answered %d %s: got %v, want no error", query, code, body, err)
		}
		all, text = append(all, page.Messages...), text+body
		if cursor = page.Next; cursor == "" {
			return all, text
		}
	}
}

// after is the parameter of a page that is not the first.
func after(cursor string) string {
	if cursor == "" {
		return ""
	}
	return "&cursor=" + cursor
}
