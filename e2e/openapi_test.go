package e2e

// The document of the surface is true: every operation is tried, and what comes
// back has the status and the shape that it says.

import (
	"bytes"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
)

// sample is a request of an operation. Names after $ stand for what tour makes.
type sample struct {
	operation string // method and path as the document has them
	path      string // as it is asked for; the same without one
	body      string // JSON, unless the operation takes anything
	want      int
}

const badJSON = `{"act":7}`

var samples = []sample{
	{"GET /ping", "", "", 200},
	{"GET /healthz", "", "", 200},
	{"GET /readyz", "", "", 200},
	{"GET /metrics", "", "", 200},
	{"GET /_metrics", "", "", 200},
	{"GET /openapi.yaml", "", "", 200},

	{"POST /async-function/{fn}", "/async-function/figlet", "hello", 202},
	{"POST /async-function/{fn}", "/async-function/a%20b", "hello", 400},
	{"POST /async-function/{fn}/{path}", "/async-function/figlet/x?y=z", "hello", 202},
	{"DELETE /async-function/{fn}", "/async-function/$CALL", "", 202},
	{"DELETE /async-function/{fn}", "/async-function/missing", "", 404},
	{"POST /deadletter/{fn}", "/deadletter/figlet", "hello", 202},
	{"POST /deadletter/{fn}", "/deadletter/a%20b", "hello", 400},
	{"POST /queue/producer", "", `{"message":"hello","callback_url":"http://127.0.0.1:1/x"}`, 202},
	{"POST /queue/producer", "", `{"message":7}`, 400},
	{"POST /queue/producer/", "", `{"message":"hello","callback_url":"http://127.0.0.1:1/x"}`, 202},

	{"GET /v1/dead_set", "", "", 200},
	{"GET /v1/dead_set", "/v1/dead_set?limit=1&function=figlet&queue=faas-request&reason=attempts_exhausted,poison&status=5xx&since=1d&header=Accept:*/*", "", 200},
	{"GET /v1/dead_set", "/v1/dead_set?count=2&topic-entity=figlet&channel=faas-request", "", 200},
	{"GET /v1/dead_set", "/v1/dead_set?count=0&topic-entity=figlet", "", 200},
	{"GET /v1/dead_set", "/v1/dead_set?count=x&topic-entity=figlet", "", 400},
	{"GET /v1/dead_set", "/v1/dead_set?count=1&topic-entity=figlet&channel=nope", "", 404},
	{"GET /v1/dead_set", "/v1/dead_set?limit=0", "", 400},
	{"DELETE /v1/dead_set", "/v1/dead_set?count=1&topic-entity=figlet", "", 200},
	{"DELETE /v1/dead_set", "", "", 400},
	{"POST /v1/dead_set/replay", "", `{"count":"1","topic_entity":"figlet"}`, 200},
	{"POST /v1/dead_set/replay", "", `{"count":0,"topic-entity":"figlet"}`, 200},
	{"POST /v1/dead_set/replay", "", `{"count":"1"}`, 400},
	{"GET /v1/dead_set", "/v1/dead_set?order=newest&limit=2", "", 200},
	{"GET /v1/dead_set/groups", "", "", 200},
	{"GET /v1/dead_set/groups", "/v1/dead_set/groups?status=x", "", 400},
	{"GET /v1/dead_set/export", "", "", 200},
	{"GET /v1/dead_set/export", "/v1/dead_set/export?limit=1", "", 400},
	{"POST /v1/dead_set/import", "", "not a letter\n", 200},
	{"POST /v1/dead_set/import", "/v1/dead_set/import?force=true", "", 400},
	{"POST /v1/dead_set/plan", "", `{"act":"replay","filter":{"function":"figlet","status":["5xx",429],"since":"7d"},"canary":true,"rate":5}`, 201},
	{"POST /v1/dead_set/plan", "", `{"act":"drop","filter":{"header":"Authorization: secret"},"limit":3}`, 201},
	{"POST /v1/dead_set/plan", "", badJSON, 400},
	{"POST /v1/dead_set/plan", "", `{"act":"drop"}`, 400},
	{"GET /v1/dead_set/{id}", "/v1/dead_set/$ID", "", 200},
	{"GET /v1/dead_set/{id}", "/v1/dead_set/$ID?body=true", "", 200},
	{"GET /v1/dead_set/{id}", "/v1/dead_set/nope", "", 400},
	{"GET /v1/dead_set/{id}", "/v1/dead_set/01990000-0000-7000-8000-00000000ffff", "", 404},
	{"DELETE /v1/dead_set/{id}", "/v1/dead_set/$ID", "", 200},
	{"DELETE /v1/dead_set/{id}", "/v1/dead_set/01990000-0000-7000-8000-00000000ffff", "", 404},
	{"POST /v1/dead_set/{id}/replay", "/v1/dead_set/$ID/replay", "", 200},
	{"POST /v1/dead_set/{id}/replay", "/v1/dead_set/nope/replay", "", 400},

	{"GET /v1/jobs", "", "", 200},
	{"GET /v1/jobs", "/v1/jobs?state=done", "", 400},
	{"GET /v1/jobs/{id}", "/v1/jobs/$JOB", "", 200},
	{"GET /v1/jobs/{id}", "/v1/jobs/01990000-0000-7000-8000-00000000ffff", "", 404},
	{"POST /v1/jobs/{id}/apply", "/v1/jobs/$JOB/apply", "", 202},
	{"POST /v1/jobs/{id}/pause", "/v1/jobs/$JOB/pause", "", 200},
	{"POST /v1/jobs/{id}/resume", "/v1/jobs/$JOB/resume", "", 200},
	{"POST /v1/jobs/{id}/cancel", "/v1/jobs/$JOB/cancel", "", 200},
	{"POST /v1/jobs/{id}/cancel", "/v1/jobs/nope/cancel", "", 400},

	{"GET /v1/invocations", "", "", 200},
	{"GET /v1/invocations", "/v1/invocations?function=figlet&state=delayed&limit=1", "", 200},
	{"GET /v1/invocations", "/v1/invocations?state=dead", "", 400},
	{"GET /v1/invocations/{id}", "/v1/invocations/$CALL", "", 200},
	{"GET /v1/invocations/{id}", "/v1/invocations/$CALL?wait=1ms", "", 200},
	{"GET /v1/invocations/{id}", "/v1/invocations/missing", "", 404},
	{"DELETE /v1/invocations/{id}", "/v1/invocations/$CALL", "", 202},
	{"DELETE /v1/invocations/{id}", "/v1/invocations/missing", "", 404},
	{"GET /v1/invocations/{id}/request", "/v1/invocations/$CALL/request", "", 200},
	{"GET /v1/invocations/{id}/request", "/v1/invocations/$CALL/request?body=true", "", 200},
	{"GET /v1/invocations/{id}/request", "/v1/invocations/missing/request", "", 404},
	{"GET /v1/invocations/{id}/result", "/v1/invocations/$CALL/result", "", 200},
	{"GET /v1/invocations/{id}/result", "/v1/invocations/missing/result", "", 404},

	{"GET /v1/functions", "", "", 200},
	{"GET /v1/functions", "/v1/functions?limit=none", "", 400},
	{"GET /v1/functions", "/v1/functions?history=1h", "", 200},
	{"GET /v1/functions/{fn}", "/v1/functions/figlet?history=2h", "", 400},
	{"GET /v1/functions/{fn}", "/v1/functions/figlet", "", 200},
	{"GET /v1/functions/{fn}", "/v1/functions/a%20b", "", 400},
	{"GET /v1/functions/{fn}/policy", "/v1/functions/figlet/policy", "", 200},
	{"GET /v1/functions/{fn}/due", "/v1/functions/figlet/due", "", 200},
	{"GET /v1/functions/{fn}/due", "/v1/functions/figlet/due?queue=nope", "", 404},
	{"POST /v1/functions/{fn}/pause", "/v1/functions/cows/pause", `{"reason":"it is ill","author":"me","for":"1h"}`, 200},
	{"POST /v1/functions/{fn}/pause", "/v1/functions/cows/pause", `{"for":"soon"}`, 400},
	{"GET /v1/functions", "", "", 200}, // one is paused now
	{"GET /v1/status", "", "", 200},
	{"GET /v1/status", "/v1/status?all=true", "", 400},
	{"POST /v1/functions/{fn}/resume", "/v1/functions/cows/resume", "", 200},
	{"POST /v1/functions/{fn}/purge", "/v1/functions/figlet/purge", `{"state":"delayed"}`, 201},
	{"POST /v1/functions/{fn}/purge", "/v1/functions/figlet/purge", `{}`, 400},
}

func TestEveryOperationOfTheDocumentAnswersAsItSays(t *testing.T) {
	t.Parallel()
	o := newTour(t)
	_, text := o.w.ask(t, http.MethodGet, "/openapi.yaml")
	doc := readDocument(t, []byte(text))
	tried := map[string]bool{}
	for _, s := range samples {
		o.try(doc, s)
		tried[s.operation] = tried[s.operation] || s.want < 300
		if op := operationOf(doc, s.operation); op.Security == nil {
			o.tryFromElsewhere(doc, s)
		}
	}
	for name := range operations(doc) {
		if !tried[name] {
			t.Errorf("%s is never tried with success", name)
		}
	}
}

// readDocument reads and checks the document, and then lets no object have keys
// that it does not name.
func readDocument(t *testing.T, text []byte) *openapi3.T {
	t.Helper()
	doc, err := openapi3.NewLoader().LoadFromData(text)
	if err != nil {
		t.Fatal(err)
	}
	if err := doc.Validate(t.Context()); err != nil {
		t.Fatal(err)
	}
	sealed := map[*openapi3.Schema]bool{}
	for _, s := range doc.Components.Schemas {
		seal(s, sealed)
	}
	for _, op := range operations(doc) {
		for _, res := range op.Responses.Map() {
			for _, m := range res.Value.Content {
				if m.Schema != nil {
					seal(m.Schema, sealed)
				}
			}
		}
	}
	return doc
}

func seal(ref *openapi3.SchemaRef, done map[*openapi3.Schema]bool) {
	s := ref.Value
	if done[s] {
		return
	}
	done[s] = true
	if a := &s.AdditionalProperties; len(s.Properties) > 0 && a.Has == nil && a.Schema == nil {
		no := false
		a.Has = &no
	}
	for _, p := range s.Properties {
		seal(p, done)
	}
	for _, p := range s.OneOf {
		seal(p, done)
	}
	if s.Items != nil {
		seal(s.Items, done)
	}
}

// operations are those of the document by method and path.
func operations(doc *openapi3.T) map[string]*openapi3.Operation {
	all := map[string]*openapi3.Operation{}
	for path, item := range doc.Paths.Map() {
		for method, op := range item.Operations() {
			all[method+" "+path] = op
		}
	}
	return all
}

func operationOf(doc *openapi3.T, name string) *openapi3.Operation {
	method, path, _ := strings.Cut(name, " ")
	return doc.Paths.Value(path).GetOperation(method)
}

// request makes the request of a sample.
func (o *tour) request(s sample) *http.Request {
	o.t.Helper()
	method, path, _ := strings.Cut(s.operation, " ")
	if s.path != "" {
		path = s.path
	}
	env := o.prepare(s.operation)
	path = os.Expand(path, func(name string) string { return env[name] })
	req, err := http.NewRequest(method, o.w.base+path, strings.NewReader(s.body))
	if err != nil {
		o.t.Fatal(err)
	}
	if strings.HasPrefix(s.body, "{") {
		req.Header.Set("Content-Type", "application/json")
	}
	return req
}

// try makes the request of a sample and holds the answer against the document. So
// is the request, when it is a good one.
func (o *tour) try(doc *openapi3.T, s sample) {
	o.t.Helper()
	req := o.request(s)
	in := inputOf(o.t, doc, s, req)
	if s.want < 300 {
		if err := openapi3filter.ValidateRequest(o.t.Context(), in); err != nil {
			o.t.Errorf("%s with %s is not as documented: %v", s.operation, req.URL, err)
		}
		req.Body = io.NopCloser(strings.NewReader(s.body))
	}
	o.check(in, req, s.want)
}

// tryFromElsewhere makes sure that a guarded operation refuses others, in the
// documented shape.
func (o *tour) tryFromElsewhere(doc *openapi3.T, s sample) {
	o.t.Helper()
	req := o.request(s)
	req.Header.Set("X-Forwarded-For", "10.0.0.1")
	o.check(inputOf(o.t, doc, s, req), req, http.StatusForbidden)
}

func inputOf(t testing.TB, doc *openapi3.T, s sample, req *http.Request) *openapi3filter.RequestValidationInput {
	t.Helper()
	method, template, _ := strings.Cut(s.operation, " ")
	item := doc.Paths.Value(template)
	switch {
	case item == nil:
		t.Fatalf("%s is not in the document: got item %v, want set", s.operation, item)
	case item.GetOperation(method) == nil:
		t.Fatalf("%s is not in the document, want item.GetOperation(method) set", s.operation)
	}
	return &openapi3filter.RequestValidationInput{
		Request: req, PathParams: paramsOf(template, req.URL),
		Route: &routers.Route{Spec: doc, Path: template, PathItem: item, Method: method, Operation: item.GetOperation(method)},
		Options: &openapi3filter.Options{
			AuthenticationFunc: openapi3filter.NoopAuthenticationFunc, IncludeResponseStatus: true, SkipSettingDefaults: true,
			ExcludeRequestBody: !strings.HasPrefix(s.body, "{"), MultiError: true,
		},
	}
}

// paramsOf are the parameters of a path.
func paramsOf(template string, u *url.URL) map[string]string {
	all := map[string]string{}
	parts := strings.Split(u.Path, "/")
	for i, name := range strings.Split(template, "/") {
		if strings.HasPrefix(name, "{") && i < len(parts) {
			all[strings.Trim(name, "{}")] = parts[i]
		}
	}
	return all
}

// check makes a request and holds the answer against the document.
func (o *tour) check(in *openapi3filter.RequestValidationInput, req *http.Request, want int) {
	o.t.Helper()
	res, err := client.Do(req)
	if err != nil {
		o.t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		o.t.Fatal(err)
	}
	name := req.Method + " " + strings.TrimPrefix(req.URL.String(), o.w.base)
	if res.StatusCode != want {
		o.t.Errorf("%s is answered %d %s, want %d", name, res.StatusCode, body, want)
	}
	if err := validate(o, in, res, body); err != nil {
		o.t.Errorf("%s is answered %d %.2000s: %v", name, res.StatusCode, body, err)
	}
}

// validate checks status, type and JSON. What is no JSON is checked by its type.
func validate(o *tour, in *openapi3filter.RequestValidationInput, res *http.Response, body []byte) error {
	isJSON := strings.HasPrefix(res.Header.Get("Content-Type"), "application/json")
	if documented := in.Route.Operation.Responses.Status(res.StatusCode); !isJSON && documented != nil && documented.Value.Content != nil &&
		documented.Value.Content.Get(res.Header.Get("Content-Type")) == nil {
		o.t.Errorf("%s: the type is %s", in.Request.URL, res.Header.Get("Content-Type"))
	}
	options := *in.Options
	options.ExcludeResponseBody = !isJSON
	return openapi3filter.ValidateResponse(o.t.Context(), &openapi3filter.ResponseValidationInput{
		RequestValidationInput: in, Status: res.StatusCode, Header: res.Header,
		Body: io.NopCloser(bytes.NewReader(body)), Options: &options,
	})
}
