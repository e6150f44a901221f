package api_test

// The read-only account: what each operation answers it, and what it never sees.

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/openfaas/faas-provider/types"

	"queue-worker/pkg/api/apitest"
	"queue-worker/pkg/basicauth"
	"queue-worker/pkg/invocation"
	"queue-worker/pkg/wire"
)

// readerAnswers is what each operation of openapi.yaml answers the read-only account: 403, or
// what it answers every client that may read. An operation that is added has to be entered.
var readerAnswers = map[string]int{
	"GET /ping":         200,
	"GET /healthz":      200,
	"GET /readyz":       200,
	"GET /openapi.yaml": 200,
	"GET /metrics":      200,
	"GET /_metrics":     200,

	"POST /async-function/{fn}":           403,
	"POST /async-function/{fn}/{path...}": 403,
	"POST /deadletter/{fn}":               403,
	"POST /queue/producer":                403,
	"POST /queue/producer/{$}":            403,
	"DELETE /async-function/{fn}":         403,

	"GET /v1/dead_set":              200,
	"DELETE /v1/dead_set":           403,
	"POST /v1/dead_set/replay":      403,
	"GET /v1/dead_set/groups":       200,
	"GET /v1/dead_set/export":       403,
	"POST /v1/dead_set/import":      403,
	"POST /v1/dead_set/plan":        403,
	"GET /v1/dead_set/{id}":         200,
	"DELETE /v1/dead_set/{id}":      403,
	"POST /v1/dead_set/{id}/replay": 403,

	"GET /v1/jobs":              200,
	"GET /v1/jobs/{id}":         404,
	"POST /v1/jobs/{id}/apply":  403,
	"POST /v1/jobs/{id}/pause":  403,
	"POST /v1/jobs/{id}/resume": 403,
	"POST /v1/jobs/{id}/cancel": 403,

	"GET /v1/invocations":              200,
	"GET /v1/invocations/{id}":         200,
	"DELETE /v1/invocations/{id}":      403,
	"GET /v1/invocations/{id}/request": 200,
	"GET /v1/invocations/{id}/result":  403,

	"GET /v1/status": 200,

	"GET /v1/functions":              200,
	"GET /v1/functions/{fn}":         404,
	"GET /v1/functions/{fn}/due":     200,
	"POST /v1/functions/{fn}/pause":  403,
	"POST /v1/functions/{fn}/resume": 403,
	"POST /v1/functions/{fn}/purge":  403,
	"GET /v1/functions/{fn}/policy":  200,
}

// asReader sends the credentials of the read-only account.
func asReader(r *http.Request) { r.SetBasicAuth(apitest.TestReader, apitest.TestReaderPassword) }

// readRig has a dead letter, which is apitest.IDOf(0), with secrets in all that is not shown.
func readRig(t *testing.T, edits ...func(*apitest.Options)) *rig {
	t.Helper()
	r := newRig(t, append([]func(*apitest.Options){apitest.WithReader(t)}, edits...)...)
	inv := apitest.DeadAt(0)
	inv.Answer = &invocation.Answer{At: apitest.Begin, Status: 500, Type: "text/plain", Body: []byte("CANARY of an answer")}
	r.Put(t, inv, apitest.Request(t, types.QueueRequest{
		Function: "figlet", Body: []byte("CANARY of a body"), QueryString: "k=CANARY",
		Header: http.Header{"Authorization": {"CANARY"}, "X-Callback-Url": {"http://example.com/CANARY"}, "X-Color": {"blue"}},
	}))
	return r
}

func TestEachOperationAnswersTheReadOnlyAccount(t *testing.T) {
	t.Parallel()
	for _, auth := range []bool{false, true} {
		r := readRig(t, func(o *apitest.Options) { o.API.IngestAuth = auth })
		entered := map[string]bool{}
		for _, o := range r.operations() {
			if isOfConsole(o.Path) {
				continue
			}
			name := o.Method + " " + o.Path
			entered[name] = true
			want, ok := readerAnswers[name]
			if !ok {
				t.Errorf("%s is not in readerAnswers: enter what it answers the read-only account", name)
				continue
			}
			method, path, _ := strings.Cut(requestLine(o), " ")
			if got := r.Ask(t, method, path, asReader); got.Status != want {
				t.Errorf("%s, ingest_auth=%v: got %d %s, want %d", name, auth, got.Status, got.Body, want)
			}
		}
		for name := range readerAnswers {
			if !entered[name] {
				t.Errorf("got %s in readerAnswers, want operations only", name)
			}
		}
		if n := r.Accepts.Count(); n != 0 {
			t.Errorf("got %d accepted submissions of the read-only account, want 0", n)
		}
	}
}

func TestTheReadOnlyAccountSeesEachPageAndNoForm(t *testing.T) {
	t.Parallel()
	r := readRig(t)
	for _, o := range r.operations() {
		if !isOfConsole(o.Path) || !o.Guarded {
			continue
		}
		method, path, _ := strings.Cut(requestLine(o), " ")
		got := r.Ask(t, method, path, asReader, ownForm)
		if refused := got.Status == http.StatusForbidden; refused != o.Acting {
			t.Errorf("%s %s: got %d, want refused %v", method, path, got.Status, o.Acting)
		}
		if !o.Acting && strings.Contains(got.Body, `method="post"`) {
			t.Errorf("%s %s: got a form, want none", method, path)
		}
	}
}

func TestTheReadOnlyAccountSeesNoPayload(t *testing.T) {
	t.Parallel()
	r := readRig(t)
	id := apitest.IDOf(0).String()
	for _, path := range []string{
		"/v1/dead_set", "/v1/dead_set/" + id, "/v1/dead_set/groups", "/v1/invocations/" + id, "/v1/invocations/" + id + "/request",
		"/invocations/" + id, "/dead", "/",
	} {
		got := r.Ask(t, http.MethodGet, path, asReader, func(q *http.Request) { q.Header.Set("Accept-Encoding", "identity") })
		if got.Status != http.StatusOK {
			t.Errorf("%s: got %d %s, want %d", path, got.Status, got.Body, http.StatusOK)
		}
		for _, secret := range []string{"CANARY", "Q0FOQVJZ", "Show the body", "Last answer <small"} { // base64 of CANARY
			if strings.Contains(got.Body, secret) {
				t.Errorf("%s: got %s, want no %q in it", path, got.Body, secret)
			}
		}
	}
	for _, path := range []string{
		"/v1/dead_set/" + id + "?body=true", "/v1/invocations/" + id + "/request?body=true", "/invocations/" + id + "?body=1",
		"/v1/dead_set?count=1&topic-entity=figlet", "/v1/dead_set/export", "/v1/invocations/" + id + "/result",
	} {
		if got := r.Ask(t, http.MethodGet, path, asReader); got.Status != http.StatusForbidden {
			t.Errorf("%s: got %d %s, want %d", path, got.Status, got.Body, http.StatusForbidden)
		}
	}
}

func TestAWithheldMessageSaysSo(t *testing.T) {
	t.Parallel()
	r := readRig(t)
	id := apitest.IDOf(0).String()
	var letter wire.LetterDetails
	apitest.Decode(t, r.Ask(t, http.MethodGet, "/v1/dead_set/"+id, asReader), &letter)
	if !letter.MessageWithheld || !letter.MessageCut || letter.MessageSize == 0 {
		t.Errorf("got withheld %v, cut %v, size %d; want true, true and the size", letter.MessageWithheld, letter.MessageCut, letter.MessageSize)
	}
	var request wire.Request
	apitest.Decode(t, r.Ask(t, http.MethodGet, "/v1/invocations/"+id+"/request", asReader), &request)
	if !request.MessageWithheld || request.Headers.Get("X-Color") != "blue" {
		t.Errorf("got withheld %v and headers %v, want true and the header that is no secret", request.MessageWithheld, request.Headers)
	}
}

// A filter shows whether a guess of a hidden value is right.
func TestTheReadOnlyAccountCannotGuessHiddenHeaders(t *testing.T) {
	t.Parallel()
	r := readRig(t)
	for header, want := range map[string]int{
		"X-Color: blue": 200, "Authorization: CANARY": 403, "authorization: wrong": 403, "X-Callback-Url: http://example.com/CANARY": 403,
	} {
		for _, path := range []string{"/v1/dead_set", "/v1/dead_set/groups", "/dead"} {
			if got := r.Ask(t, http.MethodGet, path+"?header="+url.QueryEscape(header), asReader); got.Status != want {
				t.Errorf("%s by %s: got %d %s, want %d", path, header, got.Status, got.Body, want)
			}
		}
	}
}

func TestTheOperatorSeesWhatTheReadOnlyAccountDoesNot(t *testing.T) {
	t.Parallel()
	r := readRig(t)
	id := apitest.IDOf(0).String()
	var letter wire.LetterDetails
	apitest.Decode(t, r.Ask(t, http.MethodGet, "/v1/dead_set/"+id, apitest.As(apitest.TestUser, apitest.TestPassword)), &letter)
	if string(letter.Message) != "CANARY of a body" || letter.Answer == nil {
		t.Errorf("got message %q and answer %v, want both", letter.Message, letter.Answer)
	}
}

// Without its files there is no such account, and nothing to warn of; with one of them there is a
// warning, and the operator is not kept out.
func TestTheReadOnlyAccountNeedsBothFiles(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	apitest.Secret(t, dir, apitest.TestUser, "first")
	synctest.Test(t, func(t *testing.T) {
		o := newRotation(t, dir)
		reader := func(what string, want int) {
			t.Helper()
			o.passes()
			if got := o.statusOf(apitest.TestReader, apitest.TestReaderPassword); got != want {
				t.Errorf("%s: got %d, want %d", what, got, want)
			}
			o.want(what, "first", 200)
		}
		warnings := func(what string, want int) {
			t.Helper()
			if got := strings.Count(o.r.Logs.String(), "level=WARN"); got != want {
				t.Errorf("%s: got %d warnings, want %d:\n%s", what, got, want, o.r.Logs)
			}
		}
		reader("no files", 401)
		warnings("no files", 0)
		apitest.SecretFile(t, dir, basicauth.ReadUserFile, apitest.TestReader)
		reader("no password", 401)
		reader("still no password", 401)
		warnings("no password", 1)
		apitest.SecretFile(t, dir, basicauth.ReadPasswordFile, apitest.TestReaderPassword)
		reader("both files", 200)
	})
}
