// File envelope.go has the envelope beside a QueueRequest that this program publishes.

package invocation

import (
	stdjson "encoding/json"
	"errors"
	"fmt"
	"time"
)

// EnvelopeKey is the key of a QueueRequest under which an Envelope stands. No
// gateway writes it, and workers that do not know it pass it over.
const EnvelopeKey = "QueueWorker"

// Bounds of what one invocation may ask for. A request that asks for more is
// refused where it comes in, so nothing beyond them is ever stored.
const (
	// MaxDelay is how far in the future a first call may lie, and how long a
	// mailbox may ask to wait between two: a leap year.
	MaxDelay = 366 * 24 * time.Hour
	// MaxCount bounds the retries that a caller may have counted or allow.
	MaxCount = 1_000_000_000
)

// Envelope is what an invocation brings along that was accepted over HTTP and
// published to a queue, because there is no durable store: who takes it from there
// gives it the identity and the terms that its caller got.
type Envelope struct {
	ID       ID
	Kind     Kind
	URL      string // of a callback; may hold credentials: never log it
	Accepted time.Time
	Due      time.Time // when it is to be called first; not before Accepted
	Retries  int       // that the first call already makes it
	Terms    Terms
}

// envelope is an Envelope as JSON.
type envelope struct {
	ID         ID        `json:"id"`
	Kind       string    `json:"kind"`
	URL        string    `json:"url,omitempty"`
	Accepted   time.Time `json:"accepted"`
	Due        time.Time `json:"due"`
	Retries    int       `json:"retries,omitempty"`
	Source     string    `json:"source"`
	MaxRetries int       `json:"max_retries,omitempty"`
	Delay      string    `json:"delay,omitempty"`
	Expires    time.Time `json:"expires,omitzero"`
}

// EnvelopeOf is what an invocation that was just made brings along.
func EnvelopeOf(inv *Invocation) Envelope {
	e := Envelope{
		ID: inv.ID, Kind: inv.Kind, URL: inv.URL, Accepted: inv.Accepted, Due: inv.Since, Retries: inv.Retries,
	}
	if inv.Terms != nil {
		e.Terms = *inv.Terms
	}
	return e
}

// Take gives an invocation what its envelope says. What fell due on the way is
// ready now. What was accepted in the future is accepted now, and nothing falls due
// later than any caller may ask for: every publisher can write an envelope.
func (e *Envelope) Take(inv *Invocation, now time.Time) {
	inv.ID, inv.Kind, inv.URL, inv.Accepted, inv.Retries = e.ID, e.Kind, e.URL, e.Accepted, e.Retries
	terms := e.Terms
	inv.Terms = &terms
	if inv.Accepted.After(now) {
		inv.Accepted = now
	}
	inv.Since = now
	if last := now.Add(MaxDelay); e.Due.After(last) {
		inv.Since = last
	} else if e.Due.After(now) {
		inv.Since = e.Due
	}
}

// MarshalJSON writes the envelope with words and durations as text.
func (e Envelope) MarshalJSON() ([]byte, error) {
	w := envelope{
		ID: e.ID, Kind: e.Kind.String(), URL: e.URL, Accepted: e.Accepted.UTC(), Due: e.Due.UTC(), Retries: e.Retries,
		Source: e.Terms.Source.String(), MaxRetries: e.Terms.MaxRetries,
	}
	if e.Terms.Delay != 0 {
		w.Delay = e.Terms.Delay.String()
	}
	if !e.Terms.Expires.IsZero() {
		w.Expires = e.Terms.Expires.UTC()
	}
	return stdjson.Marshal(w)
}

var errEnvelope = errors.New("no usable envelope")

// UnmarshalJSON reads what MarshalJSON wrote, and refuses what this program would
// not have written: every publisher can write an envelope.
func (e *Envelope) UnmarshalJSON(b []byte) error {
	var w envelope
	if err := stdjson.Unmarshal(b, &w); err != nil {
		return errEnvelope
	}
	kind, known := kinds[w.Kind]
	source, from := sources[w.Source]
	if !known || !from || source == SourceGateway {
		return fmt.Errorf("%w: its kind or source is unknown", errEnvelope)
	}
	var delay time.Duration
	if w.Delay != "" {
		var err error
		if delay, err = time.ParseDuration(w.Delay); err != nil {
			return fmt.Errorf("%w: its delay is not a duration", errEnvelope)
		}
	}
	*e = Envelope{
		ID: w.ID, Kind: kind, URL: w.URL, Accepted: w.Accepted, Due: w.Due, Retries: w.Retries,
		Terms: Terms{Source: source, MaxRetries: w.MaxRetries, Delay: delay, Expires: w.Expires},
	}
	return e.check()
}

// check holds an envelope against the bounds of what is accepted.
func (e *Envelope) check() error {
	t := e.Terms
	switch {
	case e.ID.IsZero():
		return fmt.Errorf("%w: it has no id", errEnvelope)
	case (e.Kind == KindCallback) != (e.URL != ""):
		return fmt.Errorf("%w: a URL belongs to a callback, and to nothing else", errEnvelope)
	case e.Retries < 0, e.Retries > MaxCount+1, t.MaxRetries < Unlimited, t.MaxRetries > MaxCount:
		return fmt.Errorf("%w: a number of retries is out of range", errEnvelope)
	case t.Delay < 0, t.Delay > MaxDelay:
		return fmt.Errorf("%w: its delay is out of range", errEnvelope)
	case !plausible(e.Accepted), !plausible(e.Due), !t.Expires.IsZero() && !plausible(t.Expires):
		return fmt.Errorf("%w: a time is out of range", errEnvelope)
	}
	return nil
}

// plausible reports whether a time can stand in a key of the store, which counts
// nanoseconds since 1970.
func plausible(t time.Time) bool { return t.Year() >= 1970 && t.Year() <= 2200 }

// kinds and sources are the words for them.
var (
	kinds = map[string]Kind{
		KindFunction.String(): KindFunction, KindCallback.String(): KindCallback,
	}
	sources = map[string]Source{
		SourceGateway.String(): SourceGateway, SourceHTTP.String(): SourceHTTP,
		SourceMailbox.String(): SourceMailbox, SourceProducer.String(): SourceProducer,
	}
)
