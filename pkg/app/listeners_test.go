//go:build !nostan

package app

import (
	"net"
	"slices"
	"testing"

	"queue-worker/pkg/config"
	"queue-worker/pkg/stanserver"
)

func TestThePortOfTheEmbeddedServerIsOneOfItsOwn(t *testing.T) {
	t.Parallel()
	server, err := stanserver.Start(stanserver.Options{Listen: "127.0.0.1:0", Cluster: "c", Queues: []string{"faas-request"}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Close)
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	a := &App{Options: Options{Config: &config.Config{StanEmbedded: true, StanListenAddress: "127.0.0.1:0"}}, listener: l, server: server}
	want := []string{l.Addr().String(), server.Addr()}
	if got := a.listeners(); !slices.Equal(got, want) {
		t.Errorf("own listeners are %q, want %q", got, want)
	}
	if _, port, _ := net.SplitHostPort(server.Addr()); port == "0" {
		t.Errorf(`the address of the embedded server is %s: got port %v, want other than "0"`, server.Addr(), port)
	}
}
