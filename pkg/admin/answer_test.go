package admin_test

// The answer that a dead letter keeps: shown with it, exported, and nowhere else.

import (
	"net/http"
	"strings"
	"testing"

	"github.com/openfaas/faas-provider/types"

	"queue-worker/pkg/api/apitest"
	"queue-worker/pkg/invocation"
	"queue-worker/pkg/wire"
)

// answered are dead letters with answers, by what their answers are.
func answered(t testing.TB, r *rig) map[string]invocation.ID {
	t.Helper()
	ids := map[string]invocation.ID{}
	for i, a := range []struct {
		what string
		body string
	}{{"text", "ANSWER <script>alert(1)</script>\x1b[2J\u202e\n\"quoted\""}, {"binary", "ANSWER \xff\x00"}, {"empty", ""}} {
		inv := apitest.DeadAt(i)
		inv.Answer = &invocation.Answer{At: apitest.Begin, Status: 500 + i, Type: "text/html; ANSWER", Truncated: i == 0}
		if a.body != "" {
			inv.Answer.Body = []byte(a.body)
		}
		r.Put(t, inv, apitest.Request(t, types.QueueRequest{Function: "figlet", Body: []byte("BODY")}))
		ids[a.what] = inv.ID
	}
	return ids
}

func TestADeadLetterIsShownWithItsAnswer(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	ids := answered(t, r)
	for what, want := range map[string]wire.Answer{
		"text":   {At: apitest.Begin.UTC(), Status: 500, Type: "text/html; ANSWER", Body: "ANSWER <script>alert(1)</script>\x1b[2J\u202e\n\"quoted\"", Truncated: true},
		"binary": {At: apitest.Begin.UTC(), Status: 501, Type: "text/html; ANSWER", Body: "QU5TV0VSIP8A", Base64: true},
		"empty":  {At: apitest.Begin.UTC(), Status: 502, Type: "text/html; ANSWER"},
	} {
		for _, query := range []string{"", "?body=true"} {
			a := r.Ask(t, http.MethodGet, "/v1/dead_set/"+ids[what].String()+query)
			var d wire.LetterDetails
			apitest.Decode(t, a, &d)
			if d.Answer == nil || *d.Answer != want {
				t.Errorf("%s%s: got %+v, want %+v", what, query, d.Answer, want)
			}
			if strings.ContainsAny(a.Body, "\x1b\u202e") {
				t.Errorf("%s%s: got controls of a terminal, want escapes: %q", what, query, a.Body)
			}
		}
	}
	page := r.page(t, "/invocations/"+ids["text"].String())
	shows(t, page, http.StatusOK, "Last answer", "&lt;script&gt;alert(1)", `\x1b[2J\u202e`, "The beginning.")
	if strings.Contains(page.Body, "<script") {
		t.Error("got a script on the page, want text")
	}
	shows(t, r.page(t, "/invocations/"+ids["binary"].String()), http.StatusOK, "It is not text.")
}

func TestNoListingHasAnAnswer(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	ids := answered(t, r)
	for _, path := range []string{
		"/v1/dead_set", "/v1/dead_set?body=true", "/v1/dead_set/groups", "/v1/invocations/" + ids["text"].String(), "/v1/status", "/v1/functions", "/dead",
		"/metrics", "/v1/dead_set?count=10&topic-entity=figlet",
	} {
		if a := r.Ask(t, http.MethodGet, path); strings.Contains(a.Body, "ANSWER") {
			t.Errorf("%s: got the answer, want it only with one dead letter: %s", path, a.Body)
		}
	}
}

func TestAnAnswerIsExportedAndImported(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	answered(t, r)
	lines := r.export(t, "")
	if got, want := strings.Count(lines, `"answer":{`), 3; got != want {
		t.Fatalf("got %d answers in the export, want %d:\n%s", got, want, lines)
	}
	r.dropAll(t)
	if so, got := r.load(t, lines); so.Imported != 3 {
		t.Fatalf("the import answers %s: got imported %v, want 3", got.Body, so.Imported)
	}
	if again := r.export(t, ""); again != lines {
		t.Errorf("the second export differs:\n%s\nwant\n%s", again, lines)
	}
	r.dropAll(t)
	line, _, _ := strings.Cut(lines, "\n")
	for _, change := range []*strings.Replacer{
		strings.NewReplacer(`"body":"ANSWER`, `"body":"`+strings.Repeat("x", invocation.MaxAnswerBody)), strings.NewReplacer(`"status":500,"content`, `"status":-1,"content`),
		strings.NewReplacer(`"truncated":true`, `"body_base64":true`), strings.NewReplacer("text/html", strings.Repeat("x", invocation.MaxAnswerType)),
	} {
		switch so, got := r.load(t, change.Replace(line)); {
		case so.FailedTotal != 1:
			t.Errorf("a wrong answer is imported: %s: got FailedTotal %v, want 1", got.Body, so.FailedTotal)
		case so.Failed[0].Error != "answer cannot be":
			t.Errorf(`a wrong answer is imported: %s: got error %v, want "answer cannot be"`, got.Body, so.Failed[0].Error)
		}
	}
}
