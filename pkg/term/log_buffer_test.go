package term

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// sink records what is written to it. While it is blocked no write returns.
type sink struct {
	mu      sync.Mutex
	got     bytes.Buffer
	writes  int
	blocked chan struct{} // closed when writes may go ahead; nil for at once
	err     error
}

func (s *sink) Write(p []byte) (int, error) {
	if s.blocked != nil {
		<-s.blocked
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.writes++
	s.got.Write(p)
	return len(p), s.err
}

func (s *sink) text() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.got.String()
}

func (s *sink) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.writes
}

func TestLogLinesLeaveTogetherAfterAFewMilliseconds(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &sink{}
		b := NewLogBuffer(s)
		for round := range 3 {
			for n := range 10 {
				fmt.Fprintf(b, "%d.%d\n", round, n)
			}
			synctest.Wait()
			if s.count() != round {
				t.Fatalf("%d writes before the delay, want %d", s.count(), round)
			}
			time.Sleep(logDelay)
			synctest.Wait()
		}
		switch {
		case s.count() != 3:
			t.Errorf("%d writes of %q, want count 3", s.count(), s.text())
		case strings.Count(s.text(), "\n") != 30:
			t.Errorf(`%d writes of %q, want 30 of "\n"`, s.count(), s.text())
		}
	})
}

func TestAWarningLeavesAtOnceWithAllLinesBeforeIt(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &sink{}
		b := NewLogBuffer(s)
		log := slog.New(FlushWarnings(NewLogHandler(b, slog.LevelInfo, false), b))
		for n, level := range []slog.Level{slog.LevelWarn, slog.LevelError, slog.LevelWarn + 1} {
			log.Info("before")
			log.With("a", 1).WithGroup("g").Log(t.Context(), level, "now")
			switch got := s.text(); {
			case s.count() != n+1:
				t.Errorf("%s: %d writes, want %d", level, s.count(), n+1)
			case strings.Count(got, "before") != n+1:
				t.Errorf("%s: %d writes, %q: strings.Count(got, \"before\") = %d, want %d", level, s.count(), got, strings.Count(got, "before"), n+1)
			case strings.Count(got, "now a=1") != n+1:
				t.Errorf("%s: %d writes, %q: strings.Count(got, \"now a=1\") = %d, want %d", level, s.count(), got, strings.Count(got, "now a=1"), n+1)
			}
		}
	})
}

func TestLogLinesKeepTheirOrderAndNoneIsLost(t *testing.T) {
	t.Parallel()
	s := &sink{}
	b := NewLogBuffer(s)
	const writers, lines = 8, 4000 // more than fits into the buffer
	var all sync.WaitGroup
	for w := range writers {
		all.Go(func() {
			for n := range lines {
				fmt.Fprintf(b, "writer %d line %d\n", w, n)
				if n%1000 == 0 {
					b.Flush()
				}
			}
		})
	}
	all.Wait()
	if err := b.Close(); err != nil {
		t.Error(err)
	}
	var next [writers]int
	for line := range strings.Lines(s.text()) {
		var w, n int
		if _, err := fmt.Sscanf(line, "writer %d line %d\n", &w, &n); err != nil || n != next[w] {
			t.Fatalf("line %q, want number %d: %v", line, next[w], err)
		}
		next[w]++
	}
	for w, n := range next {
		if n != lines {
			t.Errorf("writer %d has %d lines, want %d", w, n, lines)
		}
	}
}

func TestACallerWaitsForABlockedOutputAndTheBufferIsBounded(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &sink{blocked: make(chan struct{})}
		b := NewLogBuffer(s)
		line := []byte(strings.Repeat("x", 999) + "\n")
		written := 0
		done := make(chan struct{})
		go func() {
			defer close(done)
			for range 1000 {
				b.Write(line)
				written++
			}
		}()
		time.Sleep(time.Hour)
		synctest.Wait()
		if most := 2*maxLogBytes/len(line) + 1; written == 0 || written > most || s.text() != "" {
			t.Errorf("%d lines were taken, want at most %d", written, most)
		}
		close(s.blocked)
		<-done
		b.Close()
		if n := strings.Count(s.text(), "\n"); n != 1000 {
			t.Errorf("%d lines came out, want 1000", n)
		}
		switch {
		case cap(b.lines) > 2*maxLogBytes:
			t.Errorf("the buffer keeps %d and %d bytes: cap(b.lines) = %d, want at most %d", cap(b.lines), cap(b.spare), cap(b.lines), 2*maxLogBytes)
		case cap(b.spare) > maxLogBytes:
			t.Errorf("the buffer keeps %d and %d bytes: cap(b.spare) = %d, want at most %d", cap(b.lines), cap(b.spare), cap(b.spare), maxLogBytes)
		}
	})
}

func TestALineThatIsLongerThanTheBufferIsWrittenWhole(t *testing.T) {
	t.Parallel()
	s := &sink{}
	b := NewLogBuffer(s)
	long := strings.Repeat("x", 2*maxLogBytes) + "\n"
	for _, line := range []string{"a\n", long, "b\n"} {
		b.Write([]byte(line))
	}
	b.Close()
	if s.text() != "a\n"+long+"b\n" {
		t.Errorf("%d bytes came out, want text %v", len(s.text()), "a\n"+long+"b\n")
	}
}

func TestLinesAfterCloseAreWrittenAtOnce(t *testing.T) {
	t.Parallel()
	s := &sink{}
	b := NewLogBuffer(s)
	b.Write([]byte("a\n"))
	b.Close()
	b.Close()
	if b.Write([]byte("b\n")); s.text() != "a\nb\n" {
		t.Errorf("written is %q, want \"a\\nb\\n\"", s.text())
	}
}

func TestAnOutputThatFailsIsReportedToWhoFlushes(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &sink{err: errors.New("no room")}
		b := NewLogBuffer(s)
		b.Write([]byte("a\n"))
		if err := b.Flush(); !errors.Is(err, s.err) {
			t.Errorf("error is %v, want %v", err, s.err)
		}
		h := FlushWarnings(NewLogHandler(b, slog.LevelInfo, false), b)
		if err := h.Handle(t.Context(), slog.NewRecord(time.Now(), slog.LevelWarn, "x", 0)); !errors.Is(err, s.err) {
			t.Errorf("error is %v, want %v", err, s.err)
		}
	})
}
