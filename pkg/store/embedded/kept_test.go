package embedded

// What the ledger knows beside invocations: notes, idempotency keys and results,
// which change in one batch with invocations.

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"time"

	"queue-worker/pkg/invocation"
	"queue-worker/pkg/store"
	"queue-worker/pkg/store/record"
)

// beside is where the ledger keeps the state of what is not an invocation.
func beside(kind byte, name []byte) invocation.ID {
	sum := sha256.Sum256(append([]byte{kind}, name...))
	id := invocation.ID(sum[:idLen])
	id[0], id[1] = 0xff, kind // ids of invocations begin with a time
	return id
}

func besideNote(name string) invocation.ID        { return beside('n', []byte(name)) }
func besideKey(k *store.Key) invocation.ID        { return beside('k', k.Hash[:]) }
func besideResult(of invocation.ID) invocation.ID { return beside('o', of[:]) }

func stateOfNote(value []byte) state { return state(fmt.Sprintf("note %q", value)) }

func stateOfKey(k *store.Key, id invocation.ID, callID string) state {
	return state(fmt.Sprintf("key until %d of %s %s", k.Expires.UnixNano(), id, callID))
}

func stateOfResult(r *store.Result) state {
	return state(fmt.Sprintf("%s %d %v %q until %d", r.Outcome, r.Status, r.Header, r.Body, r.Expires.UnixNano()))
}

// addBeside adds what a store holds beside invocations, and checks that it agrees
// with itself and with the counts.
func addBeside(s *Store, found map[invocation.ID]state) error {
	for name, value := range s.Notes("") {
		found[besideNote(name)] = stateOfNote(value)
	}
	keys, results := 0, 0
	err := s.each(claimPrefix, after(claimPrefix), func(key, value []byte) (bool, error) {
		keys++
		c, err := parseClaim(key[len(claimPrefix):], value)
		found[besideKey(&c.Key)] = stateOfKey(&c.Key, c.id, c.callID)
		return true, err
	})
	var size int64
	err = errors.Join(err, s.each(resultPrefix, after(resultPrefix), func(key, value []byte) (bool, error) {
		results++
		id := invocation.ID(key[len(resultPrefix):])
		r, body, err := record.DecodeResult(id, value)
		if err == nil && body > 0 {
			err = s.look(appendBodyKey(nil, id), func(v []byte) error { r.Body = append(r.Body, v...); return nil })
		}
		if err != nil {
			return false, err
		}
		size += int64(len(value) + body)
		found[besideResult(id)] = stateOfResult(r)
		return true, nil
	}))
	if st := s.Stats(); st.Keys != keys || st.Results != results || st.ResultBytes != size {
		err = errors.Join(err, fmt.Errorf("%d keys and %d results of %d bytes are there, counted are %+v", keys, results, size, st))
	}
	c := newChecker(s, newCheckFS(context.Background(), s.raw, nil).steps, nil)
	c.asked = newKeyLister(s)
	for _, step := range []func(){c.records, c.kept, c.indexes} {
		step()
	}
	if len(c.list) > 0 {
		err = errors.Join(err, fmt.Errorf("the check finds %q", c.list))
	}
	return err
}

// keeps takes invocations through their keys, results and acts with notes.
func (p *player) keeps(ctx context.Context) error {
	return errors.Join(p.keys(ctx), p.results(ctx), p.acts(ctx), p.sweeps(ctx))
}

// key is an idempotency key for ten seconds.
func (p *player) key(n byte) *store.Key {
	return &store.Key{Hash: [32]byte{n}, Payload: [32]byte{n, 1}, Expires: p.time().Add(10 * time.Second)}
}

// keys accepts and claims under keys, again when they have expired, and gives one back.
func (p *player) keys(ctx context.Context) error {
	for n := range byte(3) {
		inv, raw := p.make(90)
		k := p.key(n)
		end := p.begin(change{to: map[invocation.ID]state{
			inv.ID: stateOf(inReady, inv), besideKey(k): stateOfKey(k, inv.ID, inv.CallID),
		}})
		done := make(chan error, 1)
		p.Accept(store.Accept{Inv: inv, Raw: raw, Key: k, Once: true}, func(err error) { done <- err })
		err := <-done
		end(err)
		if err != nil {
			return err
		}
		p.pass(5 * time.Second)
	}
	for n := range byte(2) { // the first has expired, the other is new
		k := p.key(n * 7)
		end := p.begin(change{to: map[invocation.ID]state{besideKey(k): stateOfKey(k, invocation.ID{n}, "claimed")}})
		err := p.Claim(ctx, *k, invocation.ID{n}, "claimed")
		end(err)
		if err != nil || n == 0 {
			if err != nil {
				return err
			}
			continue
		}
		end = p.begin(change{to: map[invocation.ID]state{besideKey(k): ""}})
		err = p.Unclaim(ctx, *k)
		end(err)
		if err != nil {
			return err
		}
	}
	return nil
}

// finish settles an invocation that is ready, with a result.
func (p *player) finish(ctx context.Context, inv *invocation.Invocation, v invocation.Outcome, body string) error {
	next := *inv
	c := change{to: map[invocation.ID]state{inv.ID: ""}}
	if v == invocation.OutcomeDead {
		next.State, next.Reason, next.DiedAt = invocation.Dead, invocation.NonRetryable, p.time()
		c.to[inv.ID] = stateOf(inDead, &next)
	}
	r := &store.Result{Outcome: invocation.OutcomeDone, Status: 200, Body: []byte(body), At: p.time(), Expires: p.time().Add(10 * time.Second)}
	c.to[besideResult(inv.ID)] = stateOfResult(r)
	end := p.begin(c)
	err := p.Settle(ctx, store.Settlement{At: store.Ready{Lane: inv.Lane, Since: inv.Since, ID: inv.ID}, Outcome: v, Inv: &next, Result: r})
	end(err)
	*inv = next
	return err
}

// results keeps results, one of them in place of an earlier one.
func (p *player) results(ctx context.Context) error {
	for _, body := range []string{"", "body", string(make([]byte, 5000))} {
		inv, err := p.do(80, nil)
		if err != nil {
			return err
		}
		if err := errors.Join(p.finish(ctx, inv, invocation.OutcomeDead, "the first "+body), p.act(ctx, store.ActReplay, "", inv)); err != nil {
			return err
		}
		if err := p.finish(ctx, inv, invocation.OutcomeDone, body); err != nil {
			return err
		}
	}
	return nil
}

// act acts on invocations, with a note unless it is "".
func (p *player) act(ctx context.Context, v store.Verb, note string, all ...*invocation.Invocation) error {
	b := store.Batch{Verb: v}
	c := change{to: map[invocation.ID]state{}}
	for _, inv := range all {
		b.IDs = append(b.IDs, inv.ID)
		c.to[inv.ID] = ""
		if v == store.ActReplay {
			inv.State, inv.Reason, inv.DiedAt, inv.Since = invocation.Pending, "", time.Time{}, p.time()
			inv.Retries = 0
			inv.Replays++
			c.to[inv.ID] = stateOf(inReady, inv)
		}
	}
	if note != "" {
		b.Note = &store.Note{Name: "job", Value: []byte(note)}
		c.to[besideNote("job")] = stateOfNote(b.Note.Value)
	}
	end := p.begin(c)
	taken, err := p.Act(ctx, b)
	end(err)
	for _, x := range taken {
		err = errors.Join(err, x.Err)
	}
	return err
}

// acts replays, drops and cancels many, each time with a note of how far it is.
func (p *player) acts(ctx context.Context) error {
	var letters, waiting []*invocation.Invocation
	for n := range 6 {
		inv, err := p.do(60, nil)
		if err != nil {
			return err
		}
		p.pass(time.Second)
		if err := p.finish(ctx, inv, invocation.OutcomeDead, "no"); err != nil {
			return err
		}
		letters = append(letters, inv)
		late, err := p.do(60, func(i *invocation.Invocation) { i.Since = p.time().Add(time.Duration(n%2) * time.Hour) })
		if err != nil {
			return err
		}
		waiting = append(waiting, late)
	}
	err := errors.Join(
		p.act(ctx, store.ActReplay, "2 of 6", letters[:2]...), p.act(ctx, store.ActReplay, "4 of 6", letters[2:4]...),
		p.act(ctx, store.ActDrop, "6 of 6", letters[4:]...), p.act(ctx, store.ActCancel, "cancelled", waiting...),
	)
	if err != nil {
		return err
	}
	end := p.begin(change{to: map[invocation.ID]state{besideNote("job"): ""}})
	err = p.PutNote(ctx, store.Note{Name: "job"})
	end(err)
	return err
}

// sweeps forgets all keys and results.
func (p *player) sweeps(ctx context.Context) error {
	p.pass(time.Minute)
	c := change{to: map[invocation.ID]state{}}
	l := p.ledger.copy()
	for id := range l.is {
		if id[0] == 0xff && id[1] != 'n' {
			c.to[id] = ""
		}
	}
	end := p.begin(c)
	_, err := p.Sweep(ctx)
	end(err)
	return err
}
