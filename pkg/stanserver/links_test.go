//go:build unix

package stanserver

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"queue-worker/pkg/datadir"
)

func TestALinkInTheFolderIsRefusedAndNotWrittenThrough(t *testing.T) {
	t.Parallel()
	for _, name := range []string{lockName, "server.dat", "clients.dat", "faas-request/subs.dat", "faas-request/msgs.1.dat", "other-channel"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir, target := t.TempDir(), filepath.Join(t.TempDir(), "target")
			path := filepath.Join(dir, name)
			if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o700), os.WriteFile(target, []byte("precious"), 0o600), os.Symlink(target, path)); err != nil {
				t.Fatal(err)
			}
			s, err := Start(Options{Listen: "127.0.0.1:0", Cluster: "faas-cluster", Dir: dir})
			if err == nil {
				s.Close()
			}
			if !errors.Is(err, datadir.ErrNotPlain) || !strings.Contains(err.Error(), path) {
				t.Errorf("got %v, want the path", err)
			}
			switch b, err := os.ReadFile(target); {
			case err != nil:
				t.Errorf("%v, want nil", err)
			case string(b) != "precious":
				t.Errorf("the target is now %q, %v: string(b) = %q, want \"precious\"", b, err, string(b))
			}
		})
	}
}
