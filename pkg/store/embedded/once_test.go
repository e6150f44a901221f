package embedded

import (
	"bytes"
	"errors"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2"

	"queue-worker/pkg/invocation"
	"queue-worker/pkg/store"
)

// acceptUnder accepts a new invocation under a key.
func acceptUnder(s *Store, k store.Key) error {
	inv := &invocation.Invocation{
		ID: invocation.NewID(time.Now()), CallID: "c", Lane: invocation.Lane{Queue: "q", Name: "fn"}, Accepted: time.Now(), Since: time.Now(), Size: 2,
	}
	done := make(chan error, 1)
	s.Accept(store.Accept{Inv: inv, Raw: []byte("{}"), Key: &k}, func(err error) { done <- err })
	return <-done
}

// A version before fingerprints wrote the digest of the payload, and compared nothing else.
func TestKeysOfAnEarlierVersionAreComparedAsBefore(t *testing.T) {
	t.Parallel()
	dir, expires := t.TempDir(), time.Now().Add(time.Hour)
	s, err := Open(Options{Dir: dir, Slots: 1})
	if err != nil {
		t.Fatal(err)
	}
	old := claim{Key: store.Key{Hash: [32]byte{1}, Expires: expires}, print: [32]byte{2}, id: invocation.ID{3}, callID: "first"}
	if err := s.db.Set(appendClaimKey(nil, &old.Hash), old.value(), pebble.Sync); err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	for _, tt := range []struct {
		name            string
		payload, sender byte
		same            bool
	}{
		{"the payload", 2, 0, true},
		{"the payload of any sender", 2, 1, true},
		{"another payload", 3, 0, false},
	} {
		err := acceptUnder(s, store.Key{Hash: old.Hash, Payload: [32]byte{tt.payload}, Sender: [32]byte{tt.sender}, Expires: expires})
		known, ok := errors.AsType[*store.KeyError](err)
		if !ok || known.ID != old.id || known.Same != tt.same {
			t.Errorf("%s: got %v, want the key of %s with Same %t", tt.name, err, old.id, tt.same)
		}
	}
}

func TestTheSecretOfAStoreStaysAndIsNoNote(t *testing.T) {
	t.Parallel()
	var secrets [3][32]byte
	dirs := [3]string{t.TempDir(), "", t.TempDir()}
	dirs[1] = dirs[0]
	for n, dir := range dirs {
		s, err := Open(Options{Dir: dir, Slots: 1})
		if err != nil {
			t.Fatal(err)
		}
		secrets[n] = s.secret
		if got := s.Notes(""); len(got) != 0 {
			t.Errorf("notes: got %v, want none", got)
		}
		k := store.Key{Hash: [32]byte{1}, Payload: [32]byte{2}, Sender: [32]byte{3}, Expires: time.Now().Add(time.Hour)}
		if err := acceptUnder(s, k); n != 1 && err != nil {
			t.Fatal(err)
		}
		found, err := s.getClaim(&k.Hash)
		if err != nil || bytes.Contains(found.value(), k.Payload[:]) || bytes.Contains(found.value(), k.Sender[:]) {
			t.Errorf("got %x, %v; want a fingerprint in place of the digests", found.value(), err)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if secrets[0] == ([32]byte{}) || secrets[0] != secrets[1] || secrets[0] == secrets[2] {
		t.Errorf("secrets: got %x; want one for each store, which stays", secrets)
	}
}
