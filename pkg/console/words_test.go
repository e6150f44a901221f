package console

import (
	"strings"
	"testing"
	"time"
)

func TestNumbersInWords(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ got, want string }{
		{Count(0), "0"}, {Count(999), "999"}, {Count(1000), "1,000"}, {Count(1234567), "1,234,567"}, {Count(-1000), "-1,000"},
		{Number(0), "No"}, {Number(9), "Nine"}, {Number(10), "10"}, {Number(-1), "-1"},
		{Things(1, "call", "calls"), "1 call"}, {Things(0, "call", "calls"), "0 calls"}, {Things(2000, "call", "calls"), "2,000 calls"},
		{Bytes(0), "0 B"}, {Bytes(1023), "1023 B"}, {Bytes(1024), "1.0 KiB"}, {Bytes(412 << 20), "412 MiB"}, {Bytes(1 << 63), "8.0 EiB"},
		{Rate(0), "0"}, {Rate(0.004), "0"}, {Rate(0.017), "0.02"}, {Rate(0.25), "0.2"}, {Rate(44), "44"}, {Rate(182.4), "182"}, {Rate(12345), "12,345"},
	} {
		if c.got != c.want {
			t.Errorf("got %q, want %q", c.got, c.want)
		}
	}
}

func TestLengthsInWords(t *testing.T) {
	t.Parallel()
	for d, want := range map[time.Duration]string{
		-time.Second: "0 s", 0: "0 s", 999 * time.Microsecond: "0 s", 3 * time.Millisecond: "3 ms", 49*time.Millisecond + 1: "49 ms", 400 * time.Millisecond: "0.4 s", 2 * time.Second: "2 s", 59*time.Second + 900*time.Millisecond: "59 s",
		384 * time.Second: "6 min 24 s", 35*time.Minute + 2*time.Second: "35 min", 85 * time.Minute: "1 h 25 min", 72 * time.Hour: "3 d", 30 * time.Hour: "1 d 6 h",
	} {
		if got := Length(d); got != want {
			t.Errorf("%d ns: got %q, want %q", d, got, want)
		}
	}
}

func TestTextOfOthersIsOneVisibleLine(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"figlet": "figlet", "a\nb": `a\nb`, "x\u202egnp": `x\u202egnp`, "nul\x00": `nul\x00`, strings.Repeat("ü", 400): strings.Repeat("ü", 300) + "…",
	} {
		if got := Text(in); got != want {
			t.Errorf("%q: got %q, want %q", in, got, want)
		}
	}
}
