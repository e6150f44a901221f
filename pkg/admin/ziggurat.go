// File ziggurat.go has ziggurat's dead set: GET and DELETE /v1/dead_set and POST
// /v1/dead_set/replay with a count of the oldest dead letters of one topic entity, which
// is a function, and channel, which is a queue. Texts and order of checks are ziggurat's,
// whose clients compare them.

package admin

import (
	"context"
	"net/http"
	"strings"
	"time"

	"queue-worker/pkg/invocation"
	"queue-worker/pkg/jobs"
	"queue-worker/pkg/respond"
	"queue-worker/pkg/store"
	"queue-worker/pkg/wire"
)

// The texts of ziggurat.
const (
	textTopic    = "Topic entity/channel should be provided and must be present in stream routes"
	textCount    = "Count should be positive integer"
	textChannel  = "Retry is not enabled"
	textReplayed = "Replay has been triggered. Please check after some time"
	textDeleted  = "Delete has been triggered. Please check after some time"
)

var (
	problemTopic = respond.Refuse(textTopic,
		"Name a function that the gateway or the dead set knows. Give count and topic-entity in the query, or in a body "+
			"whose Content-Type is application/json")
	problemCount = respond.Refuse(textCount,
		"count is a whole number from 0 to 2147483647")
	problemChannel = respond.NewProblem(http.StatusNotFound, wire.NotFound, textChannel,
		"channel is one of the queues in faas_nats_channel; leave it out for the first of them")
)

// oldest is what a request of ziggurat means: the count oldest letters of a lane.
type oldest struct {
	lane  invocation.Lane
	count int
}

// filter is the filter of these letters, but for their number.
func (o oldest) filter() wire.Filter {
	return wire.Filter{Function: wire.Text(o.lane.Name), Queue: wire.Text(o.lane.Queue)}
}

// readOldest reads and checks a request of ziggurat, in ziggurat's order.
func (a *Admin) readOldest(w http.ResponseWriter, r *http.Request) (oldest, error) {
	p, err := readLoose(w, r)
	if err != nil {
		return oldest{}, err
	}
	name, ok := p.text(paramTopic)
	if !ok {
		return oldest{}, problemTopic
	}
	known, err := a.knows(r.Context(), name)
	if err != nil {
		return oldest{}, err
	}
	if !known {
		return oldest{}, problemTopic
	}
	o := oldest{lane: invocation.Lane{Name: a.Names.Canonical(name)}}
	if o.lane.Queue, ok = a.queueOf(p); !ok {
		return o, problemChannel
	}
	if o.count, ok = p.count(); !ok {
		return o, problemCount
	}
	return o, nil
}

// knows reports whether a topic entity is known to the store or the gateway. When
// the gateway cannot tell, it is.
func (a *Admin) knows(ctx context.Context, name string) (bool, error) {
	if lane := a.Names.Canonical(name); lane != "" {
		if lanes, err := a.lanesOf(ctx, lane); err != nil || len(lanes) > 0 {
			return true, err
		}
	}
	if !invocation.ValidName(name) || a.Functions == nil {
		return invocation.ValidName(name), nil
	}
	known, sure := a.Functions.Known(ctx, name)
	return known || !sure, nil
}

// queueOf is the queue that a request means: one that is read, or was and has
// something left.
func (a *Admin) queueOf(p loose) (string, bool) {
	if !p.has(paramChannel) {
		return a.Queues[0], true
	}
	name, ok := p.text(paramChannel)
	if !ok || name == "" {
		return "", false
	}
	for _, q := range a.Queues {
		if q == name {
			return name, true
		}
	}
	for l := range a.Store.Lanes() {
		if l.Queue == name {
			return name, true
		}
	}
	_, ok = a.Store.Rest()[name]
	return name, ok
}

// peek answers with the oldest letters and their whole messages.
func (a *Admin) peek(w http.ResponseWriter, r *http.Request) error {
	if err := maySeeBody(r.Context(), true); err != nil {
		return err
	}
	o, err := a.readOldest(w, r)
	if err != nil {
		return err
	}
	if o.count == 0 {
		return respond.JSON(w, http.StatusOK, wire.LetterList{Letters: []wire.Letter{}})
	}
	f, err := storeFilter(o.filter(), a.Names, time.Now())
	if err != nil {
		return err
	}
	_, err = a.answer(w, r, stream{
		filter: f, most: o.count, contentType: respond.ContentJSON, begin: `{"messages":[`, end: "]}\n", letter: a.writeLetter,
	})
	return err
}

// writeLetter writes a letter with its whole message into a list.
func (a *Admin) writeLetter(ctx context.Context, out *paced, inv *invocation.Invocation, n int) error {
	comma := ","
	if n == 0 {
		comma = ""
	}
	err := a.withRaw(ctx, inv, func(inv *invocation.Invocation, raw []byte) error {
		if inv.State != invocation.Dead {
			return store.ErrNotFound
		}
		_, _ = out.WriteString(comma)
		return writeListed(out, letterOf(inv), readMessage(inv, raw))
	})
	if err == nil || isOfAll(err) || ctx.Err() != nil {
		return err
	}
	l := letterOf(inv)
	l.Unreadable = true // the store has logged why
	b, err := respond.Encode(l)
	_, _ = out.WriteString(comma)
	_, _ = out.Write(b)
	return err
}

// ReplayOldest replays the oldest dead letters, as a job that is applied at once. Ziggurat knows no force, so none of its replays needs it.
func (a *Admin) ReplayOldest(w http.ResponseWriter, r *http.Request) error {
	return a.actOldest(w, r, jobs.Request{Act: jobs.Replay, Force: true}, textReplayed)
}

// DropOldest drops the oldest dead letters in the same way.
func (a *Admin) DropOldest(w http.ResponseWriter, r *http.Request) error {
	return a.actOldest(w, r, jobs.Request{Act: jobs.Drop}, textDeleted)
}

func (a *Admin) actOldest(w http.ResponseWriter, r *http.Request, q jobs.Request, text string) error {
	o, err := a.readOldest(w, r)
	if err != nil {
		return err
	}
	if o.count == 0 {
		return respond.JSON(w, http.StatusOK, wire.Triggered{Message: text})
	}
	if q.Filter, err = respond.Encode(o.filter()); err != nil {
		return err
	}
	q.Limit, q.By = o.count, callerOf(r.Context())
	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), a.wait)
	defer cancel()
	job, err := a.Jobs.Start(ctx, q)
	if err != nil {
		return problemOfJob(err)
	}
	done := wire.Triggered{Message: text}
	if job.Plan.Count > 0 {
		done.Job = job.ID.String()
	}
	a.log.Info("dead set changed", keyAct, string(q.Act), keyJob, job.ID.String(), keyCount, job.Plan.Count,
		keyBy, q.By, keyPeer, r.RemoteAddr)
	return respond.JSON(w, http.StatusOK, done)
}

// isZiggurat reports whether a listing is asked for in ziggurat's way.
func isZiggurat(r *http.Request) bool {
	q := r.URL.Query()
	for _, names := range looseNames {
		for _, name := range names {
			if q.Has(name) {
				return true
			}
		}
	}
	return r.ContentLength != 0 && strings.Contains(r.Header.Get("Content-Type"), "json")
}
