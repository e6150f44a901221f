// File leave_test.go runs a whole worker and looks at it between the commit of a settlement and its notification.

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
	"queue-worker/pkg/finished"
	"queue-worker/pkg/invocation"
	"queue-worker/pkg/store"
	"queue-worker/pkg/store/embedded"
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
		"faas_nats_address=127.0.0.1", "faas_nats_port=1", // nothing listens there, and nothing has to
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
		// The settlement is committed, and its notification comes after this line.
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
		t.Errorf("between commit and notification GET answers %d %s, want the state cancelled", got.status, got.body)
	}
	if got := <-deleted; got.status != http.StatusAccepted {
		t.Errorf("between commit and notification DELETE answers %d %s, want 202", got.status, got.body)
	}
}

func TestABatchNotesItsEndsBeforeTheyAreCommitted(t *testing.T) {
	t.Parallel()
	s, err := embedded.Open(embedded.Options{Slots: 1, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = s.Close() }()
	a := &App{store: s, watch: finished.New()}
	id := invocation.NewID(time.Now())
	accepted := make(chan error, 1)
	inv := &invocation.Invocation{ID: id, CallID: "call-1", Lane: invocation.Lane{Queue: "q", Name: "fn"}, Accepted: time.Now(), Since: time.Now()}
	s.Accept(store.Accept{Inv: inv, Raw: []byte("{}")}, func(err error) { accepted <- err })
	if err := <-accepted; err != nil {
		t.Fatal(err)
	}
	var end finished.End
	var known bool
	_, err = watched{s, a}.Act(t.Context(), store.Batch{Verb: store.ActCancel, IDs: []invocation.ID{id}, Except: func(id invocation.ID) bool {
		end, known = a.watch.Lately(id)
		return true // so that it stays
	}})
	if err != nil {
		t.Fatal(err)
	}
	if !known || end.Outcome != invocation.OutcomeCancelled {
		t.Errorf("before the commit its end is %q, %t, want it known as cancelled", end.Outcome, known)
	}
	if _, known := a.watch.Lately(id); known {
		t.Error("the end of an invocation that stayed is still known")
	}
}

func TestADrainThatAbortsNoCallIsClean(t *testing.T) {
	t.Parallel()
	_, end := runApp(t, "http://127.0.0.1:1", slog.New(slog.DiscardHandler))
	if err := end(); err != nil {
		t.Errorf("a worker without calls that is stopped twice ends with %v, want nil", err)
	}
}
