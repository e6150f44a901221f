package postgres_test

import (
	"flag"
	"os"
	"testing"

	"queue-worker/internal/pgtest"
	"queue-worker/pkg/store"
	"queue-worker/pkg/store/postgres"
	"queue-worker/pkg/store/storetest"
)

// kind are the stores of this package, each in a database of its own.
var kind = storetest.Kind{Durable: true, Short: []string{"changes", "falling due", "many at once"}, New: func(t testing.TB) func(storetest.Options) (store.Store, error) {
	url := pgtest.Database(t)
	return func(o storetest.Options) (store.Store, error) {
		return postgres.Open(t.Context(), postgres.Options{URL: url, Name: t.Name(), Now: o.Now, Watcher: o.Watcher, EndTTL: o.EndTTL, EndBytes: o.EndBytes, LastCallback: o.LastCallback})
	}
}}

// TestMain sets the number of random runs before any test reads it.
func TestMain(m *testing.M) {
	flag.Parse()
	if err := flag.Set("rapid.checks", "10"); err != nil { // of 100: each operation is a transaction
		panic(err)
	}
	code := m.Run()
	pgtest.Stop()
	os.Exit(code)
}

func TestContract(t *testing.T) {
	t.Parallel()
	storetest.Run(t, kind)
}

func TestModel(t *testing.T) {
	t.Parallel()
	storetest.Model(t, kind)
}
