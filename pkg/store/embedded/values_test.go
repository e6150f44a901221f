package embedded

import (
	"bytes"
	"encoding/base64"
	"net/http"
	"testing"
	"time"

	"queue-worker/pkg/invocation"
	"queue-worker/pkg/store"
	"queue-worker/pkg/store/record"
)

// FuzzValues reads noise as each of the values and cursors that have a form. What
// holds a time that stamp writes is written again as it was.
func FuzzValues(f *testing.F) {
	at := time.Unix(1_800_000_000, 0)
	c := claim{Key: store.Key{Expires: at}, id: invocation.ID{1}, callID: "call"}
	e := ending{size: 7, body: true}
	f.Add(appendClaimExpiry(nil, &c), []byte(nil))
	f.Add(appendResultExpiry(nil, at, c.id), e.value())
	f.Add(c.Hash[:], c.value())
	f.Add([]byte("id"), newOutgoing(&store.Result{Inv: &invocation.Invocation{}, Header: http.Header{"A": {"b"}}}).written)
	f.Add(appendReadyKey(nil, store.Ready{Lane: invocation.Lane{Queue: "q", Name: "n"}, Since: at}), readyValue(7, invocation.SourceMailbox))
	f.Add(appendTimedKey(nil, delayedPrefix, at, c.id), delayedValue(7, invocation.Lane{Queue: "q", Name: "n"}, invocation.SourceHTTP))
	f.Fuzz(func(t *testing.T, key, value []byte) {
		if e, err := parseExpiry(key, value); err == nil && e.of == ofResult && e.at.Unix() >= 0 && e.at.Unix() < lastSecond {
			if !bytes.Equal(key[2:], appendResultExpiry(nil, e.at, e.id)[2:]) {
				t.Errorf("%x is read as %+v, want %.100q", key, e, appendResultExpiry(nil, e.at, e.id)[2:])
			}
		}
		if c, err := parseClaim(key, value); err == nil && c.Expires.Unix() >= 0 && c.Expires.Unix() < lastSecond && !bytes.Equal(value, c.value()) {
			t.Errorf("%x is read as %+v", value, c)
		}
		if r, _, err := record.DecodeResult(invocation.ID{}, value); err == nil && r.Inv == nil {
			t.Errorf("%x: got a result without an invocation, want one with it", value)
		}
		for _, x := range indexes {
			_, _ = parseEntry(x.in, key, value)
		}
		if last, err := parsePendingCursor(string(value)); err == nil && len(value) > 0 {
			if base64.RawURLEncoding.EncodeToString(last) == "" {
				t.Errorf("cursor %q is read as the start, want base64.RawURLEncoding.EncodeToString(last) not empty", value)
			}
		}
	})
}
