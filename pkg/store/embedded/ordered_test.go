package embedded

import (
	"bytes"
	"errors"
	"log/slog"
	"testing"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
)

// TestASeekThatReturnsAnEarlierKeyEndsTheIteration has a store whose keys lie in the opposite order,
// because a damaged table makes Pebble return such a key only by chance.
func TestASeekThatReturnsAnEarlierKeyEndsTheIteration(t *testing.T) {
	t.Parallel()
	reversed := *pebble.DefaultComparer
	reversed.Name = "reversed"
	reversed.Compare = func(a, b []byte) int { return bytes.Compare(b, a) }
	// The whole key is a suffix: with the race detector Pebble checks at times that prefixes are in bytewise order.
	reversed.Split = func([]byte) int { return 0 }
	reversed.ComparePointSuffixes = func(a, b []byte) int { return bytes.Compare(b, a) }
	reversed.CompareRangeSuffixes = func(a, b []byte) int { return bytes.Compare(b, a) }
	reversed.AbbreviatedKey = func([]byte) uint64 { return 0 }
	quiet := pebbleLog{&Store{log: slog.New(slog.DiscardHandler)}}
	db, err := pebble.Open("", &pebble.Options{FS: vfs.NewMem(), Comparer: &reversed, DisableWAL: true, Logger: quiet})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if err := db.Set([]byte("a"), nil, pebble.NoSync); err != nil {
		t.Fatal(err)
	}
	it, err := iterate(db, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer it.Close()
	if !it.SeekGE([]byte("a")) {
		t.Fatalf("the key is not found: %v", it.Error())
	}
	for range 2 { // the iteration has ended for good
		if it.SeekGE([]byte("b")) {
			t.Errorf("the key after b is %q", it.Key())
		}
		if err := it.Error(); !errors.Is(err, errDisorder) {
			t.Errorf("error is %v, want %v", err, errDisorder)
		}
	}
	if it.SeekGE([]byte("a")) || it.Next() || it.Prev() {
		t.Error("the iteration continues after its error")
	}
}
