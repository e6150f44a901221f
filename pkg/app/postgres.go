// File postgres.go opens a store on PostgreSQL.

package app

import (
	"context"
	"errors"
	"net"
	"os"
	"time"

	"queue-worker/pkg/api"
	"queue-worker/pkg/invocation"
	"queue-worker/pkg/store"
	"queue-worker/pkg/store/postgres"
)

// takeoverPeriod is how often a database that another worker uses is tried again.
const takeoverPeriod = 500 * time.Millisecond

// otherWorker is what callers read while another worker uses the database.
var otherWorker = api.Wait{
	Reason: "store: the database is in use by another worker", Hint: "Wait: this worker takes over when the other one has ended or gives no sign of life.",
}

// openPostgres opens the store. It waits as long as it takes for the server, and for another worker
// that uses the database: until then this one stands by.
func (a *App) openPostgres(ctx context.Context, state *api.Opening) (store.Store, error) {
	o, err := a.postgresOptions()
	if err != nil {
		return nil, err
	}
	o.Away = func(err error) {
		if state.WaitFor(nil); err != nil {
			state.WaitFor(&api.Wait{Reason: "store: " + err.Error(), Hint: "Wait: the store is opened when PostgreSQL answers."})
		}
	}
	logged := false
	for {
		s, err := postgres.Open(ctx, o)
		if !errors.Is(err, store.ErrLocked) {
			if err != nil {
				return nil, err
			}
			return s, nil
		}
		if state.WaitFor(&otherWorker); !logged {
			a.log.Warn("database in use by another worker, waiting for it", "holder", holderOf(err), "hint", "One worker at a time uses a database. This one takes over when the other has ended, or has given no sign of life for 10s.")
			logged = true
		}
		select {
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		case <-time.After(takeoverPeriod):
		}
	}
}

func (a *App) postgresOptions() (o postgres.Options, err error) {
	c := a.Config
	url, err := c.StoreAddress()
	if err != nil {
		return o, err
	}
	host, err := os.Hostname()
	if err != nil {
		return o, err
	}
	_, port, _ := net.SplitHostPort(a.listener.Addr().String())
	return postgres.Options{
		URL: url, Name: net.JoinHostPort(host, port), MaxBytes: c.StoreMaxBytes, EndTTL: c.EndTTL, EndBytes: c.EndBytes,
		Watcher: watcher{a.lanes, a}, Logger: a.log,
		LastCallback: func(inv *invocation.Invocation, raw []byte) *store.Accept { return a.worker.LastCallback(inv, raw) },
	}, nil
}

// holderOf names the process that has the store.
func holderOf(err error) string {
	if l, ok := errors.AsType[*store.LockedError](err); ok && l.Holder != "" {
		return l.Holder
	}
	return "unknown"
}
