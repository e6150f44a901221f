package store_test

import (
	"flag"
	"os"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"queue-worker/pkg/store"
	"queue-worker/pkg/store/storetest"
)

// kinds are the stores of this package.
var kinds = map[string]storetest.Kind{
	"on disk": {Durable: true, New: func(t testing.TB) func(store.Options) (storetest.Store, error) {
		dir := t.TempDir()
		return func(o store.Options) (storetest.Store, error) {
			o.Dir = dir
			return store.Open(o)
		}
	}},
	"on a file system that can crash": {Durable: true, New: func(testing.TB) func(store.Options) (storetest.Store, error) {
		fs := vfs.NewCrashableMem()
		return func(o store.Options) (storetest.Store, error) {
			o.Dir, o.FS = "data", fs
			return store.Open(o)
		}
	}},
	"that keeps nothing it accepts in memory": {Durable: true, New: func(testing.TB) func(store.Options) (storetest.Store, error) {
		fs := vfs.NewMem()
		return func(o store.Options) (storetest.Store, error) {
			o.Dir, o.FS = "data", fs
			return store.Open(store.KeepNothing(o))
		}
	}},
	"in memory": {New: func(testing.TB) func(store.Options) (storetest.Store, error) {
		return func(o store.Options) (storetest.Store, error) { return store.Open(o) }
	}},
}

func TestContract(t *testing.T) {
	t.Parallel()
	for name, k := range kinds {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			storetest.Run(t, k)
		})
	}
}

// TestMain sets the number of random runs before any test reads it.
func TestMain(m *testing.M) {
	flag.Parse()
	if store.Raced {
		if err := flag.Set("rapid.checks", "40"); err != nil { // of 100, since each takes ten times as long
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
