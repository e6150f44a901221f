package ingest_test

import (
	"testing"

	"queue-worker/pkg/api/apitest"
	"queue-worker/pkg/invocation"
	"queue-worker/pkg/store"
)

// rig is the whole surface with its store.
type rig struct{ *apitest.Rig }

func newRig(t testing.TB, edits ...func(*apitest.Options)) *rig {
	t.Helper()
	return &rig{apitest.New(t, edits...)}
}

// storing accepts work in a durable store, or in NATS Streaming.
func storing(durable bool) func(*apitest.Options) {
	return func(o *apitest.Options) {
		if !durable {
			apitest.Temporary(o)
		}
	}
}

// acceptedBy is the one invocation that the store has accepted, or NATS Streaming. Of the
// latter it has what a QueueRequest says of it.
func acceptedBy(t *testing.T, r *rig, durable bool) store.Accept {
	t.Helper()
	if durable {
		return r.Accepts.Only(t)
	}
	raw := r.Queue.Only(t)
	q, _ := apitest.Decoded(t, raw)
	return store.Accept{Raw: raw, Inv: &invocation.Invocation{ID: q.Envelope.ID, CallID: q.CallID(), Accepted: q.Envelope.Accepted}}
}
