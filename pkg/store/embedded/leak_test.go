package embedded

import (
	"errors"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"go.uber.org/goleak"
)

// TestCloseLeavesNoGoroutine runs before the parallel tests: those on disks that
// fail leave goroutines behind that stand still by design.
func TestCloseLeavesNoGoroutine(t *testing.T) {
	leaks := goleak.IgnoreCurrent()
	for _, o := range []Options{
		{},
		{Dir: "data", FS: vfs.NewMem(), tune: small},
		{Dir: "data", FS: vfs.NewMem(), Sync: time.Millisecond, tune: small},
		{Dir: t.TempDir(), MinFree: 1},
	} {
		p := newPlayer(nil)
		o.Now = p.time
		s, err := Open(o)
		if err != nil {
			t.Fatal(err)
		}
		p.Store = s
		if err := errors.Join(p.lives(), p.burst(50, 3000), s.db.Flush(), p.Close()); err != nil {
			t.Error(err)
		}
		if _, err := Open(Options{Dir: "/dev/null"}); err == nil {
			t.Errorf("a file was opened as a folder: got %v, want an error", err)
		}
	}
	goleak.VerifyNone(t, leaks)
}
