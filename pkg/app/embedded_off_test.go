//go:build nostan

package app

import (
	"errors"
	"io"
	"log/slog"
	"testing"

	"queue-worker/pkg/config"
)

// TestABuildWithoutTheEmbeddedServerRefusesIt starts with stan_embedded=true.
func TestABuildWithoutTheEmbeddedServerRefusesIt(t *testing.T) {
	c, err := config.Load([]string{"stan_embedded=true", "http_listen_address=127.0.0.1:0", "gateway_url=http://127.0.0.1:1"})
	if err != nil {
		t.Fatal(err)
	}
	err = Run(t.Context(), t.Context(), Options{Config: c, Version: "test", Logger: slog.New(slog.NewTextHandler(io.Discard, nil))})
	if !errors.Is(err, errNoEmbedded) {
		t.Errorf("the error is %v, want %v", err, errNoEmbedded)
	}
}
