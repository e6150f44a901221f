package invocation

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/openfaas/faas-provider/types"
	"pgregory.net/rapid"
)

// encodeAll writes a body in pieces of the given lengths, over and over.
func encodeAll(t rapid.TB, head types.QueueRequest, body []byte, size int64, exact bool, pieces []int, env *Envelope) []byte {
	e, err := NewEncoder(head, size, exact, nil)
	if err != nil {
		t.Fatal(err)
	}
	for n := 0; len(body) > 0; n++ {
		cut := min(pieces[n%len(pieces)], len(body))
		switch wrote, err := e.Write(body[:cut]); {
		case err != nil:
			t.Fatalf("Write of %d bytes says %d, %v, want no error", cut, wrote, err)
		case wrote != cut:
			t.Fatalf("Write of %d bytes says %d, %v, want wrote %v", cut, wrote, err, cut)
		}
		body = body[cut:]
	}
	raw, err := e.Finish(env)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func TestWhatIsEncodedIsDecodedExactly(t *testing.T) {
	t.Parallel()
	text := rapid.StringMatching(`[ -~äßИ界\n"\\]{0,40}`)
	moment := rapid.Custom(func(t *rapid.T) time.Time {
		return time.Unix(rapid.Int64Range(0, 7_000_000_000).Draw(t, "seconds"), rapid.Int64Range(0, 999_999_999).Draw(t, "ns")).UTC()
	})
	rapid.Check(t, func(t *rapid.T) {
		head := types.QueueRequest{
			Header: http.Header{}, Host: text.Draw(t, "host"), Method: http.MethodPost, Path: text.Draw(t, "path"),
			QueryString: text.Draw(t, "query"), Function: rapid.StringMatching(`[a-z][a-z0-9.-]{0,20}`).Draw(t, "function"),
		}
		for range rapid.IntRange(0, 5).Draw(t, "fields") {
			name := http.CanonicalHeaderKey(rapid.StringMatching(`[A-Za-z][A-Za-z0-9-]{0,12}`).Draw(t, "name"))
			head.Header[name] = rapid.SliceOfN(text, 1, 3).Draw(t, "values")
		}
		delete(head.Header, "X-Callback-Url")
		var env *Envelope
		if rapid.Bool().Draw(t, "an envelope") {
			env = &Envelope{
				ID: DerivedID(time.Now(), nil), Accepted: moment.Draw(t, "accepted"), Due: moment.Draw(t, "due"),
				Retries: rapid.IntRange(0, MaxCount+1).Draw(t, "retries"),
				Terms: Terms{
					Source:     rapid.SampledFrom([]Source{SourceHTTP, SourceMailbox, SourceProducer}).Draw(t, "source"),
					MaxRetries: rapid.IntRange(Unlimited, MaxCount).Draw(t, "max"),
					Delay:      time.Duration(rapid.Int64Range(0, int64(MaxDelay)).Draw(t, "delay")),
				},
			}
			if rapid.Bool().Draw(t, "expires") {
				env.Terms.Expires = moment.Draw(t, "expires at")
			}
			if rapid.Bool().Draw(t, "a callback") {
				env.Kind, env.URL = KindCallback, "http://example.com/"+text.Draw(t, "url")
			}
		}
		body := rapid.SliceOfN(rapid.Byte(), 0, 300).Draw(t, "body")
		size := rapid.Int64Range(0, 300).Draw(t, "announced") // may be wrong
		pieces := rapid.SliceOfN(rapid.IntRange(1, 50), 1, 8).Draw(t, "pieces")
		raw := encodeAll(t, head, body, size, rapid.Bool().Draw(t, "exact"), pieces, env)

		r, err := Decode(raw)
		if err != nil {
			t.Fatalf("%v, want nil\n%s", err, raw)
		}
		got, err := io.ReadAll(r.Body())
		if err != nil || !bytes.Equal(got, body) {
			t.Fatalf("body %q, %v, want %q", got, err, body)
		}
		want := &Request{Header: head.Header, Path: head.Path, QueryString: strings.TrimLeft(head.QueryString, "?"), Function: head.Function, Envelope: env}
		if d := cmp.Diff(want, r, cmp.FilterPath(unexported, cmp.Ignore()), cmpopts.EquateEmpty()); d != "" {
			t.Fatalf("decoded (-want +got):\n%s\n%s", d, raw)
		}
	})
}

// unexported is the place of a Request's body.
func unexported(p cmp.Path) bool {
	name := p.Last().String()
	return name == ".body" || name == ".flat" || name == ".kept"
}

func TestTheEncoderTakesNoMoreRoomThanItSays(t *testing.T) {
	t.Parallel()
	const small = 16 << 10
	whole := EncodedLen(8 << 20)
	for _, tt := range []struct {
		name         string
		size         int64 // as it is said
		exact        bool
		length       int
		most, atMost int64 // at any time; times the part of the body that has come
	}{
		{"a declared length", 8 << 20, true, 8 << 20, whole + jumpBytes + small, whole / EncodedLen(jumpBytes/4)},
		{"the largest without a length", 8 << 20, false, 8 << 20, 2*whole + small, 3},
		{"a middling one without a length", 8 << 20, false, 1 << 20, 3*EncodedLen(1<<20) + small, 3},
		{"a small one without a length", 8 << 20, false, 10 << 10, 3*EncodedLen(10<<10) + small, 3},
		{"more than was expected", 0, false, 8 << 20, 3*whole + small, 3},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var held, came int64
			e, err := NewEncoder(types.QueueRequest{Function: "f"}, tt.size, tt.exact, func(n int64) error {
				switch held += n; {
				case held > tt.most:
					t.Errorf("it has %d bytes when %d of the body have come, want held at most %v", held, came, tt.most)
				case held > tt.atMost*EncodedLen(came)+small:
					t.Errorf("it has %d bytes when %d of the body have come, want held at most %v", held, came, tt.atMost*EncodedLen(came)+small)
				}
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
			piece := make([]byte, 4<<10)
			for came < int64(tt.length) {
				came += int64(len(piece))
				if _, err := e.Write(piece); err != nil {
					t.Fatal(err)
				}
			}
			raw, err := e.Finish(&Envelope{ID: DerivedID(time.Now(), nil), Accepted: time.Now(), Due: time.Now(), Terms: Terms{Source: SourceHTTP}})
			if err != nil {
				t.Fatal(err)
			}
			switch {
			case held != int64(cap(raw)):
				t.Errorf("at the end it has %d bytes of %d, want held %v", held, cap(raw), int64(cap(raw)))
			case tt.exact && held > whole+small:
				t.Errorf("at the end it has %d bytes of %d, want held at most %v", held, cap(raw), whole+small)
			}
		})
	}
}

func TestTheEncoderEndsWhenThereIsNoRoom(t *testing.T) {
	t.Parallel()
	no := errors.New("no room")
	var allowed int64 = 4096
	e, err := NewEncoder(types.QueueRequest{Function: "f"}, 100, true, func(n int64) error {
		if n > allowed {
			return no
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := e.Write(make([]byte, 64<<10)); !errors.Is(err, no) {
		t.Errorf("a body beyond the room is taken: %v, want %v", err, no)
	}
	allowed = 0
	if _, err := NewEncoder(types.QueueRequest{Function: "f"}, 100, true, func(n int64) error { return no }); !errors.Is(err, no) {
		t.Errorf("a beginning beyond the room is taken: %v, want %v", err, no)
	}
}

func TestAnEnvelopeIsOneOfOursOrMalformed(t *testing.T) {
	t.Parallel()
	const (
		id   = `"id":"0198f2a4-7c1e-7b3d-9f60-2a41c5d0e8b7"`
		when = `"accepted":"2026-03-04T05:06:07Z","due":"2026-03-04T05:06:07Z"`
		good = id + `,"kind":"function","source":"http",` + when
	)
	tests := []struct {
		name, envelope string
		ok             bool
	}{
		{"the least there is", `{` + good + `}`, true},
		{"nothing", `null`, true},
		{"keys of a later version", `{` + good + `,"more":1}`, true},
		{"a callback", `{` + id + `,"kind":"callback","url":"http://h/","source":"producer",` + when + `}`, true},
		{"not an object", `7`, false},
		{"no id", `{"kind":"function","source":"http",` + when + `}`, false},
		{"an id that is none", `{"id":"x","kind":"function","source":"http",` + when + `}`, false},
		{"an unknown kind", `{` + id + `,"kind":"x","source":"http",` + when + `}`, false},
		{"no kind", `{` + id + `,"source":"http",` + when + `}`, false},
		{"an unknown source", `{` + id + `,"kind":"function","source":"x",` + when + `}`, false},
		{"a gateway's", `{` + id + `,"kind":"function","source":"gateway",` + when + `}`, false},
		{"no times", `{` + id + `,"kind":"function","source":"http"}`, false},
		{"a time after the end of keys", `{` + id + `,"kind":"function","source":"http","accepted":"2026-03-04T05:06:07Z","due":"9999-03-04T05:06:07Z"}`, false},
		{"a callback without a URL", `{` + id + `,"kind":"callback","source":"producer",` + when + `}`, false},
		{"a function with a URL", `{` + good + `,"url":"http://h/"}`, false},
		{"a negative retry", `{` + good + `,"retries":-1}`, false},
		{"retries beyond any bound", `{` + good + `,"retries":9223372036854775807}`, false},
		{"a limit below none", `{` + good + `,"max_retries":-2}`, false},
		{"a delay that is none", `{` + good + `,"delay":"x"}`, false},
		{"a negative delay", `{` + good + `,"delay":"-1s"}`, false},
		{"a delay of years", `{` + good + `,"delay":"9000h"}`, false},
		{"an end before 1970", `{` + good + `,"expires":"1960-03-04T05:06:07Z"}`, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			_, err := Decode([]byte(`{"Function":"f","QueueWorker":` + tt.envelope + `}`))
			if (err == nil) != tt.ok {
				t.Errorf("error is %v: err == nil = %v, want %v", err, err == nil, tt.ok)
			}
			if err != nil && !errors.Is(err, ErrUndecodable) {
				t.Errorf("error is %v, want ErrUndecodable", err)
			}
		})
	}
}

func TestAnEnvelopeIsTakenOver(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)
	given := &Invocation{
		ID: DerivedID(now, nil), Kind: KindCallback, URL: "http://h/x", Accepted: now.Add(-time.Minute), Since: now.Add(time.Hour), Retries: 3,
		Terms: &Terms{Source: SourceMailbox, MaxRetries: Unlimited, Delay: 4 * time.Second, Expires: now.Add(2 * time.Hour)},
	}
	e := EnvelopeOf(given)
	got := &Invocation{}
	e.Take(got, now)
	if d := cmp.Diff(given, got); d != "" {
		t.Errorf("taken over (-want +got):\n%s", d)
	}
	e.Take(got, now.Add(3*time.Hour))
	if !got.Since.Equal(now.Add(3 * time.Hour)) {
		t.Errorf("what fell due on the way is ready at %s, want %v", got.Since, now.Add(3*time.Hour))
	}
	forged := Envelope{ID: DerivedID(now, nil), Accepted: now.AddDate(100, 0, 0), Due: now.AddDate(100, 0, 0)}
	forged.Take(got, now)
	switch {
	case !got.Accepted.Equal(now):
		t.Errorf("an envelope of the next century is accepted at %s and due at %s: got.Accepted = %v, want %v", got.Accepted, got.Since, got.Accepted, now)
	case !got.Since.Equal(now.Add(MaxDelay)):
		t.Errorf("an envelope of the next century is accepted at %s and due at %s: got.Since = %v, want %v", got.Accepted, got.Since, got.Since, now.Add(MaxDelay))
	}
}
