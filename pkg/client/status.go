// File status.go reads the state of the worker and of its store.

package client

import (
	"context"

	"queue-worker/pkg/wire"
)

// Status is the state of the worker and of its store, with a summary in words.
type Status struct {
	Document `json:"-"`
	wire.Status
}

// Status reads the state of the worker and of its store.
func (c *Client) Status(ctx context.Context) (*Status, error) {
	s := &Status{}
	return s, c.read(ctx, get("/v1/status", nil), s)
}
