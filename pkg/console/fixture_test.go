package console

import (
	"time"

	"queue-worker/pkg/wire"
)

var now = time.Date(2026, 11, 30, 2, 47, 31, 0, time.UTC)

// well is a status in which all is well, with a full hour of history.
func well() wire.Status {
	s := wire.Status{At: now}
	s.Worker = wire.WorkerStatus{
		Version: "0.9.0", Started: now.Add(-72 * time.Hour), Ready: true, Slots: wire.Slots{Used: 28, Max: 50},
		Queues: []wire.QueueStatus{{Name: "faas-request", Running: 28}},
		Source: wire.SourceStatus{URL: "nats://nats:4222", Connected: true}, Gateway: wire.GatewayStatus{URL: "http://gateway:8080/"},
		Rate: 182, History: hour(60),
	}
	s.Store = wire.StoreStatus{
		Durable: true, Path: "/data", Ready: 14239, Running: 28, Delayed: 1802, Dead: 1317, RequestBytes: 412 << 20, MaxBytes: 8 << 30, FreeBytes: 20 << 30,
	}
	return s
}

// acting is a caller who may carry out operations, with a word of the address that is not ours.
func acting(name string) Viewer { return Viewer{Version: "0.9.0", Name: name, Acts: true, Did: name} }

// hour is a history of n minutes in which failures begin.
func hour(n int) wire.History {
	h := wire.History{From: now.Add(-time.Duration(n) * time.Minute), Step: 60}
	for i := range n {
		h.Done = append(h.Done, uint32(900+i*7%50))
		h.Retried = append(h.Retried, uint32(max(0, i-20)*5))
		h.GivenUp = append(h.GivenUp, uint32(max(0, i-45)*8))
	}
	return h
}

// quiet is a function of which nothing is wrong.
func quiet(name string) wire.Function {
	h := hour(60)
	return wire.Function{
		Function: name, Topic: name, Queue: "faas-request", Rate: 4.25, Limit: 50, Running: 1, Ready: 3, Delayed: 2, OldestAge: 2,
		Breaker: wire.Breaker{State: wire.BreakerClosed}, History: &h,
	}
}

func with(f wire.Function, change func(*wire.Function)) wire.Function {
	change(&f)
	return f
}

// troubled are functions with one trouble each.
func troubled() []wire.Function {
	soon, later := now.Add(39*time.Second), now.Add(85*time.Minute)
	return []wire.Function{
		quiet("order-webhook"),
		with(quiet("resize-image"), func(f *wire.Function) {
			f.Ready, f.Running, f.OldestAge = 8932, 0, 384
			f.Breaker = wire.Breaker{State: wire.BreakerOpen, Since: now.Add(-384 * time.Second), Cause: "refused", Next: now.Add(18 * time.Second)}
		}),
		with(quiet("mail-send"), func(f *wire.Function) {
			f.GivenUp15, f.GivenUp1h, f.Dead, f.Delayed = 312, 400, 1204, 1604
			f.LastError = &wire.LastError{At: now, Status: 502}
		}),
		with(quiet("invoice-pdf"), func(f *wire.Function) {
			f.Ready = 4718
			f.Paused = &wire.Pause{Reason: "its database is away", Author: "alex", By: "admin", Since: now.Add(-35 * time.Minute), Until: &later}
		}),
		with(quiet("geocode"), func(f *wire.Function) { f.HeldUntil = &soon }),
		with(quiet("thumbnail"), func(f *wire.Function) { f.Ready, f.Running, f.Limit = 24, 14, 14 }),
	}
}

// stateOf is a state with these functions.
func stateOf(s wire.Status, functions ...wire.Function) State {
	return State{Status: s, Functions: functions}
}

// overviewOf is the page of a state.
func overviewOf(s State) Overview {
	s.Status.Summary = Summarize(s)
	return Overview{
		Status: s.Status, Functions: wire.FunctionList{Functions: First(s.Status, s.Functions)}, Total: len(s.Functions), Example: "chaos-fn",
	}
}

// emptyStore is a durable store with nothing in it.
func emptyStore() wire.StoreStatus {
	return wire.StoreStatus{Durable: true, Path: "/data", FreeBytes: 20 << 30}
}
