// File rules.go has the findings of a summary, as one table: what is found, how bad it is,
// and the sentences.

package console

import (
	"fmt"
	"strconv"
	"time"

	"queue-worker/pkg/wire"
)

const (
	// shortBreak is how long a connection or a function may be unreachable before it is critical.
	// A restart of either takes that long.
	shortSource   = 15 * time.Second
	shortFunction = time.Minute
	// longHold is from when on a Retry-After is worth a finding.
	longHold = 5 * time.Minute
	// longReady is from when on the age of a ready invocation is.
	longReady = 10 * time.Minute
)

// rule finds one kind of thing. Rules of the same level are listed in this order.
type rule struct {
	name string
	find func(State) []wire.Finding
}

// rule                  level                title                                              text
// store_error           critical             The store cannot persist outcomes or read its data its reason; no new calls start, nothing confirmed is lost
// store_full            critical             Nothing new is accepted                            its reason; stored invocations are still called
// unaccounted           critical             3 invocations are unaccounted for                  a bug; please report it
// source_disconnected   critical after 15 s  NATS Streaming is not connected                    how long, its reason; stored invocations are still called
// function_unreachable  critical after 60 s  f is unreachable                                   how long, cause; ready ones use up no retries; next probe
// given_up              critical             f: 312 invocations given up in the last 15 minutes last status; how many are pending
// job_stopped           critical             A replay stopped by itself                         its reason; how many of how many were done
// draining              warning              The worker is draining                             no new calls start
// intake_paused         warning              The intake is paused                               its reason
// function_paused       warning              f is paused                                        by whom, since, reason, until; how many are pending
// function_held         warning, from 5 min  f is held by Retry-After                           how long; how many are ready
// backlog               warning, from 10 min f: the oldest ready invocation is 12 min old       calls in flight of the limit
// job_waiting           warning              A replay is waiting                                its reason
// gateway_silent        warning              The gateway does not answer about functions        its reason; what follows
// not_durable           warning              The store is in memory only                        what that means
var rules = []rule{
	{"store_error", storeError},
	{"store_full", storeFull},
	{"unaccounted", unaccounted},
	{"source_disconnected", disconnected},
	{"function_unreachable", unreachable},
	{"given_up", givenUp},
	{"job_stopped", jobsIn(wire.JobStopped, wire.LevelCritical, "stopped by itself")},
	{"draining", draining},
	{"intake_paused", intakePaused},
	{"function_paused", paused},
	{"function_held", held},
	{"backlog", backlog},
	{"job_waiting", jobsIn(wire.JobWaiting, wire.LevelWarning, "is waiting")},
	{"gateway_silent", gatewaySilent},
	{"not_durable", notDurable},
}

// when is one finding, or none.
func when(is bool, f wire.Finding) []wire.Finding {
	if !is {
		return nil
	}
	return []wire.Finding{f}
}

func storeError(s State) []wire.Finding {
	st := s.Status.Store
	return when(st.Error != "", wire.Finding{
		Level: wire.LevelCritical, Title: "The store cannot persist outcomes or read its data",
		Text: sentences(ended(Text(st.Error)), "No new calls start until it can; nothing confirmed is lost."),
	})
}

func storeFull(s State) []wire.Finding {
	st := s.Status.Store
	return when(st.Full != "" && st.Error == "", wire.Finding{
		Level: wire.LevelCritical, Title: "Nothing new is accepted",
		Text: sentences(ended(Text(st.Full)), "Stored invocations are still called."),
	})
}

func unaccounted(s State) []wire.Finding {
	n := int(s.Status.Worker.Unaccounted)
	return when(n != 0, wire.Finding{
		Level: wire.LevelCritical, Title: Things(n, "invocation is", "invocations are") + " unaccounted for",
		Text: "This is a bug. Please report it with the worker's log.",
	})
}

func disconnected(s State) []wire.Finding {
	src := s.Status.Worker.Source
	length, level := since(s, src.Since), wire.LevelCritical
	if length <= shortSource {
		level = wire.LevelWarning
	}
	return when(!src.Connected, wire.Finding{
		Level: level, Title: "NATS Streaming is not connected",
		Text: sentences("For "+ended(Length(length)+because(src.Error)), "Stored invocations are still called."),
	})
}

// because is a reason after a colon, or nothing.
func because(reason string) string {
	if reason == "" {
		return ""
	}
	return ": " + Text(reason)
}

func draining(s State) []wire.Finding {
	return when(s.Status.Worker.Draining, wire.Finding{
		Level: wire.LevelWarning, Title: "The worker is draining", Text: "No new calls start; the process ends when the running calls have finished.",
	})
}

func intakePaused(s State) []wire.Finding {
	src, st := s.Status.Worker.Source, s.Status.Store
	return when(src.Paused != "" && st.Full == "" && st.Error == "", wire.Finding{
		Level: wire.LevelWarning, Title: "The intake is paused",
		Text: sentences(ended(Text(src.Paused)), "Messages stay with NATS Streaming meanwhile."),
	})
}

func gatewaySilent(s State) []wire.Finding {
	g := s.Status.Worker.Gateway
	return when(g.Error != "", wire.Finding{
		Level: wire.LevelWarning, Title: "The gateway does not answer about functions",
		Text: sentences(ended(Text(g.Error)), "Its last answers about annotations and unknown functions stay in use."),
	})
}

func notDurable(s State) []wire.Finding {
	return when(!s.Status.Store.Durable, wire.Finding{
		Level: wire.LevelWarning, Title: "The store is in memory only",
		Text: "Unsettled messages stay with NATS Streaming; the dead set ends with this process. Set data_dir to a folder on a volume to keep it.",
	})
}

// jobsIn finds the jobs in a state.
func jobsIn(state, level, what string) func(State) []wire.Finding {
	return func(s State) (all []wire.Finding) {
		for i := range s.Jobs {
			j := &s.Jobs[i]
			if j.State != state {
				continue
			}
			all = append(all, wire.Finding{
				Level: level, Job: j.ID, Title: fmt.Sprintf("A %s %s", j.Act, what),
				Text: sentences(ended(Text(j.StateReason)), fmt.Sprintf("Job %s has done %s of %s.", j.ID, Count(j.Done), Count(j.Plan.Count))),
			})
		}
		return all
	}
}

// statusOf is the status of the latest failed call as a sentence.
func statusOf(f *wire.Function) string {
	switch e := f.LastError; {
	case e == nil:
		return ""
	case e.Cause != "":
		return "Latest failure: " + ended(Text(e.Cause))
	default:
		return "Latest failure: status " + strconv.Itoa(e.Status) + "."
	}
}
