package embedded

import (
	"context"
	"strings"
	"testing"
)

// TestCheckFindsWhatPebblePassesOver damages files in ways in which Pebble takes the damage for the
// end of a file, and opens without what was behind it.
func TestCheckFindsWhatPebblePassesOver(t *testing.T) {
	t.Parallel()
	base := killed()
	last := ""
	for name := range base {
		if isLastLog(base, name) {
			last = name
		}
	}
	tests := []struct {
		name, file string
		do         func([]byte) []byte
		want       string
	}{
		{"the first record of the last log", last, func(b []byte) []byte { return flip(b, 100) }, "parts of it cannot be read"},
		{"the beginning of the last log", last, func(b []byte) []byte { clear(b[:logBlock/2]); return b }, "parts of it cannot be read"},
		{"the last log is missing", last, nil, "it is missing, and with it what was written last"},
		{"a record of the MANIFEST", "MANIFEST-000001", func(b []byte) []byte { return flip(b, len(b)/2-100) }, "parts of it cannot be read"},
		{"the end of the MANIFEST", "MANIFEST-000001", func(b []byte) []byte { return b[:len(b)/2] }, "its end is lost"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			f := copyOf(base)
			if delete(f, tt.file); tt.do != nil {
				f[tt.file] = tt.do([]byte(string(base[tt.file])))
			}
			r, err := check(context.Background(), Options{Dir: "data", FS: f.onto(t)}, nil)
			if err != nil {
				t.Fatal(err)
			}
			if found := strings.Join(r.Findings, "\n"); !strings.Contains(found, "file "+tt.file) || !strings.Contains(found, tt.want) {
				t.Errorf("found %q, want %s and %q", r.Findings, tt.file, tt.want)
			}
		})
	}
}
