// Package gateway queries the OpenFaaS gateway about its functions.
//
// Answers are cached, one request serves all callers that wait for it, and an unreachable
// gateway is not queried for a while. So queries cost an invocation almost nothing. A
// caller always learns whether an answer is certain.
//
// The package calls no function and reads no file.
package gateway

import (
	"context"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"queue-worker/pkg/basicauth"
	"queue-worker/pkg/descriptor"
	"queue-worker/pkg/invocation"
)

// How long answers count, and how long is waited for one.
const (
	// knownFor is for functions that are there, unknownFor for those that are not:
	// who has just deployed one does not want to wait.
	knownFor   = 30 * time.Second
	unknownFor = 3 * time.Second
	// provenFor is how long it counts that a gateway has answered about a function, or has
	// accepted the credentials, for the certainty of an absence.
	provenFor = 10 * time.Minute
	// settledFor is for who has to be sure that a function is, or is not, there now.
	settledFor = 3 * time.Second
	// staleFor is how long annotations apply that are refreshed in the background.
	// Older ones are of functions that were not called meanwhile.
	staleFor = 5 * time.Minute
	// askTimeout bounds one question. Gateways answer within milliseconds.
	askTimeout = 2 * time.Second
	// awayFor is how long a gateway that does not answer is left alone.
	awayFor = 5 * time.Second
)

const (
	// maxAnswers bounds the answers that are kept: callers choose the names.
	maxAnswers = 10_000
	// maxQuestions bounds the open queries, for the same reason.
	maxQuestions = 16
	// maxBody bounds what is read of an answer.
	maxBody = 1 << 20
	// maxValue bounds a value of an annotation that is kept, in bytes. None that can
	// be used is as long.
	maxValue = 1 << 10
)

// Options say which gateway to ask, and how.
type Options struct {
	// URL is the gateway's, without a slash at the end.
	URL *url.URL
	// Names knows the namespace of a function that is named without one.
	Names invocation.Names
	// Credentials are those for basic auth, which may change. With an error, and when this is
	// nil, requests have none.
	Credentials func() (basicauth.Credentials, error)
	// Concerns says which annotations are kept; nil for none.
	Concerns func(key string) bool
	Version  string
	Logger   *slog.Logger // nil: nothing is logged
	// Descriptors logs when no descriptor is free for a question. Nil for none.
	Descriptors *descriptor.Monitor
}

// Functions knows which functions there are, and their annotations. It may be used by any number of
// goroutines.
type Functions struct {
	o      Options
	log    *slog.Logger
	client *http.Client
	slots  chan struct{}
	closed context.Context // ends the open queries
	close  context.CancelFunc
	open   sync.WaitGroup // of those questions

	mu      sync.Mutex
	answers map[string]answer    // by canonical name
	asking  map[string]*question // open
	away    time.Time            // until then the gateway is not queried
	said    string               // what the log says of the gateway, to say it once
	// answered: the gateway has known some function, so it accepts the credentials.
	answered bool
	proof    proof
}

// answer is what the gateway has said of a function.
type answer struct {
	known       bool
	doubtful    bool              // a 404 that may come from something else than the gateway
	refused     bool              // the gateway has refused to answer, and may answer for others
	annotations map[string]string // never changed; nil for none
	at          time.Time
}

// counts reports whether an answer is still fresh.
func (a answer) counts(now time.Time) bool {
	switch {
	case a.refused:
		return now.Sub(a.at) < awayFor
	case a.known:
		return now.Sub(a.at) < knownFor
	}
	return now.Sub(a.at) < unknownFor
}

// New makes a Functions. It asks nothing yet.
func New(o Options) *Functions {
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Concerns == nil {
		o.Concerns = func(string) bool { return false }
	}
	dialer := net.Dialer{Timeout: askTimeout}
	closed, end := context.WithCancel(context.Background())
	return &Functions{
		o: o, log: o.Logger, slots: make(chan struct{}, maxQuestions), closed: closed, close: end,
		answers: map[string]answer{}, asking: map[string]*question{},
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

// Close ends the open queries. Queries after it have no answer.
func (f *Functions) Close() {
	f.mu.Lock()
	f.close()
	f.mu.Unlock()
	f.open.Wait()
	f.client.CloseIdleConnections()
}

// Known reports whether there is a function of that name, with or without
// namespace, and whether that is sure. It is not sure when the gateway cannot be
// reached, does not accept the credentials, fails, or when its 404 is no proof (see
// proof.go); what it said before is believed then, if that was yes. The first question takes two seconds at most, or
// until ctx ends.
func (f *Functions) Known(ctx context.Context, function string) (known, sure bool) {
	name := f.o.Names.Canonical(function)
	now := time.Now()
	a, have, away := f.recall(name, now)
	if have && a.counts(now) {
		return a.known || a.doubtful, !a.refused && !a.doubtful
	}
	if !away {
		if fresh, ok := f.ask(ctx, name); ok {
			return fresh.known || fresh.doubtful, !fresh.doubtful
		}
	}
	return true, have && a.known && !a.refused
}

// Missing reports whether a function is surely not there: the gateway has said so
// within the last seconds, or says so now. It takes as long as Known.
func (f *Functions) Missing(ctx context.Context, function string) bool {
	name := f.o.Names.Canonical(function)
	now := time.Now()
	a, have, away := f.recall(name, now)
	if have && now.Sub(a.at) < settledFor {
		return a.isAbsent()
	}
	if away {
		return false
	}
	a, ok := f.ask(ctx, name)
	return ok && a.isAbsent()
}

// Annotations are those that the gateway has of a function, as far as they concern
// here; they must not be changed. Of a function that was queried
// lately they are there at once, and refreshed in the background when they are
// old. For any other the answer is waited for as long as patience lasts, or until ctx
// ends. While the gateway does not answer, its last answers apply, and no caller
// waits.
//
// unknown means that there is surely no such function: the gateway has said so, and
// has not said otherwise since. It is false while the gateway cannot say, and while its
// 404 is no proof.
func (f *Functions) Annotations(ctx context.Context, function string, patience time.Duration) (annotations map[string]string, unknown bool) {
	name := f.o.Names.Canonical(function)
	now := time.Now()
	a, have, away := f.recall(name, now)
	if have && a.counts(now) {
		return a.annotations, a.isAbsent()
	}
	if away {
		return a.annotations, false
	}
	if f.troubled() || have && a.known && now.Sub(a.at) < staleFor {
		f.begin(name)
		return a.annotations, false
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	if fresh, ok := f.ask(ctx, name); ok {
		return fresh.annotations, fresh.isAbsent()
	}
	return a.annotations, have && a.isAbsent()
}

// Recall are the annotations that the gateway was last known to have of a function, nil when
// nothing is known. It asks nothing.
func (f *Functions) Recall(function string) map[string]string {
	a, _, _ := f.recall(f.o.Names.Canonical(function), time.Now())
	return a.annotations
}

// isAbsent reports whether an answer means that there is surely no such function.
func (a answer) isAbsent() bool { return !a.known && !a.doubtful }

// recall is what the gateway has said of a function, and whether it is to be left
// alone now.
func (f *Functions) recall(name string, now time.Time) (a answer, have, away bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	a, have = f.answers[name]
	return a, have, now.Before(f.away)
}

// troubled reports whether the latest question had no answer.
func (f *Functions) troubled() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.said != ""
}

// Trouble says why the latest question had no answer; "" when it had one, or none was asked.
func (f *Functions) Trouble() string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.said
}

// question is an open query, shared by all callers that wait for it.
type question struct {
	over   chan struct{} // closed when the rest is set
	answer answer
	ok     bool
}

// begin asks, unless that is being done.
func (f *Functions) begin(name string) *question {
	f.mu.Lock()
	defer f.mu.Unlock()
	q := f.asking[name]
	if q != nil {
		return q
	}
	q = &question{over: make(chan struct{})}
	if f.closed.Err() != nil {
		close(q.over)
		return q
	}
	f.asking[name] = q
	f.open.Go(func() {
		defer close(q.over)
		q.answer, q.ok = f.inquire(name)
		f.mu.Lock()
		defer f.mu.Unlock()
		delete(f.asking, name)
	})
	return q
}

// ask waits for the answer, unless ctx ends before.
func (f *Functions) ask(ctx context.Context, name string) (a answer, ok bool) {
	q := f.begin(name)
	select {
	case <-q.over:
		return q.answer, q.ok
	case <-ctx.Done():
		return answer{}, false
	}
}

// What the log says of a gateway that does not answer.
const (
	logSilent  = "gateway does not answer about functions, using its last answers"
	logRefused = "gateway refuses to answer about functions, using its last answers"
)

// note keeps an answer, or that there was none.
func (f *Functions) note(name string, a answer, status int, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	switch {
	case f.closed.Err() != nil:
	case err != nil:
		f.away = a.at.Add(awayFor)
		f.report(logSilent, "error", err)
	case status == http.StatusOK, status == http.StatusNotFound:
		f.answered = f.answered || !a.doubtful
		f.report("")
		f.keep(name, a)
	case f.answered && strings.Contains(name, "."):
		// Callers choose the namespace, and the gateway refuses some. That says nothing
		// of other functions, about which it has to be asked on.
		a.known, a.refused, a.annotations = true, true, f.answers[name].annotations
		f.keep(name, a)
	case status >= http.StatusMultipleChoices && status < http.StatusBadRequest:
		f.away = a.at.Add(awayFor)
		f.report(logRefused, "status", status,
			"hint", "Set gateway_url to the address of the OpenFaaS gateway itself, past any login page or proxy.")
	default:
		f.away = a.at.Add(awayFor)
		f.report(logRefused, "status", status,
			"hint", "Mount OpenFaaS's secret basic-auth at secret_mount_path.")
	}
}

// keep makes room first: expired answers go, or else any.
func (f *Functions) keep(name string, a answer) {
	if len(f.answers) >= maxAnswers {
		for n, old := range f.answers {
			if !old.counts(a.at) || !old.known {
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

// report logs a trouble once, until it is another or over.
func (f *Functions) report(text string, attrs ...any) {
	if f.said != text && text != "" {
		f.log.Warn(text, attrs...)
	}
	f.said = text
}
