// File clock.go is the server's clock, by which invocations become due.

package postgres

import (
	"context"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
)

// clockTries is how often the server is asked for its time: the answer that took least counts.
const clockTries = 8

// clock shows the server's time: that of one answer, and what has passed since then by the
// monotonic clock of this process. The clock of the node decides nothing.
type clock struct {
	mu     sync.Mutex
	server time.Time // at base
	base   time.Time
}

// Now is the server's time.
func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.server.Add(time.Since(c.base))
}

// set asks the server for its time.
func (c *clock) set(ctx context.Context, conn *pgx.Conn) error {
	best := time.Duration(-1)
	for range clockTries {
		begun := time.Now()
		var micros int64
		if err := conn.QueryRow(ctx, "SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint").Scan(&micros); err != nil {
			return err
		}
		if took := time.Since(begun); best < 0 || took < best {
			best = took
			c.mu.Lock()
			c.base, c.server = begun.Add(took/2), time.UnixMicro(micros)
			c.mu.Unlock()
		}
	}
	return nil
}
