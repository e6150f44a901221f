package gateway

import (
	"bytes"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"queue-worker/pkg/basicauth"
)

// ingress answers by path, and 404 to every other.
type ingress map[string]string

func (i ingress) RoundTrip(r *http.Request) (*http.Response, error) {
	res := &http.Response{StatusCode: http.StatusNotFound, Header: http.Header{}, Body: http.NoBody, Request: r}
	body, ok := i[r.URL.Path]
	_, _, named := r.BasicAuth()
	switch {
	case ok && strings.HasPrefix(body, "auth:") && !named:
		res.StatusCode = http.StatusUnauthorized
	case ok:
		res.StatusCode, res.Body = http.StatusOK, io.NopCloser(strings.NewReader(strings.TrimPrefix(body, "auth:")))
	}
	return res, nil
}

func TestAnAbsenceCountsOnlyWhenItIsCertain(t *testing.T) {
	t.Parallel()
	const list, other = "/system/functions", "/system/function/other"
	for _, tt := range []struct {
		name        string
		answers     ingress
		credentials bool
		first       []string // functions that are asked about before
		later       time.Duration
		certain     bool
	}{
		{"an ingress without that path", ingress{}, false, []string{"other"}, 0, false},
		{"the same, with credentials", ingress{}, true, []string{"other"}, 0, false},
		{"credentials that the gateway accepts", ingress{list: "auth:[]"}, true, nil, 0, true},
		{"a list that says null", ingress{list: "auth:null"}, true, nil, 0, true},
		{"a list that is a page", ingress{list: "auth:<html>"}, true, nil, 0, false},
		{"an open list, without credentials", ingress{list: "[]"}, false, nil, 0, false},
		{"another function that it has", ingress{other: `{"name":"other"}`}, false, []string{"other"}, 0, true},
		{"another one 9 minutes ago", ingress{other: `{"name":"other"}`}, false, []string{"other"}, 9 * time.Minute, true},
		{"another one 11 minutes ago", ingress{other: `{"name":"other"}`}, false, []string{"other"}, 11 * time.Minute, false},
		{"another one that is a page", ingress{other: `<html>`}, false, []string{"other"}, 0, false},
		{"another one that is a list", ingress{other: `[]`}, false, []string{"other"}, 0, false},
		{"nothing asked before", ingress{other: `{"name":"other"}`}, false, nil, 0, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				f := New(Options{URL: parse(t, "http://gateway:8080"), Names: names})
				defer f.Close()
				if tt.credentials {
					f.o.Credentials = admin
				}
				f.client.Transport = tt.answers
				for _, name := range tt.first {
					f.Known(t.Context(), name)
				}
				time.Sleep(tt.later)
				if known, sure := f.Known(t.Context(), "missing"); known == tt.certain || sure != tt.certain {
					t.Errorf("got known %v, sure %v, want a certain absence: %v", known, sure, tt.certain)
				}
				if got := f.Missing(t.Context(), "missing"); got != tt.certain {
					t.Errorf("got missing %v, want %v", got, tt.certain)
				}
				if _, got := f.Annotations(t.Context(), "missing", time.Second); got != tt.certain {
					t.Errorf("got unknown %v, want %v", got, tt.certain)
				}
			})
		})
	}
}

// TestAFunctionIsNoProofOfItsOwnAbsence: the gateway may have been replaced by something else meanwhile.
func TestAFunctionIsNoProofOfItsOwnAbsence(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		answers := ingress{"/system/function/a": `{"name":"a"}`, "/system/function/b": `{"name":"b"}`}
		var log bytes.Buffer
		f := New(Options{URL: parse(t, "http://gateway:8080"), Names: names, Logger: slog.New(slog.NewTextHandler(&log, nil))})
		defer f.Close()
		f.client.Transport = answers
		f.Known(t.Context(), "a")
		delete(answers, "/system/function/a")
		time.Sleep(knownFor)
		if known, sure := f.Known(t.Context(), "a"); !known || sure {
			t.Errorf("got known %v, sure %v, want no certainty", known, sure)
		}
		f.Known(t.Context(), "b")
		time.Sleep(knownFor)
		if known, sure := f.Known(t.Context(), "a"); known || !sure {
			t.Errorf("got known %v, sure %v, want a certain absence: it has b", known, sure)
		}
		if n := strings.Count(log.String(), "absence of functions not certain"); n != 1 {
			t.Errorf("got %d lines, want 1:\n%s", n, log.String())
		}
	})
}

// TestCredentialsThatCameLaterProve: a secret that is mounted later counts within seconds.
func TestCredentialsThatCameLaterProve(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := New(Options{URL: parse(t, "http://gateway:8080"), Names: names})
		defer f.Close()
		err := io.EOF
		f.o.Credentials = func() (basicauth.Credentials, error) { return basicauth.Credentials{User: "u", Password: "p"}, err }
		f.client.Transport = ingress{"/system/functions": "auth:[]"}
		if _, sure := f.Known(t.Context(), "missing"); sure {
			t.Error("got a certain absence without credentials, want not sure")
		}
		err = nil
		time.Sleep(awayFor)
		if known, sure := f.Known(t.Context(), "missing"); known || !sure {
			t.Errorf("got known %v, sure %v, want a certain absence", known, sure)
		}
	})
}
