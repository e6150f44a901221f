// File schema.go creates and upgrades the tables.

package postgres

import (
	"context"
	"crypto/rand"
	_ "embed"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"

	"queue-worker/pkg/invocation"
	"queue-worker/pkg/store"
)

//go:embed schema.sql
var schemaFile string

//go:embed presence.sql
var presenceFile string

// upgrades lead from each layout to the next: the first makes the tables. A new version only adds,
// and a later one removes, so that workers of two neighbouring versions can use one database.
var upgrades = []string{schemaFile, presenceFile}

// schemaLock is the advisory lock under which the layout is changed.
const schemaLock = 0x71775f6c61796f75 // "qw_layou"

// migrate brings the tables to the layout of this program.
func (s *Store) migrate(ctx context.Context) error {
	return s.patiently(ctx, func(ctx context.Context) error { return pgx.BeginFunc(ctx, s.pool, s.upgrade) })
}

func (s *Store) upgrade(tx pgx.Tx) error {
	ctx := s.life
	if _, err := tx.Exec(ctx, "SELECT pg_advisory_xact_lock($1)", int64(schemaLock)); err != nil {
		return err
	}
	layout, err := layoutOf(ctx, tx)
	if err != nil {
		return err
	}
	// A worker of the version after this one has only added to the layout.
	if layout > len(upgrades)+1 {
		return fmt.Errorf("%w: layout %d, this program knows %d: upgrade the program", store.ErrNewer, layout, len(upgrades))
	}
	for n := layout; n < len(upgrades); n++ {
		if n == 0 {
			if _, err := tx.Exec(ctx, "CREATE SCHEMA IF NOT EXISTS queue_worker"); err != nil {
				return err
			}
		}
		if _, err := tx.Exec(ctx, upgrades[n], pgx.QueryExecModeSimpleProtocol); err != nil {
			return fmt.Errorf("layout %d: %w", n+1, err)
		}
	}
	if layout == 0 {
		secret := make([]byte, len(s.secret))
		_, _ = rand.Read(secret) // never fails
		_, err = tx.Exec(ctx, "INSERT INTO queue_worker.meta (layout, secret) VALUES ($1, $2)", len(upgrades), secret)
		return err
	}
	if layout < len(upgrades) {
		s.log.Info("store upgraded", "from_layout", layout, "to_layout", len(upgrades))
		_, err = tx.Exec(ctx, "UPDATE queue_worker.meta SET layout = $1", len(upgrades))
	}
	return err
}

// layoutOf is the layout of the tables, 0 when there are none.
func layoutOf(ctx context.Context, tx pgx.Tx) (layout int, err error) {
	var known bool
	if err := tx.QueryRow(ctx, "SELECT to_regclass('queue_worker.meta') IS NOT NULL").Scan(&known); err != nil || !known {
		return 0, err
	}
	err = tx.QueryRow(ctx, "SELECT layout FROM queue_worker.meta").Scan(&layout)
	if errors.Is(err, pgx.ErrNoRows) {
		return 0, errors.New("table queue_worker.meta is empty: the tables are not those of a queue-worker")
	}
	return layout, err
}

// openMeta reads what is kept beside the invocations.
func (s *Store) openMeta(ctx context.Context) error {
	var secret []byte
	var began, since, latest int64
	var id [16]byte
	err := s.pool.QueryRow(ctx, statement("meta")).Scan(&secret, &s.dedup.generation, &began, &since, &id, &latest)
	if err != nil {
		return err
	}
	copy(s.secret[:], secret)
	s.dedup.began = unstamp(began)
	s.due.cursor = place{since, invocation.ID(id)}
	s.due.latest = latest
	return nil
}
