package duration

import (
	"errors"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

const day = 24 * time.Hour

var forms = []struct {
	name, in string
	want     time.Duration
	err      error
}{
	{"a Go duration", "1m30s", 90 * time.Second, nil},
	{"milliseconds", "250ms", 250 * time.Millisecond, nil},
	{"a fraction with a unit", "1.5h", 90 * time.Minute, nil},
	{"zero needs no unit", "0", 0, nil},
	{"zero with a unit", "0s", 0, nil},
	{"a negative one, out of range for most callers", "-5s", -5 * time.Second, nil},
	{"a sign", "+5s", 5 * time.Second, nil},
	{"days", "30d", 30 * day, nil},
	{"days and hours", "1d12h", 36 * time.Hour, nil},
	{"no days", "0d", 0, nil},
	{"the most days", "65535d", 65535 * day, nil},
	{"more days", "65536d", 0, errForm},
	{"days that overflow with what follows", "65535d999999h", 0, errTooLong},
	{"half a day", "0.5d", 0, errForm},
	{"days before today", "-1d", 0, errForm},
	{"days minus hours", "1d-2h", 0, errForm},
	{"days plus hours", "1d+2h", 0, errForm},
	{"days twice", "1d1d", 0, errForm},
	{"days after hours", "2h1d", 0, errForm},
	{"days without a number", "d", 0, errForm},
	{"days and a bare number", "1d2", 0, errForm},
	{"a bare fraction", "1.5", 0, errForm},
	{"a space before the unit", "10 s", 0, errForm},
	{"a word", "soon", 0, errForm},
	{"a number in hexadecimal", "0x10h", 0, errForm},
	{"nothing", "", 0, errForm},
}

func TestParse(t *testing.T) {
	t.Parallel()
	for _, tt := range forms {
		check(t, tt.name, Parse, tt.in, tt.want, tt.err)
	}
	check(t, "a bare number is seconds", Parse, "10", 10*time.Second, nil)
	check(t, "a negative bare number", Parse, "-5", -5*time.Second, nil)
	check(t, "the longest bare number", Parse, "9223372036", 9223372036*time.Second, nil)
	check(t, "a bare number that overflows", Parse, "9223372037", 0, errTooLong)
	check(t, "a negative bare number that overflows", Parse, "-9223372037", 0, errTooLong)
	check(t, "a number that no integer holds", Parse, "99999999999999999999", 0, errTooLong)
}

// TestAnAgeNeedsAUnit: 7 without one would drop dead letters of the last days too.
func TestAnAgeNeedsAUnit(t *testing.T) {
	t.Parallel()
	for _, tt := range forms {
		want := tt.err
		if errors.Is(want, errForm) {
			want = errAge
		}
		check(t, tt.name, ParseAge, tt.in, tt.want, want)
	}
	for _, bare := range []string{"7", "2026", "-5", "99999999999999999999"} {
		check(t, "a bare number", ParseAge, bare, 0, errAge)
	}
}

func check(t *testing.T, name string, parse func(string) (time.Duration, error), in string, want time.Duration, wantErr error) {
	t.Helper()
	got, err := parse(in)
	if !errors.Is(err, wantErr) {
		t.Errorf("%s: %q gives error %v, want %v", name, in, err, wantErr)
	}
	if got != want {
		t.Errorf("%s: %q gives %v, want %v", name, in, got, want)
	}
}

func TestPropertyWhatIsWrittenReadsBack(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		want := time.Duration(rapid.Int64().Draw(t, "n"))
		for _, parse := range []func(string) (time.Duration, error){Parse, ParseAge} {
			got, err := parse(Format(want))
			if err != nil {
				t.Fatalf("%d ns are written %q and give error %v, want nil", want, Format(want), err)
			}
			if got != want {
				t.Fatalf("%d ns are written %q and read as %d, want %v", want, Format(want), got, want)
			}
		}
	})
}

func TestFormatIsShort(t *testing.T) {
	t.Parallel()
	for d, want := range map[time.Duration]string{
		0: "0s", 2 * time.Minute: "2m", 720 * time.Hour: "720h", 90 * time.Second: "1m30s",
		time.Hour + time.Second: "1h0m1s", 10 * time.Minute: "10m", time.Millisecond: "1ms", 10 * time.Second: "10s",
	} {
		if got := Format(d); got != want {
			t.Errorf("%d ns are written %q, want %q", d, got, want)
		}
	}
}

// FuzzParse holds that a duration never changes its sign, and that an age is what Parse
// makes of it.
func FuzzParse(f *testing.F) {
	for _, tt := range forms {
		f.Add(tt.in)
	}
	f.Fuzz(func(t *testing.T, s string) {
		d, err := Parse(s)
		if err != nil && d != 0 {
			t.Errorf("%q gives %v beside an error", s, d)
		}
		if d < 0 && !strings.HasPrefix(s, "-") {
			t.Errorf("%q gives %v, want no negative duration", s, d)
		}
		if age, err := ParseAge(s); err == nil && age != d {
			t.Errorf("%q gives the age %v and the duration %v, want the same", s, age, d)
		}
	})
}
