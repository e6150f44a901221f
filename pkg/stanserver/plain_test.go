package stanserver

import (
	"log/slog"
	"net"
	"strings"
	"testing"
)

func TestAPlainServerListensOnLoopbackOnly(t *testing.T) {
	t.Parallel()
	for _, address := range []string{"0.0.0.0:4222", ":4222", "192.0.2.1:4222"} {
		if _, err := StartPlain(Options{Listen: address, Cluster: "c", Dir: t.TempDir()}); err == nil || !strings.Contains(err.Error(), "give a loopback address") {
			t.Errorf("%s: got %v, want it refused", address, err)
		}
	}
}

func TestAPlainServerNamesAPortThatIsTaken(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	if _, err := net.Dial("tcp", l.Addr().String()); err != nil {
		t.Fatal(err)
	}
	if _, err := StartPlain(Options{Listen: l.Addr().String(), Cluster: "c", Dir: t.TempDir(), Logger: slog.New(slog.DiscardHandler)}); err == nil || !strings.Contains(err.Error(), l.Addr().String()) {
		t.Errorf("a port that is taken: got %v, want it named", err)
	}
}
