package e2e

// Every form in which a message comes.

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// recorded are messages as gateways of three years have published them, with what
// the function has to see.
var recorded = map[string]asked{
	"gateway-2026.json":       {URI: "/function/chaos-fn/a/b?x=1", Body: []byte("hello")},
	"gateway-2021.json":       {URI: "/function/chaos.openfaas-fn/v1/job?user=1", Body: []byte("hello")},
	"gateway-2021-plain.json": {URI: "/function/figlet/"},
}

func TestEveryRecordedFormIsCalled(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("testdata/wire/*.json")
	switch {
	case err != nil:
		t.Fatalf("the recorded forms are %q, %v, want no error", files, err)
	case len(files) != len(recorded):
		t.Fatalf("the recorded forms are %q, %v, want %d files", files, err, len(recorded))
	}
	s := newStand(t, "max_retry_attempts=0")
	w := s.worker()
	for i, file := range files {
		raw, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		s.broker.publishRaw(t, string(raw))
		got, want := s.gateway.await(t, i+1)[i], recorded[filepath.Base(file)]
		switch {
		case got.Method != "POST":
			t.Errorf(`%s is called as %s %s with %q, want method "POST"`, file, got.Method, got.URI, got.Body)
		case got.URI != want.URI:
			t.Errorf("%s is called as %s %s with %q, want URI %v", file, got.Method, got.URI, got.Body, want.URI)
		case !bytes.Equal(got.Body, want.Body):
			t.Errorf("%s is called as %s %s with %q, want %q", file, got.Method, got.URI, got.Body, want.Body)
		}
		switch {
		case !bytes.Contains(raw, []byte(got.callID())):
			t.Errorf("%s is called with the call id %q, which is not in it, want %q in raw", file, got.callID(), got.callID())
		case got.callID() == "":
			t.Errorf("%s is called with the call id %q, which is not in it, want callID not empty", file, got.callID())
		}
	}
	// Two of them have a callback that leads nowhere here.
	w.event(t, "a callback to the host of the header", func(e entry) bool {
		return e.message() == "callback" && e.text("target") == "url:gateway.openfaas:8080" && e.text("next") == "dead"
	})
	w.event(t, "a callback to a closed port", func(e entry) bool {
		return e.message() == "callback" && e.text("target") == "url:127.0.0.1:9" && e.text("cause") == "refused"
	})
}

// forms are others that OPENFAAS's own consumer reads, or crashes on. %s is the
// name of the function.
var forms = map[string]struct {
	raw  string
	rest string // of the URI, after the name
	body string
}{
	"the least there is":                 {`{"Function":"%s"}`, "/", ""},
	"every key of 2021, empty":           {`{"Header":{},"Host":"","Body":"","Method":"POST","Path":"","QueryString":"","Function":"%s","QueueName":"","CallbackUrl":null}`, "/", ""},
	"null header and body":               {`{"Header":null,"Body":null,"Function":"%s","CallbackUrl":null}`, "/", ""},
	"keys in lower case":                 {`{"header":{"x-a":["b"]},"body":"aGk=","path":"/p","querystring":"q=1","function":"%s"}`, "/p?q=1", "hi"},
	"unknown keys":                       {`{"Function":"%s","Body":"aGk=","Version":7,"Trace":{"a":[1,2,{}]}}`, "/", "hi"},
	"labels and environment of 2025":     {`{"Function":"%s","Annotations":{"a":"b"},"Labels":{"c":"d"},"Environment":{"e":"f"}}`, "/", ""},
	"a trailing slash":                   {`{"Function":"%s","Path":"/"}`, "/", ""},
	"a path of its own":                  {`{"Function":"%s","Path":"/v1/a%%20b/"}`, "/v1/a%20b/", ""},
	"a path that was decoded":            {`{"Function":"%s","Path":"/v1/a b"}`, "/v1/a%20b", ""},
	"a query that is not one":            {`{"Function":"%s","QueryString":"a&&b=%%zz;"}`, "/?a&&b=%zz;", ""},
	"another method":                     {`{"Function":"%s","Method":"GET"}`, "/", ""},
	"a queue's name":                     {`{"Function":"%s","QueueName":"other"}`, "/", ""},
	"a name with slashes around it":      {`{"Function":"/%s/"}`, "/", ""},
	"escapes in the body":                {`{"Function":"%s","Body":"\u0061Gk="}`, "/", "hi"},
	"a URL object of an older Go":        {`{"Function":"%s","CallbackUrl":{"Scheme":"","Opaque":"","User":null,"Host":"","Path":"","RawPath":"","ForceQuery":false,"RawQuery":"","Fragment":""}}`, "/", ""},
	"spaces and line breaks between all": {"\n {\t\"Function\" : \"%s\" ,\r\n \"Body\" : \"aGk=\" } \n", "/", "hi"},
	"a name that comes twice":            {`{"Function":"other","Function":"%s"}`, "/", ""},
}

func TestEveryToleratedFormIsCalled(t *testing.T) {
	t.Parallel()
	s := newStand(t)
	w := s.worker()
	names := map[string]string{}
	for what, form := range forms {
		name := fmt.Sprintf("fn%d", len(names))
		names[name] = what
		s.broker.publishRaw(t, fmt.Sprintf(form.raw, name))
	}
	s.gateway.awaitDone(t, len(forms))
	for _, got := range s.gateway.all() {
		form := forms[names[got.Function]]
		if want := "/function/" + got.Function + form.rest; got.Method != "POST" || got.URI != want || string(got.Body) != form.body {
			t.Errorf("%q is called as %s %s with %q, want POST %s with %q", names[got.Function], got.Method, got.URI, got.Body, want, form.body)
		}
		switch {
		case got.callID() == "":
			t.Errorf("%q is called without ids: %v, want callID not empty", names[got.Function], got.Header)
		case got.Header.Get("Idempotency-Key") == "":
			t.Errorf("%q is called without ids: %v, want Idempotency-Key not empty", names[got.Function], got.Header)
		}
		delete(names, got.Function)
	}
	if len(names) > 0 {
		t.Errorf("not called: %v, want no names", names)
	}
	w.idle(t)
}

// malformed are messages that no call can be made of.
var malformed = map[string]string{
	"nothing":                      ``,
	"not JSON":                     `hello`,
	"a torn message":               `{"Function":"bad","Body":"aGVs`,
	"JSON null":                    `null`,
	"a list":                       `[]`,
	"two values":                   `{"Function":"bad"}{"Function":"bad"}`,
	"bytes of anything":            "\x00\xff\xfe{}\x80",
	"a body that is not base64":    `{"Function":"bad","Body":"***"}`,
	"a header of a wrong type":     `{"Function":"bad","Header":"x"}`,
	"a function of a wrong type":   `{"Function":7}`,
	"a callback of a wrong type":   `{"Function":"bad","CallbackUrl":7}`,
	"no function":                  `{"Body":"aGk="}`,
	"an empty function":            `{"Function":""}`,
	"a function of dots":           `{"Function":".."}`,
	"a function that is a path":    `{"Function":"bad/../../system/functions"}`,
	"a function with a query":      `{"Function":"bad?x=1"}`,
	"a function with a line break": `{"Function":"bad\r\nX: y"}`,
	"a function that is a host":    `{"Function":"bad@example.com:80"}`,
	"a header value with breaks":   `{"Function":"bad","Header":{"X-A":["b\r\nX-Evil: 1"]}}`,
	"a header value with a NUL":    `{"Function":"bad","Header":{"X-A":["b\u0000"]}}`,
	"a header name with a space":   `{"Function":"bad","Header":{"X A":["b"]}}`,
	"an empty header name":         `{"Function":"bad","Header":{"":["b"]}}`,
	"a header beyond its bound":    `{"Function":"bad","Header":{"X-A":["` + strings.Repeat("a", 70_000) + `"]}}`,
	"a path out of the function":   `{"Function":"bad","Path":"/../../system/functions"}`,
	"a path out of it, encoded":    `{"Function":"bad","Path":"/%2e%2e/%2e%2e/system/functions"}`,
	"a path that is no path":       `{"Function":"bad","Path":"@example.com/"}`,
	"a query with a line break":    `{"Function":"bad","QueryString":"a HTTP/1.1\r\nX: y"}`,
}

func TestMalformedMessagesAreKeptAndDelayNothing(t *testing.T) {
	t.Parallel()
	s := newStand(t, "max_inflight=1")
	w := s.worker()
	for _, raw := range malformed {
		s.broker.publishRaw(t, raw)
	}
	next := call("good", "hello")
	s.broker.publish(t, next)
	w.next(t, next, "done")
	switch all := s.gateway.all(); {
	case len(all) != 1:
		t.Errorf("called were %+v, want 1", all)
	case all[0].Function != "good":
		t.Errorf(`called were %+v, want function "good"`, all)
	}
	w.idle(t)

	kept := map[string]bool{}
	for _, l := range w.deadSet(t) {
		kept[l.raw(t, w)] = true
		switch {
		case l.Reason != "malformed":
			t.Errorf(`a malformed message is kept as %+v, want reason "malformed"`, l)
		case len(l.Attempts) != 0:
			t.Errorf("a malformed message is kept as %+v, want 0 attempts", l)
		case l.Detail == "":
			t.Errorf("a malformed message is kept as %+v, want detail not empty", l)
		}
	}
	for what, raw := range malformed {
		if !kept[raw] {
			t.Errorf("%s is not in the dead set with its bytes", what)
		}
	}
	if len(kept) != len(malformed) {
		t.Errorf("the dead set has %d letters, want %d", len(kept), len(malformed))
	}
	w.kill()
	if again := s.worker(); len(again.deadSet(t)) != len(malformed) {
		t.Errorf("after kill -9 the dead set has %d dead letters, want %d", len(again.deadSet(t)), len(malformed))
	}
}

func TestSeveralQueuesAreReadByOneWorker(t *testing.T) {
	t.Parallel()
	s := newStand(t, "faas_nats_channel=faas-request,slow.queue")
	w := s.worker()
	first, second := call("fn1", ""), call("fn2", "", func(m *message) { m.QueueName = "slow.queue" })
	s.broker.publish(t, first, second)
	w.next(t, first, "done")
	w.next(t, second, "done")
	m := w.metrics(t)
	for _, queue := range []string{"faas-request", "slow.queue"} {
		if n := m.sum("queue_worker_messages_processed_total", "queue_name", queue); n != 1 {
			t.Errorf("%s has %v processed messages, want 1", queue, n)
		}
	}
	names := []string{s.gateway.of(first)[0].Function, s.gateway.of(second)[0].Function}
	if !slices.Equal(names, []string{"fn1", "fn2"}) {
		t.Errorf("called were %q, want %v", names, []string{"fn1", "fn2"})
	}
}
