// File record.go has the line of an export: a dead letter whole and exact, so that an
// import restores it. Nothing is hidden in it.

package admin

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/go-json-experiment/json"

	"queue-worker/pkg/invocation"
	"queue-worker/pkg/wire"
)

// recordOf is a letter as a line, without its QueueRequest.
func recordOf(inv *invocation.Invocation) *wire.Record {
	r := &wire.Record{
		ID: inv.ID, CallID: inv.CallID, Kind: inv.Kind.String(), Queue: inv.Lane.Queue, Topic: inv.Lane.Name,
		Function: inv.Function, URL: inv.URL, Origin: inv.Origin, First: inv.Accepted.UTC(), Since: inv.Since.UTC(),
		Retries: inv.Retries, Attempts: make([]wire.RecordAttempt, len(inv.Attempts)), Omitted: inv.Omitted,
		Sequence: inv.Sequence, Superseded: inv.Superseded,
		Crashes: inv.Crashes, Replays: inv.Replays, Reason: inv.Reason, Detail: inv.Detail, Died: inv.DiedAt.UTC(),
	}
	for i, a := range inv.Attempts {
		r.Attempts[i] = wire.RecordAttempt{At: a.At.UTC(), Duration: int64(a.Duration), Status: a.Status, Cause: a.Cause}
	}
	if t := inv.Terms; t != nil {
		r.Terms = &wire.RecordTerms{Source: t.Source.String(), MaxRetries: t.MaxRetries, Delay: int64(t.Delay), Expires: t.Expires.UTC(),
			Delayed: t.Delayed, Ignored: string(t.DelayIgnored), Repeats: t.Repeats}
	}
	if t := inv.Trace; t != nil {
		r.Trace = &wire.RecordTrace{Parent: t.Parent, State: t.State, Last: t.Last}
	}
	r.Answer = answerOf(inv)
	return r
}

// readRecord reads a line. Its errors name keys and never repeat values.
func readRecord(line []byte) (*invocation.Invocation, []byte, error) {
	var r wire.Record
	if err := json.Unmarshal(line, &r, json.RejectUnknownMembers(true)); err != nil {
		return nil, nil, notARecord(err)
	}
	inv, err := invocationOf(&r)
	return inv, r.Request, err
}

func notARecord(err error) error {
	if errors.Is(err, json.ErrUnknownName) {
		return errors.New("a key is not known; was it written by a newer version?")
	}
	if e, ok := errors.AsType[*json.SemanticError](err); ok && e.JSONPointer != "" {
		return fmt.Errorf("the value at %.100s is not of its type", e.JSONPointer) // without unknown names, it is our own
	}
	return errors.New("not the JSON of a dead letter")
}

// invocationOf is what a line says, when it can be true.
func invocationOf(r *wire.Record) (*invocation.Invocation, error) {
	inv := &invocation.Invocation{
		ID: r.ID, CallID: r.CallID, Lane: invocation.Lane{Queue: r.Queue, Name: r.Topic}, Function: r.Function,
		URL: r.URL, Origin: r.Origin, Accepted: r.First, Since: r.Since, State: invocation.Dead, Retries: r.Retries,
		Sequence: r.Sequence, Superseded: r.Superseded,
		Omitted: r.Omitted, Crashes: r.Crashes, Replays: r.Replays, Reason: r.Reason, Detail: r.Detail, DiedAt: r.Died,
	}
	for _, a := range r.Attempts {
		inv.Attempts = append(inv.Attempts, invocation.Attempt{At: a.At, Duration: time.Duration(a.Duration), Status: a.Status, Cause: a.Cause})
	}
	var ok bool
	if inv.Kind, ok = kinds[r.Kind]; !ok {
		return nil, errors.New("kind is neither function nor callback")
	}
	if r.Terms != nil {
		inv.Terms = &invocation.Terms{MaxRetries: r.Terms.MaxRetries, Delay: time.Duration(r.Terms.Delay), Expires: r.Terms.Expires,
			Delayed: r.Terms.Delayed, DelayIgnored: invocation.DelayIgnored(r.Terms.Ignored), Repeats: r.Terms.Repeats}
		if inv.Terms.Source, ok = sources[r.Terms.Source]; !ok {
			return nil, errors.New("terms/source is not one of gateway, http, mailbox, producer")
		}
	}
	if t := r.Trace; t != nil {
		inv.Trace = &invocation.Trace{Parent: t.Parent, State: t.State, Last: t.Last}
	}
	var err error
	if inv.Answer, err = readAnswer(r.Answer); err != nil {
		return nil, err
	}
	return inv, checkRecord(r)
}

// What the words of a line stand for.
var (
	kinds   = byWord(invocation.KindFunction, invocation.KindCallback)
	sources = byWord(invocation.SourceGateway, invocation.SourceHTTP, invocation.SourceMailbox, invocation.SourceProducer)
)

func byWord[T interface {
	comparable
	String() string
}](all ...T) map[string]T {
	m := map[string]T{}
	for _, v := range all {
		m[v.String()] = v
	}
	return m
}

// maxRecordText bounds the texts of a line. No header that came in is longer.
const maxRecordText = 64 << 10 // bytes of a text

// maxTraceText bounds the texts of a trace: a tracestate has up to 512 bytes.
const maxTraceText = 1 << 10

// checkRecord holds a line against what the program relies on.
func checkRecord(r *wire.Record) error {
	for _, is := range []struct {
		wrong bool
		what  string
	}{
		{r.Error != "", "this dead letter could not be read when it was exported"},
		{r.ID.IsZero(), "id is missing"},
		{!isLaneName(r.Topic), "topic-entity is neither a function's name nor url:host:port"},
		{!isPlain(r.Queue), "queue is not a queue's name"},
		{!slices.Contains(invocation.Reasons(), r.Reason), "reason is not one of the reasons"},
		{!isStorable(r.Died), "died_at is missing or out of range"},
		{!isStorable(r.First), "first_seen is missing or out of range"},
		{!r.Since.IsZero() && !isStorable(r.Since), "since is out of range"},
		{max(len(r.CallID), len(r.Function), len(r.URL), len(r.Detail)) > maxRecordText, "a text is too long"},
		{!areCounts(r.Retries, r.Omitted, r.Crashes, r.Replays, r.Sequence), "a count is out of range"},
		{len(r.Attempts) > invocation.MaxHistory, "there are more attempts than are remembered"},
		{slices.ContainsFunc(r.Attempts, isWrongAttempt), "an attempt cannot be"},
		{r.Terms != nil && areWrongTerms(r.Terms), "terms cannot be"},
		{r.Trace != nil && max(len(r.Trace.Parent), len(r.Trace.State), len(r.Trace.Last)) > maxTraceText, "trace is too long"},
		{(r.Kind == invocation.KindCallback.String()) != (r.URL != ""), "a callback has a url, and nothing else has"},
	} {
		if is.wrong {
			return errors.New(is.what)
		}
	}
	return nil
}

func isLaneName(s string) bool {
	return s == "" || invocation.ValidName(s) || invocation.IsCallbackLane(s) && isPlain(s)
}

// maxQueueName bounds the names of queues in bytes. Nothing that exists comes near it.
const maxQueueName = 1 << 10

// isPlain reports whether a name can be a part of the store's keys.
func isPlain(s string) bool {
	return s != "" && len(s) <= maxQueueName && !strings.ContainsFunc(s, func(c rune) bool { return c <= ' ' || c > '~' })
}

// isStorable reports whether a time is within what the keys of the store hold.
func isStorable(t time.Time) bool { return t.Year() >= 1970 && t.Year() < 2200 }

func areCounts(all ...int) bool {
	return !slices.ContainsFunc(all, func(n int) bool { return n < 0 || n > invocation.MaxCount })
}

func isWrongAttempt(a wire.RecordAttempt) bool {
	return !isStorable(a.At) || a.Duration < 0 || a.Status < 0 || a.Status > 999 ||
		a.Cause != "" && !slices.Contains(invocation.Causes(), a.Cause)
}

func areWrongTerms(t *wire.RecordTerms) bool {
	return t.MaxRetries < invocation.Unlimited || t.MaxRetries > invocation.MaxCount ||
		t.Delay < 0 || t.Delay > int64(invocation.MaxDelay) ||
		t.Ignored != "" && !slices.Contains(invocation.DelaysIgnored(), invocation.DelayIgnored(t.Ignored)) ||
		!t.Expires.IsZero() && !isStorable(t.Expires)
}
