package gateway

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"queue-worker/pkg/basicauth"
	"queue-worker/pkg/invocation"
)

var names = invocation.Names{DefaultNamespace: "openfaas-fn"}

func parse(t *testing.T, s string) *url.URL {
	t.Helper()
	u, err := url.Parse(s)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

func TestWhatTheGatewayAnswersIsSureOrNot(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name        string
		status      int
		known, sure bool
	}{
		{"it is there", 200, true, true},
		{"it is not there", 404, false, true},
		{"no credentials", 401, true, false},
		{"wrong credentials", 403, true, false},
		{"the provider is away", 502, true, false},
		{"an error of its own", 500, true, false},
		{"a redirect to a login page", 302, true, false},
		{"something that is no gateway", 400, true, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Path == "/system/functions" {
					_, _ = io.WriteString(w, "[]")
					return
				}
				w.Header().Set("Location", "/login")
				w.WriteHeader(tt.status)
				_, _ = w.Write(make([]byte, 2*maxBody)) // more than is read
			}))
			defer s.Close()
			f := New(Options{URL: parse(t, s.URL), Names: names, Credentials: admin})
			defer f.Close()
			switch known, sure := f.Known(t.Context(), "figlet"); {
			case known != tt.known:
				t.Errorf("known %v, want %v", known, tt.known)
			case sure != tt.sure:
				t.Errorf("sure %v, want %v", sure, tt.sure)
			}
		})
	}
}

func TestTheQuestionNamesFunctionNamespaceAndCredentials(t *testing.T) {
	t.Parallel()
	asked := make(chan *http.Request, 1)
	s := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { asked <- r }))
	defer s.Close()
	password := "first"
	f := New(Options{
		URL: parse(t, s.URL+"/prefix"), Names: names, Version: "v",
		Credentials: func() (basicauth.Credentials, error) {
			if password == "" {
				return basicauth.Credentials{}, basicauth.ErrEmpty
			}
			return basicauth.Credentials{User: "admin", Password: password}, nil
		},
	})
	defer f.Close()
	for _, tt := range []struct{ function, password, want string }{
		{"figlet", "first", "/prefix/system/function/figlet?namespace=openfaas-fn"},
		{"env.openfaas-fn", "second", "/prefix/system/function/env?namespace=openfaas-fn"},
		{"figlet.staging", "", "/prefix/system/function/figlet?namespace=staging"},
	} {
		password = tt.password
		f.Known(t.Context(), tt.function)
		r := <-asked
		user, got, ok := r.BasicAuth()
		switch {
		case r.RequestURI != tt.want:
			t.Errorf("%s is asked about with %s %s %s %v, want RequestURI %v", tt.function, r.RequestURI, user, got, r.Header, tt.want)
		case got != tt.password:
			t.Errorf("%s is asked about with %s %s %s %v, want %v", tt.function, r.RequestURI, user, got, r.Header, tt.password)
		case ok != (tt.password != ""):
			t.Errorf("%s is asked about with %s %s %s %v, want %v", tt.function, r.RequestURI, user, got, r.Header, tt.password != "")
		case ok && user != "admin":
			t.Errorf(`%s is asked about with %s %s %s %v, want user "admin"`, tt.function, r.RequestURI, user, got, r.Header)
		case r.UserAgent() != "queue-worker/v":
			t.Errorf(`%s is asked about with %s %s %s %v, want UserAgent "queue-worker/v"`, tt.function, r.RequestURI, user, got, r.Header)
		}
	}
}

// scripted answers questions by a function and counts them.
type scripted struct {
	answer func(*http.Request) (int, error)
	count  atomic.Int64
}

func (s *scripted) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.URL.Path == "/system/functions" {
		return listing(r), nil
	}
	s.count.Add(1)
	status, err := s.answer(r)
	if err != nil {
		return nil, err
	}
	return &http.Response{StatusCode: status, Header: http.Header{}, Body: http.NoBody, Request: r}, nil
}

// listing accepts all credentials, and nothing without.
func listing(r *http.Request) *http.Response {
	res := &http.Response{StatusCode: http.StatusUnauthorized, Header: http.Header{}, Body: http.NoBody, Request: r}
	if _, _, ok := r.BasicAuth(); ok {
		res.StatusCode, res.Body = http.StatusOK, io.NopCloser(strings.NewReader("[]"))
	}
	return res
}

// admin are credentials.
func admin() (basicauth.Credentials, error) {
	return basicauth.Credentials{User: "admin", Password: "secret"}, nil
}

func withScript(t *testing.T, s *scripted, edits ...func(*Options)) *Functions {
	t.Helper()
	o := Options{URL: parse(t, "http://gateway:8080"), Names: names, Credentials: admin}
	for _, edit := range edits {
		edit(&o)
	}
	f := New(o)
	f.client.Transport = s
	return f
}

func TestAnswersAreKeptForAWhile(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		there := true
		s := &scripted{answer: func(*http.Request) (int, error) {
			if there {
				return http.StatusOK, nil
			}
			return http.StatusNotFound, nil
		}}
		f := withScript(t, s)
		ask := func(want bool, questions int64) {
			t.Helper()
			for _, name := range []string{"figlet", "figlet.openfaas-fn"} {
				switch known, sure := f.Known(t.Context(), name); {
				case known != want:
					t.Errorf("%s: known %v, want %v", name, known, want)
				case !sure:
					t.Errorf("%s: known %v, sure %v: sure = false, want true", name, known, sure)
				}
			}
			if got := s.count.Load(); got != questions {
				t.Errorf("there were %d questions, want %d", got, questions)
			}
		}
		ask(true, 1)
		there = false
		time.Sleep(knownFor - 1)
		ask(true, 1)
		time.Sleep(time.Nanosecond)
		ask(false, 2)
		there = true
		time.Sleep(unknownFor) // who deploys it now does not wait for long
		ask(true, 3)
	})
}

func TestManyWhoWaitAreOneQuestion(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &scripted{answer: func(*http.Request) (int, error) {
			time.Sleep(time.Second)
			return http.StatusNotFound, nil
		}}
		f := withScript(t, s)
		var all sync.WaitGroup
		for range 50 {
			all.Go(func() {
				switch known, sure := f.Known(t.Context(), "figlet"); {
				case known:
					t.Errorf("known %v, sure %v: known = true, want false", known, sure)
				case !sure:
					t.Errorf("known %v, sure %v: sure = false, want true", known, sure)
				}
			})
		}
		gone, cancel := context.WithCancel(t.Context())
		cancel()
		switch known, sure := f.Known(gone, "figlet"); {
		case !known:
			t.Errorf("who does not wait hears known %v, sure %v: known = false, want true", known, sure)
		case sure:
			t.Errorf("who does not wait hears known %v, sure %v: sure = true, want false", known, sure)
		}
		all.Wait()
		if n := s.count.Load(); n != 1 {
			t.Errorf("there were %d questions, want 1", n)
		}
	})
}

func TestAGatewayThatIsAwayIsLeftAloneAndWhatItSaidCounts(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		answer := func(r *http.Request) (int, error) {
			if strings.Contains(r.URL.Path, "missing") {
				return http.StatusNotFound, nil
			}
			return http.StatusOK, nil
		}
		s := &scripted{answer: answer}
		f := withScript(t, s, func(o *Options) { o.Logger = slog.New(slog.NewTextHandler(&log, nil)) })
		ask := func(function string, wantKnown, wantSure bool) {
			t.Helper()
			if known, sure := f.Known(t.Context(), function); known != wantKnown || sure != wantSure {
				t.Errorf("%s: known %v, sure %v, want %v, %v", function, known, sure, wantKnown, wantSure)
			}
		}
		ask("there", true, true)
		ask("missing", false, true)
		s.answer = func(*http.Request) (int, error) { return 0, errors.New("connection refused") }
		time.Sleep(knownFor)
		before := s.count.Load()
		for range 20 {
			ask("there", true, true) // as it said last
			ask("missing", true, false)
			ask("other", true, false)
		}
		if n := s.count.Load() - before; n != 1 {
			t.Errorf("a gateway that is away was asked %d times, want 1", n)
		}
		if got := f.Trouble(); got != logSilent {
			t.Errorf("got the trouble %q, want %q", got, logSilent)
		}
		time.Sleep(awayFor)
		ask("other", true, false)
		s.answer = answer
		time.Sleep(awayFor)
		ask("missing", false, true)
		if got := f.Trouble(); got != "" {
			t.Errorf("got the trouble %q of a gateway that answers, want none", got)
		}
		if n := strings.Count(log.String(), "level=WARN"); n != 1 {
			t.Errorf("the log has %d warnings, want 1\n%s", n, log.String())
		}
	})
}

func TestAGatewayThatHangsCostsTwoSecondsOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &scripted{answer: func(r *http.Request) (int, error) {
			<-r.Context().Done()
			return 0, r.Context().Err()
		}}
		f := withScript(t, s)
		begun := time.Now()
		for range 10 {
			switch known, sure := f.Known(t.Context(), "figlet"); {
			case !known:
				t.Errorf("known %v, sure %v: known = false, want true", known, sure)
			case sure:
				t.Errorf("known %v, sure %v: sure = true, want false", known, sure)
			}
		}
		if took := time.Since(begun); took != askTimeout {
			t.Errorf("ten questions took %s, want %v", took, askTimeout)
		}
	})
}

func TestTheAnswersThatAreKeptAreBounded(t *testing.T) {
	t.Parallel()
	s := &scripted{answer: func(r *http.Request) (int, error) {
		if strings.Contains(r.URL.Path, "even") {
			return http.StatusOK, nil
		}
		return http.StatusNotFound, nil
	}}
	f := withScript(t, s)
	for n := range 2*maxAnswers + 10 {
		f.Known(t.Context(), fmt.Sprintf("%s-%d", []string{"even", "odd"}[n%2], n))
	}
	if n := len(f.answers); n > maxAnswers {
		t.Errorf("%d answers are kept, want at most %d", n, maxAnswers)
	}
}
