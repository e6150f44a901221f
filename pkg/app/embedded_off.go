//go:build nostan

// File embedded_off.go stands in for embedded.go in a build without embedded NATS Streaming.

package app

import (
	"context"
	"errors"
	"log/slog"

	"queue-worker/pkg/config"
)

// errNoEmbedded is what a build without the embedded server answers to stan_embedded=true.
var errNoEmbedded = errors.New("stan_embedded=true: this program was built without embedded NATS Streaming (build tag nostan): " +
	"use the usual build, or set stan_embedded=false and faas_nats_address to a server")

func (*App) startEmbedded(context.Context, string, string) (embeddedServer, error) {
	return nil, errNoEmbedded
}

// ServeNATS is refused.
func ServeNATS(*config.Config, string, *slog.Logger) (stop func(), err error) {
	return nil, errNoEmbedded
}
