package admin_test

// Ziggurat's requests: where parameters may stand, what is checked in which
// order, and that its acts take the oldest.

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/openfaas/faas-provider/types"

	"queue-worker/pkg/admin"
	"queue-worker/pkg/api/apitest"
	"queue-worker/pkg/invocation"
	"queue-worker/pkg/jobs"
	"queue-worker/pkg/respond"
	"queue-worker/pkg/wire"
)

// gatewayOf is a gateway that knows some functions; "away" it cannot tell.
type gatewayOf []string

func (g gatewayOf) Known(_ context.Context, name string) (known, sure bool) {
	for _, f := range g {
		known = known || f == name
	}
	return known, name != "away"
}

func (g gatewayOf) Names(context.Context) []string { return g }

// newZiggurat is a rig with a gateway that knows one function.
func newZiggurat(t testing.TB) *rig {
	t.Helper()
	return newRig(t, func(o *apitest.Options) { o.Admin.Functions = gatewayOf{"other"} })
}

// sending adds a body with its type to a request.
func sending(contentType, body string) func(*http.Request) {
	return func(r *http.Request) {
		r.Header.Set("Content-Type", contentType)
		r.Body, r.ContentLength = io.NopCloser(strings.NewReader(body)), int64(len(body))
	}
}

// over waits until a job that an answer names is over.
func (r *rig) over(t testing.TB, got apitest.Answer) jobs.Job {
	t.Helper()
	var done wire.Triggered
	apitest.Decode(t, got, &done)
	if done.Job == "" {
		return jobs.Job{}
	}
	for {
		job, err := r.Jobs.Get(idFrom(t, done.Job))
		if err != nil {
			t.Fatal(err)
		}
		if job.State.IsOver() {
			return job
		}
		select {
		case <-time.After(time.Millisecond):
		case <-t.Context().Done():
			t.Fatalf("the job is not over: %+v", job)
		}
	}
}

// peeked is a peek's letters.
func (r *rig) peeked(t testing.TB, query string) []wire.Letter {
	t.Helper()
	var page wire.LetterList
	r.Get(t, "/v1/dead_set?"+query, &page)
	return page.Letters
}

func TestParametersStandInTheQueryOrInTheBodyInEverySpelling(t *testing.T) {
	t.Parallel()
	r := newZiggurat(t)
	r.Bury(t, 3)
	for _, topic := range []string{"topic-entity", "topic_entity", "topicEntity"} {
		for _, name := range []string{"figlet", "figlet.openfaas-fn"} {
			object := `{"count":"2","` + topic + `":"` + name + `"}`
			for how, got := range map[string]apitest.Answer{
				"query":       r.Ask(t, http.MethodGet, "/v1/dead_set?count=2&"+topic+"="+name),
				"JSON":        r.Ask(t, http.MethodGet, "/v1/dead_set", sending("application/json", object)),
				"other JSON":  r.Ask(t, http.MethodGet, "/v1/dead_set", sending("application/vnd.x+json; charset=utf-8", object)),
				"both":        r.Ask(t, http.MethodGet, "/v1/dead_set?count=2", sending("application/json", `{"`+topic+`":"`+name+`"}`)),
				"with number": r.Ask(t, http.MethodGet, "/v1/dead_set", sending("application/json", strings.Replace(object, `"2"`, "2", 1))),
				"channel":     r.Ask(t, http.MethodGet, "/v1/dead_set?count=2&channel=faas-request&"+topic+"="+name),
			} {
				switch n := strings.Count(got.Body, `"id":`); {
				case got.Status != http.StatusOK:
					t.Errorf("%s as %s in the %s answers %d with %d letters: %s, want status %d", topic, name, how, got.Status, n, got.Body, http.StatusOK)
				case n != 2:
					t.Errorf("%s as %s in the %s answers %d with %d letters: %s, want 2", topic, name, how, got.Status, n, got.Body)
				case got.Header.Get("Content-Type") != respond.ContentJSON:
					t.Errorf("%s as %s in the %s answers %d with %d letters: %s, want Content-Type %v", topic, name, how, got.Status, n, got.Body, respond.ContentJSON)
				}
			}
		}
	}
	for _, path := range []string{"DELETE /v1/dead_set", "POST /v1/dead_set/replay"} {
		method, path, _ := strings.Cut(path, " ")
		for _, edit := range []func(*http.Request){
			sending("application/json", `{"count":0,"topic_entity":"figlet"}`),
			sending("application/x-www-form-urlencoded", "count=0&topic-entity=figlet"),
			func(r *http.Request) { r.URL.RawQuery = "count=0&topic-entity=figlet" },
		} {
			switch got := r.Ask(t, method, path, edit); {
			case got.Status != http.StatusOK:
				t.Errorf("%s %s answers %d %s, want status %d", method, path, got.Status, got.Body, http.StatusOK)
			case strings.Contains(got.Body, "job"):
				t.Errorf(`%s %s answers %d %s, want no "job" in it`, method, path, got.Status, got.Body)
			case !strings.Contains(got.Body, "has been triggered"):
				t.Errorf(`%s %s answers %d %s, want "has been triggered" in it`, method, path, got.Status, got.Body)
			}
		}
	}
	if ids, _ := r.readAll(t, 10); len(ids) != 3 {
		t.Errorf("a count of 0 has left %d, want 3", len(ids))
	}
}

func TestZigguratsChecksAndTheirOrder(t *testing.T) {
	t.Parallel()
	r := newZiggurat(t)
	r.Bury(t, 3)
	type row struct {
		name, query, contentType, body, text string
		status                               int
	}
	const js = "application/json"
	rows := []row{
		{"no topic", "count=10", "", "", admin.TextTopic, 400},
		{"an unknown topic", "count=10&topic-entity=nope", "", "", admin.TextTopic, 400},
		{"an unknown topic with a namespace", "count=10&topic-entity=figlet.staging", "", "", admin.TextTopic, 400},
		{"an empty topic", "count=10&topic-entity=", "", "", admin.TextTopic, 400},
		{"a topic that is no name", "count=10&topic-entity=a%2Fb", "", "", admin.TextTopic, 400},
		{"a topic that is a number", "", js, `{"count":1,"topic-entity":7}`, admin.TextTopic, 400},
		{"a topic that is null", "", js, `{"count":1,"topic-entity":null}`, admin.TextTopic, 400},
		{"a topic that is a list", "", js, `{"count":1,"topic-entity":["figlet"]}`, admin.TextTopic, 400},
		{"topic and count wrong", "count=abc&topic-entity=nope", "", "", admin.TextTopic, 400},
		{"topic wrong and channel unknown", "count=1&topic-entity=nope&channel=nope", "", "", admin.TextTopic, 400},
		{"an unknown channel", "count=1&topic-entity=figlet&channel=nope", "", "", admin.TextChannel, 404},
		{"an empty channel", "count=1&topic-entity=figlet&channel=", "", "", admin.TextChannel, 404},
		{"a channel that is a number", "", js, `{"count":1,"topic-entity":"figlet","channel":1}`, admin.TextChannel, 404},
		{"a count that is a word", "count=abc&topic-entity=figlet", "", "", admin.TextCount, 400},
		{"a negative count", "count=-1&topic-entity=figlet", "", "", admin.TextCount, 400},
		{"a broken count", "count=1.5&topic-entity=figlet", "", "", admin.TextCount, 400},
		{"a count of 2^31", "count=2147483648&topic-entity=figlet", "", "", admin.TextCount, 400},
		{"a count beyond all", "count=99999999999999999999999&topic-entity=figlet", "", "", admin.TextCount, 400},
		{"an empty count", "count=&topic-entity=figlet", "", "", admin.TextCount, 400},
		{"a count with a blank", "count=%2B1&topic-entity=figlet", "", "", admin.TextCount, 400},
		{"no count", "topic-entity=figlet", "", "", admin.TextCount, 400},
		{"a broken number", "", js, `{"count":1.5,"topic-entity":"figlet"}`, admin.TextCount, 400},
		{"a number as 1e1", "", js, `{"count":1e1,"topic-entity":"figlet"}`, admin.TextCount, 400},
		{"a count that is true", "", js, `{"count":true,"topic-entity":"figlet"}`, admin.TextCount, 400},
		{"a count that is null", "", js, `{"count":null,"topic-entity":"figlet"}`, admin.TextCount, 400},
		{"a count that is a list", "", js, `{"count":[1],"topic-entity":"figlet"}`, admin.TextCount, 400},
		{"bad JSON", "", js, `{bad`, admin.ProblemMalformed.Text, 400},
		{"bad JSON beside a good query", "count=1&topic-entity=figlet", js, `{bad`, admin.ProblemMalformed.Text, 400},
		{"a list", "", js, `[1]`, admin.ProblemMalformed.Text, 400},
		{"null", "", js, `null`, admin.ProblemMalformed.Text, 400},
		{"a key twice", "", js, `{"count":1,"count":2,"topic-entity":"figlet"}`, admin.ProblemMalformed.Text, 400},
		{"a parameter twice", "count=1&count=2&topic-entity=figlet", "", "", "twice", 400},
		{"two spellings", "count=1&topic-entity=figlet&topic_entity=figlet", "", "", "twice", 400},
		{"query and body", "count=1&topic-entity=figlet", js, `{"count":2}`, "twice", 400},
		{"a filter that would be passed over", "count=1&topic-entity=figlet&reason=poison", "", "", "unknown parameter", 400},
		{"a key that is unknown", "", js, `{"count":1,"topic-entity":"figlet","reason":"poison"}`, "unknown parameter", 400},
		{"a query that cannot be read", "count=1&topic-entity=%zz", "", "", "cannot be read", 400},
		{"a huge body", "", js, `{"count":1,"topic-entity":"` + strings.Repeat("a", admin.MaxBody) + `"}`, "too large", 413},
	}
	for _, tt := range rows {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			for _, line := range []string{"GET /v1/dead_set", "DELETE /v1/dead_set", "POST /v1/dead_set/replay"} {
				method, path, _ := strings.Cut(line, " ")
				got := r.Ask(t, method, path, func(req *http.Request) {
					if req.URL.RawQuery = tt.query; tt.body != "" {
						sending(tt.contentType, tt.body)(req)
					}
				})
				var p wire.Problem
				apitest.Decode(t, got, &p)
				switch {
				case got.Status != tt.status:
					t.Errorf("%s answers %d %s, want status %v", line, got.Status, got.Body, tt.status)
				case !strings.Contains(p.Text, tt.text):
					t.Errorf("%s answers %d %s: got %q, want %q in Text", line, got.Status, got.Body, p.Text, tt.text)
				case got.ReasonOf(t) == "":
					t.Errorf("%s answers %d %s, want reason not empty", line, got.Status, got.Body)
				}
			}
		})
	}
	t.Cleanup(func() {
		if st := r.Store.Stats(); st.Dead != 3 {
			t.Errorf("a request that was refused had an effect: %+v, want dead 3", st)
		}
	})
}

func TestATopicIsKnownToTheGatewayOrToTheStore(t *testing.T) {
	t.Parallel()
	r := newZiggurat(t)
	r.Bury(t, 1)
	callback := apitest.DeadAt(1)
	callback.Kind, callback.URL, callback.Lane = invocation.KindCallback, "http://10.0.0.1/", invocation.Lane{Queue: "faas-request", Name: "url:10.0.0.1:80"}
	r.Put(t, callback, nil)
	old := apitest.DeadAt(2)
	old.Lane = invocation.Lane{Queue: "once", Name: "old.staging"}
	r.Put(t, old, nil)
	for topic, want := range map[string]int{
		"figlet": 1, "url:10.0.0.1:80": 1, "old.staging&channel=once": 1, "old.staging": 0, "other": 0, "away": 0, "figlet&channel=q1": 0,
	} {
		if n := len(r.peeked(t, "count=10&topic-entity="+topic)); n != want {
			t.Errorf("topic-entity=%s has %d letters, want %d", topic, n, want)
		}
	}
	if got := r.Ask(t, http.MethodGet, "/v1/dead_set?count=10&topic-entity=other"); got.Body != `{"messages":[]}`+"\n" {
		t.Errorf("nothing is %s, want %v", got.Body, `{"messages":[]}`+"\n")
	}
}

func TestAPeekHasTheOldestWithTheirWholeMessages(t *testing.T) {
	t.Parallel()
	r := newZiggurat(t)
	body := bytes.Repeat([]byte{'a', 0, 0xff}, admin.PreviewBytes)
	for i := range admin.StreamPage + 5 {
		r.Put(t, apitest.DeadAt(i), apitest.Request(t, types.QueueRequest{Function: "figlet", Body: body}))
	}
	for _, n := range []int{1, admin.StreamPage - 1, admin.StreamPage, admin.StreamPage + 1, admin.StreamPage + 5, 2147483647} {
		all := r.peeked(t, "topic-entity=figlet&count="+strconv.Itoa(n))
		if len(all) != min(n, admin.StreamPage+5) {
			t.Fatalf("count=%d has %d dead letters, want %d", n, len(all), min(n, admin.StreamPage+5))
		}
		for i, l := range all {
			switch {
			case !bytes.Equal(l.Message, body):
				t.Fatalf("dead letter %d is %s with %d bytes, want %.100q", i, l.ID, len(l.Message), body)
			case l.ID != apitest.IDOf(i).String():
				t.Fatalf("dead letter %d is %s with %d bytes, want ID %v", i, l.ID, len(l.Message), apitest.IDOf(i).String())
			case l.MessageCut:
				t.Fatalf("dead letter %d is %s with %d bytes, want not MessageCut", i, l.ID, len(l.Message))
			}
		}
	}
	switch got := r.Ask(t, http.MethodHead, "/v1/dead_set?count=10&topic-entity=figlet"); {
	case got.Status != http.StatusOK:
		t.Errorf("HEAD answers %d %q, want status %d", got.Status, got.Body, http.StatusOK)
	case got.Body != "":
		t.Errorf("HEAD answers %d %q, want body empty", got.Status, got.Body)
	}
}

func TestAPeekShowsNoCredentials(t *testing.T) {
	t.Parallel()
	r := newZiggurat(t)
	cast(t, r)
	bad := apitest.DeadAt(50)
	bad.Reason = invocation.Malformed
	r.Put(t, bad, []byte(`{"Function":"figlet","Header":{"Authorization":["CANARY"]}`))
	got := r.Ask(t, http.MethodGet, "/v1/dead_set?count=10&topic-entity=figlet")
	switch {
	case got.Status != http.StatusOK:
		t.Errorf("it answers %d %s, want status %d", got.Status, got.Body, http.StatusOK)
	case strings.Contains(got.Body, "CANARY"):
		t.Errorf(`it answers %d %s, want no "CANARY" in it`, got.Status, got.Body)
	case strings.Count(got.Body, `"message_withheld":true`) != 1:
		t.Errorf(`it answers %d %s, want 1 of "message_withheld":true`, got.Status, got.Body)
	}
	for _, l := range r.peeked(t, "count=10&topic-entity=figlet") {
		if l.MessageWithheld && len(l.Message) > 0 {
			t.Errorf("the message is there: %+v", l)
		}
	}
}

func TestZigguratsActsTakeTheOldest(t *testing.T) {
	t.Parallel()
	r := newZiggurat(t)
	r.Bury(t, 10)
	got := r.Ask(t, http.MethodDelete, "/v1/dead_set?"+url.Values{"count": {"8"}, "topic-entity": {"figlet"}}.Encode())
	switch {
	case got.Status != http.StatusOK:
		t.Errorf("delete answers %d %s, want status %d", got.Status, got.Body, http.StatusOK)
	case !strings.HasPrefix(got.Body, `{"message":"`+admin.TextDeleted+`"`):
		t.Errorf("delete answers %d %s, want %q at its beginning", got.Status, got.Body, `{"message":"`+admin.TextDeleted+`"`)
	}
	switch job := r.over(t, got); {
	case job.Done != 8:
		t.Errorf("the job is %+v, want done 8", job)
	case job.By != "loopback":
		t.Errorf(`the job is %+v, want by "loopback"`, job)
	}
	switch ids, _ := r.readAll(t, 10); {
	case len(ids) != 2:
		t.Errorf("%v are left, want 2", ids)
	case ids[0] != apitest.IDOf(8):
		t.Errorf("%v are left, want ids[0] %v", ids, apitest.IDOf(8))
	case ids[1] != apitest.IDOf(9):
		t.Errorf("%v are left, want ids[1] %v", ids, apitest.IDOf(9))
	}
	stale := apitest.DeadAt(7)
	stale.Replays = 3
	r.Put(t, stale, apitest.Request(t, types.QueueRequest{Function: "figlet"}))
	got = r.Ask(t, http.MethodPost, "/v1/dead_set/replay", sending("application/json", `{"count":"1","topic_entity":"figlet"}`))
	switch job := r.over(t, got); {
	case got.Status != http.StatusOK:
		t.Errorf("replay answers %d %s: %+v, want status %d", got.Status, got.Body, job, http.StatusOK)
	case job.Done != 1:
		t.Errorf("replay answers %d %s: %+v, want done 1", got.Status, got.Body, job)
	case !strings.HasPrefix(got.Body, `{"message":"`+admin.TextReplayed+`"`):
		t.Errorf("replay answers %d %s: %+v, want %q at its beginning", got.Status, got.Body, job, `{"message":"`+admin.TextReplayed+`"`)
	}
	switch inv, err := r.Store.Get(t.Context(), apitest.IDOf(7)); {
	case err != nil:
		t.Errorf("the oldest is %+v, %v, want no error", inv, err)
	case inv.State != invocation.Pending:
		t.Errorf("the oldest is %+v, %v, want state %v", inv, err, invocation.Pending)
	}
	switch got := r.Ask(t, http.MethodPost, "/v1/dead_set/replay?count=2147483647&topic-entity=other"); {
	case got.Status != http.StatusOK:
		t.Errorf("nothing to do answers %d %s, want status %d", got.Status, got.Body, http.StatusOK)
	case strings.Contains(got.Body, "job"):
		t.Errorf(`nothing to do answers %d %s, want no "job" in it`, got.Status, got.Body)
	}
	if n := strings.Count(r.Logs.String(), "dead set changed"); n < 2 {
		t.Errorf("the log is\n%s: got %v, want at least 2", r.Logs, n)
	}
}
