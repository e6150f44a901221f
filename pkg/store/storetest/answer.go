package storetest

import (
	"strings"

	"github.com/google/go-cmp/cmp"

	"queue-worker/pkg/invocation"
	"queue-worker/pkg/store"
)

// answerOf makes an answer that is kept with an invocation.
func (w *world) answerOf(body string) *invocation.Answer {
	a := &invocation.Answer{At: w.clock.Now(), Status: 500, Type: "text/plain", Truncated: true}
	if body != "" {
		a.Body = []byte(body)
	}
	return a
}

// settleWith settles a ready invocation that stays in the store with an answer.
func (w *world) settleWith(inv *invocation.Invocation, v invocation.Outcome, a *invocation.Answer) {
	w.Helper()
	here := at(inv)
	if v == invocation.OutcomeDead {
		inv.Reason, inv.DiedAt = invocation.AttemptsExhausted, w.clock.Now()
	}
	if err := w.Settle(w.Context(), store.Settlement{At: here, Outcome: v, Inv: inv, Answer: a}); err != nil {
		w.Fatalf("settle: %v", err)
	}
	inv.Answer = a
}

// wantBytes checks what all that is stored counts, and what the dead letters among it count.
func (w *world) wantBytes(all, dead int) {
	w.Helper()
	st := w.Stats()
	if st.Bytes != int64(all) {
		w.Errorf("bytes: got %d, want %d", st.Bytes, all)
	}
	if st.DeadBytes != int64(dead) {
		w.Errorf("bytes of dead letters: got %d, want %d", st.DeadBytes, dead)
	}
}

// wantAnswer checks the answer that a stored invocation has, and that the index agrees with the record.
func (w *world) wantAnswer(inv *invocation.Invocation) {
	w.Helper()
	got, err := w.Get(w.Context(), inv.ID)
	if err != nil {
		w.Fatalf("get: %v", err)
	}
	if d := cmp.Diff(inv.Answer, got.Answer); d != "" {
		w.Errorf("answer (-want +got):\n%s", d)
	}
}

var answers = []test{
	{"of all attempts the latest answer is kept, and counted", func(w *world) {
		inv := w.now("fn")
		w.take(inv)
		for _, body := range []string{"first", strings.Repeat("x", invocation.MaxAnswerBody), "", "last"} {
			w.settleWith(inv, invocation.OutcomeRetry, w.answerOf(body))
			w.wantAnswer(inv)
			w.wantBytes(inv.Size+len("text/plain")+len(body), 0)
		}
		w.settleWith(inv, invocation.OutcomeRetry, nil)
		w.wantAnswer(inv)
		w.wantBytes(inv.Size, 0)
	}},
	{"a dead letter has its answer, through a replay until its next outcome", func(w *world) {
		inv := w.now("fn")
		w.take(inv)
		w.settleWith(inv, invocation.OutcomeDead, w.answerOf("no"))
		n := inv.Size + len("text/plain") + len("no")
		w.wantBytes(n, n)
		if got := w.Lanes()[inv.Lane].DeadBytes; got != int64(n) {
			w.Errorf("bytes of the lane: got %d, want %d", got, n)
		}
		if groups, err := w.Groups(w.Context(), store.Filter{}); err != nil || groups[0].Bytes != int64(n) {
			w.Errorf("groups: got %+v, %v, want %d bytes", groups, err, n)
		}
		if err := w.Replay(w.Context(), inv.ID); err != nil {
			w.Fatal(err)
		}
		w.wantBytes(n, 0)
		w.wantAnswer(inv)
		again, err := w.Get(w.Context(), inv.ID)
		if err != nil {
			w.Fatal(err)
		}
		w.settleWith(again, invocation.OutcomeDead, nil)
		w.wantAnswer(again)
		w.wantBytes(inv.Size, inv.Size)
	}},
	{"an answer is erased with its invocation, and is not in its result", func(w *world) {
		done, dropped, cancelled := w.now("fn"), w.now("fn"), w.now("fn")
		w.take(done, dropped, cancelled)
		for _, inv := range []*invocation.Invocation{done, cancelled} {
			w.settleWith(inv, invocation.OutcomeRetry, w.answerOf("not yet"))
		}
		w.settleWith(dropped, invocation.OutcomeDead, w.answerOf("no"))
		r := w.ending(done, "yes")
		w.finish(done, invocation.OutcomeDone, r)
		if err := w.Drop(w.Context(), dropped.ID); err != nil {
			w.Fatal(err)
		}
		if _, err := w.Cancel(w.Context(), cancelled.ID); err != nil {
			w.Fatal(err)
		}
		w.wantBytes(0, 0)
		got, err := w.Result(w.Context(), done.ID, true)
		if err != nil {
			w.Fatal(err)
		}
		if got.Inv.Answer != nil {
			w.Errorf("answer of the result: got %+v, want none", got.Inv.Answer)
		}
	}},
	{"an answer comes with an import, and outlives a restart", func(w *world) {
		imported, delayed := w.now("fn"), w.now("fn")
		imported.Bury(invocation.NonRetryable, "", w.clock.Now())
		imported.Answer = w.answerOf("imported")
		w.take(imported, delayed)
		w.settleWith(delayed, invocation.OutcomeRetry, w.answerOf("later"))
		for range 2 {
			w.wantKept(imported)
			w.wantKept(delayed)
			w.wantBytes(imported.StoredBytes()+delayed.StoredBytes(), imported.StoredBytes())
			w.restart()
		}
	}},
}
