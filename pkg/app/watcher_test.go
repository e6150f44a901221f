// File watcher_test.go runs a whole worker and reads it between the commit of a settlement and its log line.

package app

import (
	"context"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"queue-worker/pkg/config"
)

// hooked calls hook for each record before it is dropped.
type hooked struct {
	slog.Handler
	hook func(slog.Record)
}

func (h hooked) Enabled(context.Context, slog.Level) bool { return true }

func (h hooked) Handle(_ context.Context, r slog.Record) error {
	h.hook(r)
	return nil
}

// nextOf is the word for the outcome of an attempt, "" in other lines.
func nextOf(r slog.Record) (next string) {
	r.Attrs(func(a slog.Attr) bool {
		if a.Key == "next" {
			next = a.Value.String()
		}
		return next == ""
	})
	return next
}

// runApp runs a worker with a durable store until end or the test ends, with no time for the drain. It returns the URL of its
// listener.
func runApp(t *testing.T, gateway string, logger *slog.Logger) (base string, end func() error) {
	t.Helper()
	c, err := config.Load([]string{
		"gateway_url=" + gateway, "data_dir=" + t.TempDir(), "http_listen_address=127.0.0.1:0",
		"stan_embedded=true", "stan_listen_address=127.0.0.1:0",
	})
	if err != nil {
		t.Fatal(err)
	}
	drain, stop := context.WithCancel(context.Background())
	abort, kill := context.WithCancel(context.Background())
	started, ended := make(chan net.Addr, 1), make(chan error, 1)
	go func() {
		ended <- Run(drain, abort, Options{Config: c, Version: "test", Logger: logger, Started: func(l net.Addr) { started <- l }})
	}()
	end = sync.OnceValue(func() error {
		kill() // first, so that the drain has no time
		stop()
		return <-ended
	})
	t.Cleanup(func() { _ = end() })
	select {
	case l := <-started:
		return "http://" + l.String(), end
	case err := <-ended:
		ended <- err
		t.Fatal(err)
		return "", nil
	}
}

// ask makes a request and returns the status and the body of its answer.
func ask(t *testing.T, method, url string) (int, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(context.Background(), method, url, strings.NewReader(""))
	if err != nil {
		t.Error(err)
		return 0, ""
	}
	req.Header.Set("X-Call-Id", "call-1")
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Error(err)
		return 0, ""
	}
	defer func() { _ = res.Body.Close() }()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Error(err)
	}
	return res.StatusCode, string(body)
}

func TestAnInvocationIsCancelledFromItsCommitOn(t *testing.T) {
	t.Parallel()
	called := make(chan struct{}, 1)
	gateway := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, "/function/") {
			called <- struct{}{}
			<-r.Context().Done()
		}
	}))
	defer gateway.Close()
	type view struct {
		status int
		body   string
	}
	deleted, shown := make(chan view, 1), make(chan view, 1)
	var address atomic.Value
	base, _ := runApp(t, gateway.URL, slog.New(hooked{Handler: slog.DiscardHandler, hook: func(r slog.Record) {
		if nextOf(r) != "cancelled" {
			return
		}
		// The settlement is committed, and the slot is not free yet.
		base := address.Load().(string)
		status, body := ask(t, http.MethodGet, base+"/v1/invocations/call-1")
		shown <- view{status, body}
		status, body = ask(t, http.MethodDelete, base+"/v1/invocations/call-1")
		deleted <- view{status, body}
	}}))
	address.Store(base)
	if status, body := ask(t, http.MethodPost, base+"/async-function/figlet"); status != http.StatusAccepted {
		t.Fatalf("POST answers %d %s, want 202", status, body)
	}
	select {
	case <-called:
	case <-time.After(time.Minute):
		t.Fatal("the function was not called")
	}
	if status, body := ask(t, http.MethodDelete, base+"/v1/invocations/call-1"); status != http.StatusAccepted {
		t.Errorf("the first DELETE answers %d %s, want 202", status, body)
	}
	if got := <-shown; !strings.Contains(got.body, `"state":"cancelled"`) {
		t.Errorf("after the commit GET answers %d %s, want the state cancelled", got.status, got.body)
	}
	if got := <-deleted; got.status != http.StatusAccepted {
		t.Errorf("after the commit DELETE answers %d %s, want 202", got.status, got.body)
	}
}

func TestADrainThatAbortsNoCallIsClean(t *testing.T) {
	t.Parallel()
	_, end := runApp(t, "http://127.0.0.1:1", slog.New(slog.DiscardHandler))
	if err := end(); err != nil {
		t.Errorf("a worker without calls that is stopped twice ends with %v, want nil", err)
	}
}
