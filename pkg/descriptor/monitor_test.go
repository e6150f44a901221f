package descriptor

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

func TestAnOperationIsRepeatedUntilADescriptorIsFree(t *testing.T) {
	t.Parallel()
	other := errors.New("other")
	for _, m := range []*Monitor{nil, NewMonitor(slog.New(slog.DiscardHandler))} {
		for _, want := range []error{nil, other} {
			synctest.Test(t, func(t *testing.T) {
				tries, begun := 0, time.Now()
				got := m.Await(nil, syscall.EMFILE, func() error {
					if tries++; tries < 5 {
						return fmt.Errorf("open: %w", syscall.ENFILE)
					}
					return want
				})
				if took := time.Since(begun); !errors.Is(got, want) || tries != 5 || took != 5*retryEvery {
					t.Errorf("%v after %d tries and %s", got, tries, took)
				}
			})
		}
	}
}

func TestAwaitEndsWithItsStop(t *testing.T) {
	t.Parallel()
	stop := make(chan struct{})
	close(stop)
	err := NewMonitor(slog.New(slog.DiscardHandler)).Await(stop, syscall.ENOBUFS, func() error { return syscall.ENOBUFS })
	if !errors.Is(err, syscall.ENOBUFS) {
		t.Errorf("error is %v", err)
	}
}

func TestOneWarningAndOneEndForEachExhaustion(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		m := NewMonitor(slog.New(slog.NewTextHandler(&log, nil)))
		logged := func() string { // the end is logged by another goroutine
			m.mu.Lock()
			defer m.mu.Unlock()
			return log.String()
		}
		exhaust := func(d time.Duration) {
			var all sync.WaitGroup
			for n := range 20 {
				all.Go(func() {
					until := time.Now().Add(d - time.Duration(n)*time.Millisecond)
					_ = m.Await(nil, &secret{syscall.EMFILE}, func() error {
						if time.Now().Before(until) {
							return syscall.EMFILE
						}
						return nil
					})
				})
			}
			all.Wait()
		}
		exhaust(3 * time.Second)
		time.Sleep(calm / 2) // not ended yet
		m.Note(syscall.EMFILE)
		time.Sleep(calm / 2)
		exhaust(2 * time.Second)
		synctest.Wait()
		if text := logged(); strings.Count(text, "\n") != 1 || !strings.Contains(text, fmt.Sprintf("limit=%d", Limit())) ||
			!strings.Contains(text, `error="too many open files"`) || !strings.Contains(text, "hint=") {
			t.Errorf("log:\n%s", text)
		}
		time.Sleep(calm)
		synctest.Wait()
		if text := logged(); strings.Count(text, "\n") != 2 || !strings.Contains(text, `msg="file descriptors are free again" waited=6s`) {
			t.Errorf("log:\n%s", text)
		}
		exhaust(time.Second)
		time.Sleep(calm)
		synctest.Wait()
		if text := logged(); strings.Count(text, "level=WARN") != 2 || strings.Count(text, "waited=1s") != 1 || strings.Contains(text, "victim") {
			t.Errorf("log:\n%s", text)
		}
	})
}

// secret is an error whose text must not be logged.
type secret struct{ error }

func (s secret) Error() string { return "victim.example" }
func (s secret) Unwrap() error { return s.error }
