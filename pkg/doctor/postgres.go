// File postgres.go checks the PostgreSQL that has the store.

package doctor

import (
	"context"
	"fmt"
	"time"

	"queue-worker/pkg/store/postgres"
)

// mostOffset is how far the clocks of server and machine may be apart without a word.
const mostOffset = 5 * time.Second

func (e *examiner) postgres(ctx context.Context) []Finding {
	const check = "store"
	url, err := e.Config.StoreAddress()
	if err != nil {
		return []Finding{wrong(check, "Mount the file, readable for the user of this process.", "%s", firstLine(err))}
	}
	ctx, cancel := context.WithTimeoutCause(ctx, askTimeout, errNoAnswer)
	defer cancel()
	s, err := postgres.Inspect(ctx, url)
	if err != nil {
		return []Finding{wrong(check, "Check that the server runs, the host, user and database of store_url or store_url_file, and the password in the file; the worker waits until it answers.",
			"PostgreSQL: %s", firstLine(err))}
	}
	return judge(s)
}

// judge says of each fact what it means.
func judge(s *postgres.Server) []Finding {
	const check = "store"
	all := []Finding{versionOf(s)}
	switch s.Pooler {
	case postgres.PoolerTransaction:
		all = append(all, wrong(check, "Use the session mode of the pooler, or the address of PostgreSQL itself: a worker needs some ten connections.",
			"a pooler in transaction mode is in between: locks, timeouts and prepared statements of the worker need a session"))
	case postgres.PoolerSession:
		all = append(all, fine(check, "a pooler in session mode is in between"))
	}
	switch {
	case !s.MayCreate:
		all = append(all, wrong(check, `Let the role own the database: ALTER DATABASE <database> OWNER TO "<role>".`,
			"the role may not create tables, or not use those that are there"))
	case s.Newer:
		all = append(all, wrong(check, "Upgrade the worker.", "the tables are of layout %d, written by a newer version of this program", s.Layout))
	case s.Layout == 0:
		all = append(all, fine(check, "the tables will be created in schema queue_worker"))
	case s.Holder != "":
		all = append(all, fine(check, "tables of layout %d, used by worker %s; another one stands by until it ends", s.Layout, s.Holder))
	default:
		all = append(all, fine(check, "tables of layout %d, and no worker uses them now", s.Layout))
	}
	for _, risk := range s.Risks() {
		all = append(all, look(check, "Set it to on, unless losing invocations is accepted.", "%s", risk))
	}
	if s.LosesAtFailover() {
		all = append(all, look(check, "Where a standby takes over, name it in synchronous_standby_names and keep synchronous_commit=on; without a standby nothing is to be done.",
			"no synchronous standby: a failover can lose the last commits"))
	} else {
		all = append(all, fine(check, "commits wait for a standby (%s): a failover loses nothing", s.Standbys))
	}
	if off := s.Offset.Abs(); off > mostOffset {
		all = append(all, look("clock", "Synchronise both clocks. Due times follow that of the server.",
			"the clocks of PostgreSQL and of this machine are %s apart", off.Round(time.Millisecond)))
	}
	return all
}

// versionOf judges the version and the connection.
func versionOf(s *postgres.Server) Finding {
	const check = "store"
	what := fmt.Sprintf("PostgreSQL %s answers, %s", s.Release, map[bool]string{true: "encrypted", false: "unencrypted"}[s.Encrypted])
	switch {
	case s.Version < postgres.OldestVersion:
		return wrong(check, fmt.Sprintf("Upgrade the server: versions %d to %d are accepted.", postgres.OldestVersion, postgres.NewestVersion), "%s; it is too old", what)
	case s.Version != postgres.TestedVersion:
		return look(check, fmt.Sprintf("Nothing, if it works for you: versions %d to %d are accepted.", postgres.OldestVersion, postgres.NewestVersion),
			"%s; this program is tested with version %d", what, postgres.TestedVersion)
	}
	return fine(check, "%s", what)
}
