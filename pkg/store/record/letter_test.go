package record

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/vmihailenco/msgpack/v5"

	"queue-worker/pkg/invocation"
)

var someLetters = []Letter{
	{},
	{Queue: "faas-request", Name: "figlet", Reason: invocation.AttemptsExhausted, Status: 503, Size: 600, Function: "figlet", Replays: 1},
	{Queue: "q", Name: "url:cb:80", Reason: "a_reason_of_a_later_version", Status: 70_000, Size: 5 << 30, Function: "http://cb", Replays: 200},
	{Queue: strings.Repeat("q", 40), Name: strings.Repeat("l", 300), Status: -1, Size: 255, Function: "f"},
}

func TestALetterIsReadAsItWasWritten(t *testing.T) {
	t.Parallel()
	for n, want := range someLetters {
		b := EncodeLetter(want)
		got, err := DecodeLetter(b)
		if d := cmp.Diff(want, got); d != "" || err != nil {
			t.Errorf("number %d: %v, letter (-want +got):\n%s", n, err, d)
		}
		if _, ok := readLetter(b); ok != (n < 2) {
			t.Errorf("number %d is read the short way: %v, want %v", n, ok, n < 2)
		}
		if _, err := DecodeLetter(b[:len(b)-1]); err == nil {
			t.Errorf("number %d is read without its end: got %v, want an error", n, err)
		}
	}
}

// FuzzLetter holds the short way of reading a letter against msgpack's own.
func FuzzLetter(f *testing.F) {
	for _, l := range someLetters {
		f.Add(EncodeLetter(l))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		got, ok := readLetter(b)
		if !ok {
			return
		}
		var want Letter
		if err := msgpack.Unmarshal(b, &want); err != nil {
			t.Fatalf("msgpack: %v, the short way reads %+v, want no error", err, got)
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("letter (-want +got):\n%s", d)
		}
	})
}

func BenchmarkLetter(b *testing.B) {
	raw := EncodeLetter(someLetters[1])
	b.ReportAllocs()
	for b.Loop() {
		if _, err := DecodeLetter(raw); err != nil {
			b.Fatal(err)
		}
	}
}
