package gateway

import (
	"bytes"
	"context"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

// starved is a dialer that finds no free descriptor while dial is nil.
type starved struct {
	count atomic.Int64
	dial  atomic.Pointer[func(ctx context.Context, network, address string) (net.Conn, error)]
}

func (s *starved) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	if dial := s.dial.Load(); dial != nil {
		return (*dial)(ctx, network, address)
	}
	s.count.Add(1)
	return nil, &net.OpError{Op: "dial", Net: network, Err: os.NewSyscallError("socket", syscall.EMFILE)}
}

// TestWithoutAFreeDescriptorNothingIsSaidOfTheGateway: such a question is no certain absence and no gateway
// that does not answer.
func TestWithoutAFreeDescriptorNothingIsSaidOfTheGateway(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		f := New(Options{URL: parse(t, "http://gateway"), Names: names, Logger: slog.New(slog.NewTextHandler(&log, nil))})
		defer f.Close()
		f.client.Transport.(*http.Transport).DialContext = new(starved).DialContext
		f.answered = true
		f.has("other") // it has named functions before
		begun := time.Now()
		switch known, sure := f.Known(t.Context(), "figlet"); {
		case !known:
			t.Errorf("known %v, sure %v: known = false, want true", known, sure)
		case sure:
			t.Errorf("known %v, sure %v: sure = true, want false", known, sure)
		}
		if took := time.Since(begun); took != askTimeout {
			t.Errorf("the answer took %s, want %v", took, askTimeout)
		}
		if f.Missing(t.Context(), "figlet") {
			t.Error("the function is surely missing: f.Missing(t.Context(), \"figlet\") = true, want false")
		}
		if _, unknown := f.Annotations(t.Context(), "figlet", time.Second); unknown {
			t.Error("the function is surely unknown: unknown = true, want false")
		}
		switch _, _, away := f.recall("figlet", time.Now()); {
		case away:
			t.Errorf("the gateway counts as away: %t: away = true, want false\n%s", away, log.String())
		case f.troubled():
			t.Errorf("the gateway counts as away: %t: f.troubled() = true, want false\n%s", away, log.String())
		case log.Len() > 0:
			t.Errorf("the gateway counts as away: %t: log.Len() = %d, want 0\n%s", away, log.Len(), log.String())
		}
	})
}

func TestAQuestionWaitsForAFreeDescriptor(t *testing.T) {
	t.Parallel()
	s := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	defer s.Close()
	f := New(Options{URL: parse(t, s.URL), Names: names})
	defer f.Close()
	var d starved
	f.client.Transport.(*http.Transport).DialContext = d.DialContext
	sure := make(chan bool, 1)
	go func() {
		known, is := f.Known(t.Context(), "figlet")
		sure <- known && is
	}()
	for d.count.Load() < 2 {
		time.Sleep(time.Millisecond)
	}
	dial := (&net.Dialer{}).DialContext
	d.dial.Store(&dial)
	if !<-sure {
		t.Error("the gateway's answer did not count")
	}
}
