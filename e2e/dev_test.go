package e2e

// queue-worker dev: the walk-through of the README, on other ports.

import (
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"testing"
)

// devStand is queue-worker dev on ports and a folder that stay.
type devStand struct {
	t                   *testing.T
	gateway, stan, http string
	data                string
	env, args           []string
}

func newDevStand(t *testing.T, args ...string) *devStand {
	t.Helper()
	at := func() string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(freePort(t))) }
	return &devStand{t: t, gateway: at(), stan: at(), http: at(), data: t.TempDir(), args: args}
}

func (d *devStand) start(settings ...string) *worker {
	d.t.Helper()
	w := &worker{base: "http://" + d.http}
	w.process = launch(d.t, plainBinary, append(append([]string{"log_encoding=json"}, d.env...), settings...), append([]string{
		"dev", "--gateway-listen", d.gateway, "--stan-listen", d.stan, "--http-listen", d.http, "--data", d.data,
	}, d.args...)...)
	w.event(d.t, "being ready", func(e entry) bool { return e.message() == "ready" })
	return w.ready(d.t)
}

// curl is `curl <gateway><path> -d <data>`.
func (d *devStand) curl(path, data string) (code int, header http.Header, body string) {
	d.t.Helper()
	req, err := http.NewRequest(http.MethodPost, "http://"+d.gateway+path, strings.NewReader(data))
	if err != nil {
		d.t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	res, err := client.Do(req)
	if err != nil {
		d.t.Fatal(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		d.t.Fatal(err)
	}
	return res.StatusCode, res.Header, string(b)
}

func (d *devStand) set(chaos string) {
	d.t.Helper()
	if code, _, body := d.curl("/function/chaos-fn/set", chaos); code != http.StatusAccepted {
		d.t.Fatalf("setting the chaos function is answered %d %s", code, body)
	}
}

// async is an asynchronous call of the chaos function; it returns a message with
// its call id.
func (d *devStand) async(data string) *message {
	d.t.Helper()
	code, header, body := d.curl("/async-function/chaos-fn", data)
	if code != http.StatusAccepted || header.Get("X-Call-Id") == "" || body != "" {
		d.t.Fatalf("an asynchronous call is answered %d %v %s", code, header, body)
	}
	return call("chaos-fn", data, with("X-Call-Id", header.Get("X-Call-Id")))
}

func TestTheWalkThrough(t *testing.T) {
	t.Parallel()
	d := newDevStand(t)
	w := d.start("initial_retry_wait=1s")
	d.set(`{"status":500,"delay":"1s","body":"1 second delay, then 500"}`)
	m := d.async("hello")
	switch e := w.next(t, m, "retry"); {
	case e["status"] != 500.0:
		t.Errorf(`the log shows the first attempt as %v, want e["status"] 500.0`, e)
	case e.text("retry") != "0/10":
		t.Errorf(`the log shows the first attempt as %v, want retry "0/10"`, e)
	case e.text("wait") != "1s":
		t.Errorf(`the log shows the first attempt as %v, want wait "1s"`, e)
	case e.text("function") != "chaos-fn":
		t.Errorf(`the log shows the first attempt as %v, want function "chaos-fn"`, e)
	}
	d.set(`{"status":200,"delay":"1ms"}`)
	w.next(t, m, "done")
	switch code, _, body := d.curl("/function/chaos-fn", ""); {
	case code != http.StatusOK:
		t.Errorf("a call that waits is answered %d %q, want code %d", code, body, http.StatusOK)
	case body != "1 second delay, then 500":
		t.Errorf(`a call that waits is answered %d %q, want "1 second delay, then 500"`, code, body)
	}
}

func TestTheWalkThroughToTheDeadSet(t *testing.T) {
	t.Parallel()
	d := newDevStand(t)
	d.env = []string{"max_retry_attempts=2", "initial_retry_wait=100ms"}
	w := d.start()
	d.set(`{"status":500}`)
	m := d.async("hello")
	w.next(t, m, "dead")
	switch l := w.deadSet(t).only(t); {
	case l.CallID != id(m):
		t.Errorf("the dead letter is %+v, want CallID %v", l, id(m))
	case string(l.Message) != "hello":
		t.Errorf(`the dead letter is %+v, want message "hello"`, l)
	case len(l.Attempts) != 3:
		t.Errorf("the dead letter is %+v, want 3 attempts", l)
	}
	w.kill()
	w = d.start() // everything is in the folder
	d.set(`{"status":200}`)
	if code := w.deadSet(t).only(t).replay(t, w); code != http.StatusOK {
		t.Errorf("the replay is answered %d, want %d", code, http.StatusOK)
	}
	w.next(t, m, "done")
}

func TestTheStandSurvivesAKill(t *testing.T) {
	t.Parallel()
	d := newDevStand(t)
	d.env = []string{"initial_retry_wait=500ms"}
	w := d.start()
	d.set(`{"status":503}`)
	var all []*message
	for i := range 5 {
		all = append(all, d.async("hello "+strconv.Itoa(i)))
	}
	for _, m := range all {
		w.next(t, m, "retry")
	}
	w.kill()
	w = d.start() // the chaos function answers 200 again
	for _, m := range all {
		if e := w.next(t, m, "done"); e.text("retry") == "0/10" {
			t.Errorf(`the attempts before the kill are forgotten: %v, want retry other than "0/10"`, e)
		}
	}
	w.signal(t, 15)
	if code := w.exit(t); code != 0 {
		t.Errorf("the exit code is %d, want 0", code)
	}
}

func TestFunctionsAndCallbacksOfTheStand(t *testing.T) {
	t.Parallel()
	fn := newStub(t)
	d := newDevStand(t, "--function", "mine="+fn.url(), "--annotation", "mine:com.openfaas.retry.attempts=3")
	w := d.start()
	code, header, _ := d.curl("/async-function/mine/a/b?x=1", "hello")
	if code != http.StatusAccepted {
		t.Fatalf("an asynchronous call is answered %d, want %d", code, http.StatusAccepted)
	}
	m := call("mine", "", with("X-Call-Id", header.Get("X-Call-Id")))
	w.next(t, m, "done")
	switch got := fn.all()[0]; {
	case got.URI != "/a/b?x=1":
		t.Errorf(`the function was called as %s with %q, want URI "/a/b?x=1"`, got.URI, got.Body)
	case string(got.Body) != "hello":
		t.Errorf(`the function was called as %s with %q, want body "hello"`, got.URI, got.Body)
	case got.callID() != id(m):
		t.Errorf("the function was called as %s with %q, want callID %v", got.URI, got.Body, id(m))
	}
	switch code, body := ask(t, http.MethodGet, "http://"+d.gateway+"/system/function/mine"); {
	case code != http.StatusOK:
		t.Errorf("/system/function/mine is answered %d %s, want code %d", code, body, http.StatusOK)
	case !strings.Contains(body, `"com.openfaas.retry.attempts":"3"`):
		t.Errorf(`/system/function/mine is answered %d %s, want "com.openfaas.retry.attempts":"3" in it`, code, body)
	}
	if code, body := ask(t, http.MethodGet, "http://"+d.gateway+"/async-function/mine"); code != http.StatusMethodNotAllowed {
		t.Errorf("a GET of an asynchronous function is answered %d %s, want %d", code, body, http.StatusMethodNotAllowed)
	}
	code, _, body := d.curl("/async-function/mine", strings.Repeat("x", 256_001))
	switch {
	case code != http.StatusInternalServerError:
		t.Errorf("a body that is too large is answered %d %s, want code %d", code, body, http.StatusInternalServerError)
	case !strings.Contains(body, "too large"):
		t.Errorf(`a body that is too large is answered %d %s, want "too large" in it`, code, body)
	}
}
