// File duecount.go counts delayed invocations by when they become due.

package postgres

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"queue-worker/pkg/store"
)

// mostDue is how many delayed invocations one count looks at.
const mostDue = 100_000

// Due counts delayed invocations of the lanes of f by when they become due. ends ascend. It looks at
// a bounded number of them, those that are due first; whole is false when there are more.
func (s *Store) Due(ctx context.Context, f store.PendingFilter, ends []time.Time) (counts []int, whole bool, err error) {
	ctx, done, err := s.reading(ctx)
	if err != nil {
		return nil, false, err
	}
	defer done()
	counts = make([]int, len(ends))
	if len(ends) == 0 {
		return counts, true, ctx.Err()
	}
	var stamps []int64
	for _, t := range ends {
		stamps = append(stamps, stamp(t))
	}
	var c condition
	c.lane(f.Queue, f.Function)
	cursor := s.due.keep()
	c.add("delayed AND (since, id) > ($%d, $%d)", cursor.since, [16]byte(cursor.id))
	c.add("since < $%d", stamps[len(stamps)-1])
	c.args = append(c.args, stamps, mostDue+1)
	n := len(c.args)
	text := fmt.Sprintf(`SELECT width_bucket(since, $%d::bigint[]), count(*)
FROM (SELECT since FROM queue_worker.pending WHERE %s ORDER BY since, id LIMIT $%d) AS x GROUP BY 1`, n-1, &c, n)
	looked := 0
	err = s.each(ctx, func(rows pgx.Rows) error {
		var bucket, n int
		err := rows.Scan(&bucket, &n)
		if err == nil {
			counts[bucket] = n
			looked += n
		}
		return err
	}, text, c.args...)
	return counts, looked <= mostDue, err
}
