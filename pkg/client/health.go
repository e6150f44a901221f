// File health.go checks whether the worker runs and is ready.

package client

import (
	"context"
	"errors"
	"net/http"
)

// Ready asks whether the worker takes in and does work just now. When it does
// not, reasons has one sentence for each reason, and there is no error.
func (c *Client) Ready(ctx context.Context) (reasons []string, err error) {
	ctx, stop := context.WithTimeoutCause(ctx, c.timeout, errTimeout)
	defer stop()
	r, err := c.send(ctx, get("/readyz", nil))
	var problem *Error
	if errors.As(err, &problem) && problem.Status == http.StatusServiceUnavailable && problem.Reason != ReasonForeign {
		if len(problem.Reasons) > 0 {
			return problem.Reasons, nil
		}
		return []string{problem.Text}, nil
	}
	if err != nil {
		return nil, err
	}
	closeBody(r)
	return nil, nil
}

// Admitted asks whether the server lets this client see what is stored.
func (c *Client) Admitted(ctx context.Context) error {
	for _, err := range c.Letters(ctx, Filter{}, 1) {
		return err
	}
	return nil
}
