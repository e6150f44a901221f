package store

import (
	"bytes"
	"encoding/base64"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/vmihailenco/msgpack/v5"

	"queue-worker/pkg/invocation"
)

var someLetters = []letter{
	{},
	{Queue: "faas-request", Lane: "figlet", Reason: invocation.AttemptsExhausted, Status: 503, Size: 600, Function: "figlet", Replays: 1},
	{Queue: "q", Lane: "url:cb:80", Reason: "a_reason_of_a_later_version", Status: 70_000, Size: 5 << 30, Function: "http://cb", Replays: 200},
	{Queue: strings.Repeat("q", 40), Lane: strings.Repeat("l", 300), Status: -1, Size: 255, Function: "f"},
}

func TestALetterIsReadAsItWasWritten(t *testing.T) {
	t.Parallel()
	for n, want := range someLetters {
		b := encodeLetter(want)
		got, err := decodeLetter(b)
		if d := cmp.Diff(want, got); d != "" || err != nil {
			t.Errorf("number %d: %v, letter (-want +got):\n%s", n, err, d)
		}
		if _, ok := readLetter(b); ok != (n < 2) {
			t.Errorf("number %d is read the short way: %v", n, ok)
		}
		if _, err := decodeLetter(b[:len(b)-1]); err == nil {
			t.Errorf("number %d is read without its end", n)
		}
	}
}

// FuzzLetter holds the short way of reading a letter against msgpack's own.
func FuzzLetter(f *testing.F) {
	for _, l := range someLetters {
		f.Add(encodeLetter(l))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		got, ok := readLetter(b)
		if !ok {
			return
		}
		var want letter
		if err := msgpack.Unmarshal(b, &want); err != nil {
			t.Fatalf("msgpack: %v, the short way reads %+v", err, got)
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("letter (-want +got):\n%s", d)
		}
	})
}

func BenchmarkLetter(b *testing.B) {
	raw := encodeLetter(someLetters[1])
	b.ReportAllocs()
	for b.Loop() {
		if _, err := decodeLetter(raw); err != nil {
			b.Fatal(err)
		}
	}
}

// FuzzValues reads noise as each of the values and cursors that have a form. What
// holds a time that stamp writes is written again as it was.
func FuzzValues(f *testing.F) {
	at := time.Unix(1_800_000_000, 0)
	c := claim{Key: Key{Expires: at}, id: invocation.ID{1}, callID: "call"}
	e := ending{size: 7, body: true}
	f.Add(appendClaimExpiry(nil, &c), []byte(nil))
	f.Add(appendResultExpiry(nil, at, c.id), e.value())
	f.Add(c.Hash[:], c.value())
	f.Add([]byte("id"), newOutgoing(&Result{Inv: &invocation.Invocation{}, Header: http.Header{"A": {"b"}}}).written)
	f.Add(appendReadyKey(nil, Ready{Lane: invocation.Lane{Queue: "q", Name: "n"}, Since: at}), readyValue(7, invocation.SourceMailbox))
	f.Add(appendTimedKey(nil, delayedPrefix, at, c.id), delayedValue(7, invocation.Lane{Queue: "q", Name: "n"}, invocation.SourceHTTP))
	f.Fuzz(func(t *testing.T, key, value []byte) {
		if e, err := parseExpiry(key, value); err == nil && e.of == ofResult && e.at.Unix() >= 0 && e.at.Unix() < lastSecond {
			if !bytes.Equal(key[2:], appendResultExpiry(nil, e.at, e.id)[2:]) {
				t.Errorf("%x is read as %+v", key, e)
			}
		}
		if c, err := parseClaim(key, value); err == nil && c.Expires.Unix() >= 0 && c.Expires.Unix() < lastSecond && !bytes.Equal(value, c.value()) {
			t.Errorf("%x is read as %+v", value, c)
		}
		if r, _, err := decodeResult(invocation.ID{}, value); err == nil && r.Inv == nil {
			t.Errorf("%x is a result without an invocation", value)
		}
		for _, x := range indexes {
			_, _ = parseEntry(x.in, key, value)
		}
		if last, err := parsePendingCursor(string(value)); err == nil && len(value) > 0 {
			if base64.RawURLEncoding.EncodeToString(last) == "" {
				t.Errorf("cursor %q is read as the start", value)
			}
		}
	})
}
