// File read.go reads single invocations.

package postgres

import (
	"context"

	"queue-worker/pkg/invocation"
)

// Load reads an invocation in any state and its QueueRequest, which is the caller's. ErrNotFound
// when there is none with this id.
func (s *Store) Load(ctx context.Context, id invocation.ID) (*invocation.Invocation, []byte, error) {
	ctx, done, err := s.reading(ctx)
	if err != nil {
		return nil, nil, err
	}
	defer done()
	var crashes int
	var rec, raw []byte
	if err := s.pool.QueryRow(ctx, statement("load"), [16]byte(id)).Scan(&crashes, &rec, &raw); err != nil {
		return nil, nil, readError(err)
	}
	inv, err := decode(id, crashes, rec)
	return inv, raw, err
}

// Get is Load without the QueueRequest.
func (s *Store) Get(ctx context.Context, id invocation.ID) (*invocation.Invocation, error) {
	ctx, done, err := s.reading(ctx)
	if err != nil {
		return nil, err
	}
	defer done()
	var crashes int
	var rec []byte
	if err := s.pool.QueryRow(ctx, statement("get"), [16]byte(id)).Scan(&crashes, &rec); err != nil {
		return nil, readError(err)
	}
	return decode(id, crashes, rec)
}
