package embedded_test

import (
	"flag"
	"os"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"queue-worker/pkg/store"
	"queue-worker/pkg/store/embedded"
	"queue-worker/pkg/store/storetest"
)

// kinds are the stores of this package.
var kinds = map[string]storetest.Kind{
	"on disk": {Durable: true, New: func(t testing.TB) func(storetest.Options) (store.Store, error) {
		dir := t.TempDir()
		return func(o storetest.Options) (store.Store, error) {
			return embedded.Open(embedded.Options{Dir: dir, Slots: o.Slots, Now: o.Now, Watcher: o.Watcher, EndTTL: o.EndTTL, EndBytes: o.EndBytes, LastCallback: o.LastCallback})
		}
	}},
	"on a file system that can crash": {Durable: true, New: func(testing.TB) func(storetest.Options) (store.Store, error) {
		fs := vfs.NewCrashableMem()
		return func(o storetest.Options) (store.Store, error) {
			return embedded.Open(embedded.Options{Dir: "data", FS: fs, Slots: o.Slots, Now: o.Now, Watcher: o.Watcher, EndTTL: o.EndTTL, EndBytes: o.EndBytes, LastCallback: o.LastCallback})
		}
	}},
	"that keeps nothing it accepts in memory": {Durable: true, New: func(testing.TB) func(storetest.Options) (store.Store, error) {
		fs := vfs.NewMem()
		return func(o storetest.Options) (store.Store, error) {
			return embedded.Open(embedded.KeepNothing(embedded.Options{Dir: "data", FS: fs, Slots: o.Slots, Now: o.Now, Watcher: o.Watcher, EndTTL: o.EndTTL, EndBytes: o.EndBytes, LastCallback: o.LastCallback}))
		}
	}},
	"in memory": {New: func(testing.TB) func(storetest.Options) (store.Store, error) {
		return func(o storetest.Options) (store.Store, error) {
			return embedded.Open(embedded.Options{Slots: o.Slots, Now: o.Now, Watcher: o.Watcher, EndTTL: o.EndTTL, EndBytes: o.EndBytes, LastCallback: o.LastCallback})
		}
	}},
}

// forShort is the kind that is tested with -short: the code of the default, without its syncs.
const forShort = "on a file system that can crash"

func TestContract(t *testing.T) {
	t.Parallel()
	for name, k := range kinds {
		if testing.Short() && name != forShort {
			continue
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			storetest.Run(t, k)
		})
	}
}

// TestMain sets the number of random runs before any test reads it.
func TestMain(m *testing.M) {
	flag.Parse()
	if testing.Short() {
		if err := flag.Set("rapid.checks", "20"); err != nil { // of 100
			panic(err)
		}
	}
	os.Exit(m.Run())
}

func TestModel(t *testing.T) {
	t.Parallel()
	for name, k := range kinds {
		if name == "on disk" {
			continue // the same code as on a file system in memory, with thousands of syncs
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			storetest.Model(t, k)
		})
	}
}
