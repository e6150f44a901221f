package console

import (
	"strconv"
	"strings"
	"testing"
	"time"

	"queue-worker/pkg/wire"
)

// changed is a status that is well but for one change.
func changed(change func(*wire.Status)) wire.Status {
	s := well()
	change(&s)
	return s
}

func TestSummary(t *testing.T) {
	t.Parallel()
	open := func(ago time.Duration) wire.Function {
		return with(quiet("f"), func(f *wire.Function) {
			f.Breaker = wire.Breaker{State: wire.BreakerOpen, Since: now.Add(-ago), Cause: "refused", Next: now.Add(18 * time.Second)}
		})
	}
	later := func(d time.Duration) *time.Time { at := now.Add(d); return &at }
	for name, c := range map[string]struct {
		state           State
		level, headline string
		rule, text      string // of the first finding; "" for none
	}{
		"nothing has been accepted yet": {
			stateOf(changed(func(s *wire.Status) { s.Store = emptyStore() })), wire.LevelOK, "No invocations yet. The worker is ready.", "", "",
		},
		"all is well": {
			stateOf(well(), quiet("f")), wire.LevelOK, "All is well. The oldest ready invocation is 2 s old.", "", "",
		},
		"all is well and nothing is ready": {
			stateOf(well(), with(quiet("f"), func(f *wire.Function) { f.OldestAge = 0 })), wire.LevelOK, "All is well. No invocation is ready and uncalled.", "", "",
		},
		"the store fails": {
			stateOf(changed(func(s *wire.Status) { s.Store.Error = "disk stalled" })), wire.LevelCritical,
			"The store cannot persist outcomes or read its data.", "store_error", "disk stalled. No new calls start until it can; nothing confirmed is lost.",
		},
		"the store is full": {
			stateOf(changed(func(s *wire.Status) {
				s.Store.Full, s.Worker.Source.Paused = "store holds 9 bytes, store_max_bytes is 8", "store holds 9 bytes"
			})), wire.LevelCritical,
			"Nothing new is accepted. Nothing is lost.", "store_full", "store holds 9 bytes, store_max_bytes is 8. Stored invocations are still called.",
		},
		"invocations are unaccounted for": {
			stateOf(changed(func(s *wire.Status) { s.Worker.Unaccounted = -3 })), wire.LevelCritical,
			"-3 invocations are unaccounted for.", "unaccounted", "This is a bug. Please report it with the worker's log.",
		},
		"NATS Streaming has just gone": {
			stateOf(changed(func(s *wire.Status) {
				s.Worker.Source = wire.SourceStatus{Since: now.Add(-15 * time.Second), Error: "connection refused"}
			})), wire.LevelWarning,
			"NATS Streaming is not connected.", "source_disconnected", "For 15 s: connection refused. Stored invocations are still called.",
		},
		"NATS Streaming is away": {
			stateOf(changed(func(s *wire.Status) { s.Worker.Source = wire.SourceStatus{Since: now.Add(-16 * time.Second)} })), wire.LevelCritical,
			"NATS Streaming is not connected. Nothing is lost.", "source_disconnected", "For 16 s. Stored invocations are still called.",
		},
		"a function restarts": {
			stateOf(well(), open(time.Minute)), wire.LevelWarning, "f is unreachable.", "function_unreachable",
			"For 1 min: refused. 3 ready invocations use up no retries. The next probe is in 18 s.",
		},
		"a function is unreachable": {
			stateOf(well(), open(61*time.Second)), wire.LevelCritical, "One function needs attention. Nothing is lost.", "function_unreachable",
			"For 1 min 1 s: refused. 3 ready invocations use up no retries. The next probe is in 18 s.",
		},
		"invocations are given up": {
			stateOf(well(), with(quiet("f"), func(f *wire.Function) {
				f.GivenUp15, f.Dead, f.LastError = 1, 4, &wire.LastError{Status: 502}
			})), wire.LevelCritical, "One function needs attention. Nothing is lost.", "given_up",
			"Latest failure: status 502. 4 dead letters in all. 2 more are delayed.",
		},
		"given up, and not kept": {
			stateOf(well(), with(quiet("f"), func(f *wire.Function) {
				f.GivenUp15, f.Discarded15, f.LastError = 1, 1, &wire.LastError{Status: 502}
			})), wire.LevelCritical, "One function needs attention. Nothing is lost.", "given_up",
			"Latest failure: status 502. No dead letter of this function is in the dead set now. 2 more are delayed.",
		},
		"a job stopped by itself": {
			State{Status: well(), Jobs: []wire.Job{{ID: "j1", Act: "replay", State: wire.JobStopped, StateReason: "too many failed again", Done: 10, Plan: wire.Plan{Count: 1000}}}},
			wire.LevelCritical, "A replay stopped by itself. Nothing is lost.", "job_stopped", "too many failed again. Job j1 has done 10 of 1,000.",
		},
		"a job waits": {
			State{Status: well(), Jobs: []wire.Job{{ID: "j1", Act: "drop", State: wire.JobWaiting, Plan: wire.Plan{Count: 2}}}},
			wire.LevelWarning, "A drop is waiting.", "job_waiting", "Job j1 has done 0 of 2.",
		},
		"the worker drains": {
			stateOf(changed(func(s *wire.Status) { s.Worker.Draining = true })), wire.LevelWarning, "The worker is draining.", "draining",
			"No new calls start; the process ends when the running calls have finished.",
		},
		"the intake is paused": {
			stateOf(changed(func(s *wire.Status) { s.Worker.Source.Paused = "1000 messages unsettled" })), wire.LevelWarning, "The intake is paused.", "intake_paused",
			"1000 messages unsettled. Messages stay with NATS Streaming meanwhile.",
		},
		"a function is paused until later": {
			stateOf(well(), with(quiet("f"), func(f *wire.Function) {
				f.Paused = &wire.Pause{Reason: "database", Author: "alex", Since: now.Add(-time.Hour), Until: later(90 * time.Minute)}
			})), wire.LevelWarning, "f is paused.", "function_paused",
			"Paused by alex for 1 h: “database”. It is resumed in 1 h 30 min. 5 invocations are pending.",
		},
		"a function is paused for good": {
			stateOf(well(), with(quiet("f"), func(f *wire.Function) { f.Paused = &wire.Pause{Since: now.Add(-time.Hour)} })),
			wire.LevelWarning, "f is paused.", "function_paused",
			"Paused for 1 h. It stays paused until an operator resumes it. 5 invocations are pending.",
		},
		"a short Retry-After": {
			stateOf(well(), with(quiet("f"), func(f *wire.Function) { f.HeldUntil = later(5 * time.Minute) })), wire.LevelOK,
			"All is well. The oldest ready invocation is 2 s old.", "", "",
		},
		"a long Retry-After": {
			stateOf(well(), with(quiet("f"), func(f *wire.Function) { f.HeldUntil = later(301 * time.Second) })), wire.LevelWarning,
			"f is held by Retry-After.", "function_held", "For another 5 min 1 s. 3 invocations are ready.",
		},
		"a backlog that nothing explains": {
			stateOf(well(), with(quiet("f"), func(f *wire.Function) { f.OldestAge = 601 })), wire.LevelWarning,
			"f: the oldest ready invocation is 10 min old.", "backlog",
			"3 invocations are ready; 1 of its 50 calls are in flight, and 28 of the worker's 50 slots are used.",
		},
		"the gateway refuses": {
			stateOf(changed(func(s *wire.Status) { s.Worker.Gateway.Error = "gateway refuses to answer about functions" })), wire.LevelWarning,
			"The gateway does not answer about functions.", "gateway_silent",
			"gateway refuses to answer about functions. Its last answers about annotations and unknown functions stay in use.",
		},
		"the store is in memory": {
			stateOf(changed(func(s *wire.Status) { s.Store.Durable = false })), wire.LevelWarning, "The store is in memory only.", "not_durable",
			"Unsettled messages stay with NATS Streaming; the dead set ends with this process. Set data_dir to a folder on a volume to keep it.",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := Summarize(c.state)
			if got.Level != c.level {
				t.Errorf("got level %q, want %q", got.Level, c.level)
			}
			if got.Headline != c.headline {
				t.Errorf("got headline %q, want %q", got.Headline, c.headline)
			}
			var first wire.Finding
			if len(got.Findings) > 0 {
				first = got.Findings[0]
			}
			if first.Rule != c.rule {
				t.Errorf("got rule %q, want %q", first.Rule, c.rule)
			}
			if first.Text != c.text {
				t.Errorf("got text %q, want %q", first.Text, c.text)
			}
		})
	}
}

func TestTheWorstFindingComesFirst(t *testing.T) {
	t.Parallel()
	s := stateOf(changed(func(s *wire.Status) { s.Store.Durable = false }), troubled()...)
	var got []string
	for _, f := range Summarize(s).Findings {
		got = append(got, f.Rule+" "+f.Function)
	}
	want := "function_unreachable resize-image, given_up mail-send, function_paused invoice-pdf, not_durable "
	if all := strings.Join(got, ", "); all != want {
		t.Errorf("got %q, want %q", all, want)
	}
}

func TestWhatWasReplayedWithSuccessIsNoTrouble(t *testing.T) {
	t.Parallel()
	s := stateOf(well(), with(quiet("f"), func(f *wire.Function) {
		f.GivenUp15, f.LastError = 3, &wire.LastError{Status: 502}
	}))
	if got := Summarize(s); len(got.Findings) != 0 {
		t.Errorf("findings: got %+v, want none", got.Findings)
	}
	if got := conditionOf(s.Status, &s.Functions[0]); got.Word != "ok" {
		t.Errorf("condition: got %q, want ok", got.Word)
	}
}

func TestOnlyADurableStoreLosesNothing(t *testing.T) {
	t.Parallel()
	s := stateOf(changed(func(s *wire.Status) { s.Store.Durable = false }), troubled()...)
	if got, want := Summarize(s).Headline, "Two functions need attention."; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestASummaryListsEightFindings(t *testing.T) {
	t.Parallel()
	var all []wire.Function
	for i := range 11 {
		all = append(all, with(quiet("f"+strconv.Itoa(i)), func(f *wire.Function) { f.GivenUp15, f.Dead = i+1, i+1 }))
	}
	got := Summarize(stateOf(well(), all...))
	if len(got.Findings) != maxFindings {
		t.Errorf("got %d findings, want %d", len(got.Findings), maxFindings)
	}
	if got.More != 3 {
		t.Errorf("got %d more, want 3", got.More)
	}
	if got.Findings[0].Function != "f10" {
		t.Errorf("got %s first, want f10, which gave up most", got.Findings[0].Function)
	}
	if want := "11 functions need attention. Nothing is lost."; got.Headline != want {
		t.Errorf("got %q, want %q", got.Headline, want)
	}
}
