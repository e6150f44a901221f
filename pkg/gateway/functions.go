// Package gateway asks the OpenFaaS gateway about its functions.
//
// An answer is kept for a while, one request serves everybody who waits for it,
// and a gateway that is away is left alone for a moment, so that what it is asked
// on the way of an invocation costs that invocation next to nothing. Whatever it
// says, the caller learns whether it is sure of it.
//
// The package calls no function and reads no file.
package gateway

import (
	"context"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"

	"queue-worker/pkg/invocation"
)

// How long answers count, and how long is waited for one.
const (
	// knownFor is for functions that are there, unknownFor for those that are not:
	// who has just deployed one does not want to wait.
	knownFor   = 30 * time.Second
	unknownFor = 3 * time.Second
	// askTimeout bounds one question. Gateways answer within milliseconds.
	askTimeout = 2 * time.Second
	// awayFor is how long a gateway that does not answer is left alone.
	awayFor = 5 * time.Second
)

const (
	// maxAnswers bounds the answers that are kept: callers choose the names.
	maxAnswers = 10_000
	// maxQuestions bounds the questions under way, for the same reason.
	maxQuestions = 16
	// maxBody bounds what is read of an answer, so that its connection can be used
	// again.
	maxBody = 1 << 20
)

// Options say which gateway to ask, and how.
type Options struct {
	// URL is the gateway's, without a slash at the end.
	URL *url.URL
	// Names knows the namespace of a function that is named without one.
	Names invocation.Names
	// Credentials gives user and password for basic auth, which may change, and
	// reports false when there are none. Nil for none.
	Credentials func() (user, password string, ok bool)
	Version     string
	Logger      *slog.Logger // nil: nothing is logged
}

// Functions knows which functions there are. It may be used by any number of
// goroutines.
type Functions struct {
	o      Options
	log    *slog.Logger
	client *http.Client
	asking singleflight.Group
	slots  chan struct{}

	mu      sync.Mutex
	answers map[string]answer // by canonical name
	away    time.Time         // until then nobody is asked
	said    string            // what the log says of the gateway, to say it once
}

// answer is what the gateway has said of a function.
type answer struct {
	known bool
	until time.Time
}

// New makes a Functions. It asks nothing yet.
func New(o Options) *Functions {
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	dialer := net.Dialer{Timeout: askTimeout}
	return &Functions{
		o: o, log: o.Logger, slots: make(chan struct{}, maxQuestions), answers: map[string]answer{},
		client: &http.Client{
			Transport: &http.Transport{
				DialContext:         dialer.DialContext, // and no Proxy: the gateway is a neighbour
				MaxIdleConnsPerHost: maxQuestions, IdleConnTimeout: time.Minute, ResponseHeaderTimeout: askTimeout,
			},
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
			Timeout:       askTimeout,
		},
	}
}

// Close ends idle connections.
func (f *Functions) Close() { f.client.CloseIdleConnections() }

// Known reports whether there is a function of that name, with or without
// namespace, and whether that is sure. It is not sure when the gateway cannot be
// reached, does not accept the credentials, or fails; what it said before is
// believed then, if that was yes. The first question takes two seconds at most, or
// until ctx ends.
func (f *Functions) Known(ctx context.Context, function string) (known, sure bool) {
	name := f.o.Names.Canonical(function)
	now := time.Now()
	f.mu.Lock()
	a, have := f.answers[name]
	away := now.Before(f.away)
	f.mu.Unlock()
	if have && now.Before(a.until) {
		return a.known, true
	}
	if !away {
		if fresh, ok := f.ask(ctx, name); ok {
			return fresh, true
		}
	}
	return true, have && a.known
}

// ask asks the gateway once for all who want to know.
func (f *Functions) ask(ctx context.Context, name string) (known, ok bool) {
	ch := f.asking.DoChan(name, func() (any, error) { return f.answer(name) })
	select {
	case r := <-ch:
		if r.Err != nil {
			return false, false
		}
		known, ok = r.Val.(bool)
		return known, ok
	case <-ctx.Done():
		return false, false
	}
}

// note keeps an answer, or that there was none.
func (f *Functions) note(name string, status int, err error) {
	now := time.Now()
	f.mu.Lock()
	defer f.mu.Unlock()
	switch {
	case err != nil:
		f.away = now.Add(awayFor)
		f.tell("the gateway does not answer questions about functions, every one counts as known", "error", err)
	case status == http.StatusOK:
		f.keep(name, answer{known: true, until: now.Add(knownFor)}, now)
	case status == http.StatusNotFound:
		f.keep(name, answer{known: false, until: now.Add(unknownFor)}, now)
	default:
		f.away = now.Add(awayFor)
		f.tell("the gateway refuses questions about functions, every one counts as known", "status", status,
			"hint", "mount OpenFaaS's basic-auth secret at secret_mount_path, or set ingest_check=false")
	}
}

// keep makes room first: for what is over, or else for any.
func (f *Functions) keep(name string, a answer, now time.Time) {
	f.tell("")
	if len(f.answers) >= maxAnswers {
		for n, old := range f.answers {
			if !old.until.After(now) || !old.known {
				delete(f.answers, n)
			}
		}
	}
	for n := range f.answers {
		if len(f.answers) < maxAnswers {
			break
		}
		delete(f.answers, n)
	}
	f.answers[name] = a
}

// tell logs a trouble once, until it is another or over.
func (f *Functions) tell(text string, attrs ...any) {
	if f.said != text && text != "" {
		f.log.Warn(text, attrs...)
	}
	f.said = text
}
