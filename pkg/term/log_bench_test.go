package term

import (
	"log/slog"
	"os"
	"testing"
	"time"
)

// BenchmarkLogLine writes the line of an attempt.
func BenchmarkLogLine(b *testing.B) {
	null, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0)
	if err != nil {
		b.Fatal(err)
	}
	defer null.Close()
	id := "0192f3a4-5b6c-7d8e-9f01-23456789abcd"
	out := NewLogBuffer(null)
	l := slog.New(FlushWarnings(NewLogHandler(out, slog.LevelInfo, false), out))
	b.ReportAllocs()
	for b.Loop() {
		l.LogAttrs(b.Context(), slog.LevelInfo, "invoked", slog.String("id", id), slog.String("call_id", id),
			slog.String("function", "figlet"), slog.Int("status", 200), slog.Duration("duration", 1234*time.Microsecond),
			slog.String("retry", "0/10"), slog.String("next", "done"))
	}
}
