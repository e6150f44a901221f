package gateway

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// provider answers questions about functions as OpenFaaS does.
type provider struct {
	mu     sync.Mutex
	body   string
	status int
	err    error
	takes  time.Duration
	count  atomic.Int64
}

func (p *provider) set(change func(*provider)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	change(p)
}

func (p *provider) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.URL.Path == "/system/functions" {
		return listing(r), nil
	}
	p.count.Add(1)
	p.mu.Lock()
	body, status, err, takes := p.body, p.status, p.err, p.takes
	p.mu.Unlock()
	select {
	case <-time.After(takes):
	case <-r.Context().Done():
		return nil, r.Context().Err()
	}
	if err != nil {
		return nil, err
	}
	return &http.Response{StatusCode: status, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(body)), Request: r}, nil
}

// asking makes a Functions that asks p, and keeps the annotations that begin with "our.".
func asking(t *testing.T, p *provider, log io.Writer) *Functions {
	t.Helper()
	f := New(Options{
		URL: parse(t, "http://gateway:8080"), Names: names, Logger: slog.New(slog.NewTextHandler(log, nil)),
		Concerns: func(key string) bool { return strings.HasPrefix(key, "our.") },
	})
	f.client.Transport = p
	return f
}

const status = `{"name":"figlet","image":"i","annotations":{"our.rate":"5","prometheus.io.scrape":"false"},"labels":{"our.x":"y"}}`

// within asks with the patience of a first call.
func within(t *testing.T, f *Functions, function string) (map[string]string, time.Duration) {
	t.Helper()
	begun := time.Now()
	a, _ := f.Annotations(t.Context(), function, 250*time.Millisecond)
	return a, time.Since(begun)
}

func TestWhatIsKeptOfAnAnswer(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, body string
		status     int
		want       map[string]string
	}{
		{"what concerns us", status, 200, map[string]string{"our.rate": "5"}},
		{"no annotations", `{"name":"figlet"}`, 200, nil},
		{"null", `{"annotations":null}`, 200, nil},
		{"others only", `{"annotations":{"topic":"x"}}`, 200, nil},
		{"a value that is no text", `{"annotations":{"our.rate":5}}`, 200, nil},
		{"no JSON", `<html>`, 200, nil},
		{"nothing", ``, 200, nil},
		{"an answer without end", `{"annotations":{"our.rate":"` + strings.Repeat("x", 2*maxBody) + `"}}`, 200, nil},
		{"a value that is too long is cut", `{"annotations":{"our.rate":"` + strings.Repeat("x", 2*maxValue) + `"}}`, 200, map[string]string{"our.rate": strings.Repeat("x", maxValue)}},
		{"no such function", status, 404, nil},
		{"no credentials", status, 401, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			f := asking(t, &provider{body: tt.body, status: tt.status}, io.Discard)
			defer f.Close()
			switch got, unknown := f.Annotations(t.Context(), "figlet", time.Minute); {
			case !maps.Equal(got, tt.want):
				t.Errorf("annotations are %.80v, want %v", got, tt.want)
			case unknown:
				t.Errorf("annotations are %.80v, unknown: %v: unknown = true, want false", got, unknown)
			}
		})
	}
}

func TestAFirstCallWaitsAndOthersDoNot(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := &provider{body: status, status: 200, takes: 100 * time.Millisecond}
		f := asking(t, p, io.Discard)
		defer f.Close()
		expect := func(rate string, wait time.Duration, questions int64) {
			t.Helper()
			got, took := within(t, f, "figlet")
			if got["our.rate"] != rate || took != wait || p.count.Load() != questions {
				t.Errorf("%v after %s, %d questions; want %q after %s, %d", got, took, p.count.Load(), rate, wait, questions)
			}
		}
		var all sync.WaitGroup
		for range 20 {
			all.Go(func() { expect("5", 100*time.Millisecond, 1) })
		}
		all.Wait()
		p.set(func(p *provider) { p.body = strings.Replace(status, "5", "6", 1) })
		expect("5", 0, 1)
		time.Sleep(knownFor)
		expect("5", 0, 1) // refreshed in the background
		time.Sleep(time.Second)
		expect("6", 0, 2)

		time.Sleep(staleFor) // it was not called for long
		p.set(func(p *provider) { p.body = strings.Replace(status, "5", "7", 1) })
		expect("7", 100*time.Millisecond, 3)

		p.set(func(p *provider) { p.takes = time.Second })
		time.Sleep(staleFor)
		expect("7", 250*time.Millisecond, 4)
	})
}

func TestAGatewayThatIsAwayKeepsNobodyWaiting(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		p := &provider{body: status, status: 200}
		f := asking(t, p, &log)
		defer f.Close()
		within(t, f, "figlet")
		p.set(func(p *provider) { p.takes, p.err = time.Hour, errors.New("never") })
		time.Sleep(knownFor)
		for range 600 { // ten minutes, so that what is known grows old
			for _, function := range []string{"figlet", "other"} {
				got, took := within(t, f, function)
				if want := map[string]string{"figlet": "5"}[function]; got["our.rate"] != want || took > 0 && p.count.Load() > 3 {
					t.Fatalf("%s: %v after %s", function, got, took)
				}
			}
			time.Sleep(time.Second)
		}
		if n := p.count.Load(); n > 2*600/7+10 {
			t.Errorf("a gateway that is away was asked %d times in ten minutes, want at most %d", n, 2*600/7+10)
		}
		if n := strings.Count(log.String(), "level=WARN"); n != 1 {
			t.Errorf("%d warnings, want 1\n%s", n, log.String())
		}
		p.set(func(p *provider) { p.takes, p.err, p.body = 0, nil, strings.Replace(status, "5", "6", 1) })
		time.Sleep(awayFor)
		within(t, f, "figlet")
		synctest.Wait()
		if got, _ := within(t, f, "figlet"); got["our.rate"] != "6" {
			t.Errorf("after it is back: %v: got[\"our.rate\"] = %q, want \"6\"", got, got["our.rate"])
		}
	})
}

func TestMissingCredentialsAreLoggedOnceWithAHint(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		p := &provider{status: 401}
		f := asking(t, p, &log)
		defer f.Close()
		for range 100 {
			within(t, f, "figlet")
			f.Known(t.Context(), "other")
			time.Sleep(time.Second)
		}
		synctest.Wait()
		switch n := strings.Count(log.String(), "\n"); {
		case n != 1:
			t.Errorf("%d lines, want 1\n%s", n, log.String())
		case !strings.Contains(log.String(), "status=401"):
			t.Errorf("%d lines, want \"status=401\" in it\n%s", n, log.String())
		case !strings.Contains(log.String(), "secret_mount_path"):
			t.Errorf("%d lines, want \"secret_mount_path\" in it\n%s", n, log.String())
		}
	})
}

func TestMissingIsSureOfNow(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := &provider{body: status, status: 200}
		f := asking(t, p, io.Discard)
		defer f.Close()
		f.o.Credentials = admin
		expect := func(what string, want bool, questions int64) {
			t.Helper()
			switch got := f.Missing(t.Context(), "figlet"); {
			case got != want:
				t.Errorf("%s: missing %v, want %v", what, got, want)
			case p.count.Load() != questions:
				t.Errorf("%s: %d questions, want %d", what, p.count.Load(), questions)
			}
		}
		expect("it is there", false, 1)
		p.set(func(p *provider) { p.status = 404 })
		expect("just asked", false, 1)
		time.Sleep(settledFor)
		expect("what was known is queried again", true, 2)
		expect("just asked", true, 2)
		p.set(func(p *provider) { p.status = 200 })
		time.Sleep(settledFor)
		expect("it came back", false, 3)
		for _, unsure := range []func(*provider){
			func(p *provider) { p.status = 401 }, func(p *provider) { p.status = 503 }, func(p *provider) { p.err = errors.New("refused") },
		} {
			p.set(unsure)
			time.Sleep(awayFor + settledFor)
			before := p.count.Load()
			expect("unknown", false, before+1)
			expect("no query", false, before+1)
		}
	})
}

func TestCloseEndsAQuestion(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		p := &provider{takes: time.Hour}
		f := asking(t, p, &log)
		begun := time.Now()
		f.begin("figlet")
		f.Close()
		switch known, sure := f.Known(t.Context(), "figlet"); {
		case !known:
			t.Errorf("known %v, sure %v after %s: %s, want known", known, sure, time.Since(begun), log.String())
		case sure:
			t.Errorf("known %v, sure %v after %s: %s, want not sure", known, sure, time.Since(begun), log.String())
		case time.Since(begun) != 0:
			t.Errorf("known %v, sure %v after %s: %s, want time.Since(begun) 0", known, sure, time.Since(begun), log.String())
		case log.Len() != 0:
			t.Errorf("known %v, sure %v after %s: %s, want log 0", known, sure, time.Since(begun), log.String())
		}
	})
}

func TestARefusedNamespaceKeepsNoOtherQuestionBack(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &scripted{answer: func(r *http.Request) (int, error) {
			switch {
			case r.URL.Query().Get("namespace") == "kube-system":
				return http.StatusUnauthorized, nil
			case strings.HasSuffix(r.URL.Path, "/figlet"):
				return http.StatusOK, nil
			}
			return http.StatusNotFound, nil
		}}
		f := withScript(t, s)
		f.Known(t.Context(), "figlet")
		for n := range 10 {
			switch known, sure := f.Known(t.Context(), "x.kube-system"); {
			case !known:
				t.Errorf("the refused one is known %v, sure %v: known = false, want true", known, sure)
			case sure:
				t.Errorf("the refused one is known %v, sure %v: sure = true, want false", known, sure)
			}
			if _, unknown := f.Annotations(t.Context(), "x.kube-system", time.Second); unknown {
				t.Error("the refused one counts as unknown: unknown = true, want false")
			}
			if f.Missing(t.Context(), "x.kube-system") {
				t.Error("the refused one counts as missing: f.Missing(t.Context(), \"x.kube-system\") = true, want false")
			}
			switch known, sure := f.Known(t.Context(), fmt.Sprint("invented-", n)); {
			case known:
				t.Errorf("an invented one is known %v, sure %v: known = true, want false", known, sure)
			case !sure:
				t.Errorf("an invented one is known %v, sure %v: sure = false, want true", known, sure)
			}
			time.Sleep(time.Second)
		}
	})
}
