//go:build !nostan

package app

import (
	"net"
	"slices"
	"testing"

	"queue-worker/pkg/config"
	"queue-worker/pkg/stanserver"
)

func TestThePortOfTheEmbeddedDoorIsOneOfItsOwn(t *testing.T) {
	t.Parallel()
	door, err := stanserver.Start(stanserver.Options{Listen: "127.0.0.1:0", Cluster: "c", Queues: []string{"faas-request"}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(door.Close)
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	a := &App{Options: Options{Config: &config.Config{StanEmbedded: true, StanListenAddress: "127.0.0.1:0"}}, listener: l, door: door}
	want := []string{l.Addr().String(), door.Addr()}
	if got := a.listeners(); !slices.Equal(got, want) {
		t.Errorf("own listeners are %q, want %q", got, want)
	}
	if _, port, _ := net.SplitHostPort(door.Addr()); port == "0" {
		t.Errorf(`the door's address is %s: got port %v, want other than "0"`, door.Addr(), port)
	}
}
