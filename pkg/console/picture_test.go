package console

import (
	"regexp"
	"strconv"
	"testing"

	"queue-worker/pkg/wire"
)

func TestSilhouette(t *testing.T) {
	t.Parallel()
	h := &wire.History{Done: []uint32{0, 10, 10, 5}, Retried: []uint32{0, 0, 0, 5}, GivenUp: []uint32{0, 0, 0, 0}}
	got := silhouette(h, 20)
	want := picture{
		Done: "M0 20h57V0h2V10h1V20z", Retried: "M0 20h57V0h3V20z", Most: 10, Began: true,
		Sentence: "Attempts of the last hour: 25 done, 5 to be retried, 0 given up; at most 10 a minute.",
	}
	if got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

func TestBars(t *testing.T) {
	t.Parallel()
	h := &wire.History{Done: []uint32{1, 1}, Retried: []uint32{0, 0}, GivenUp: []uint32{0, 1}}
	got := bars(h, 100)
	want := picture{
		Done: "M581 100v-50h8v50zM591 100v-50h8v50z", GivenUp: "M591 50v-50h8v50z", Most: 2, Began: true,
		Sentence: "Attempts of the last hour: 2 done, 0 to be retried, 1 given up; at most 2 a minute.",
	}
	if got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

func TestAnHourOfNothingDrawsNothing(t *testing.T) {
	t.Parallel()
	none := make([]uint32, 60)
	got := bars(&wire.History{Done: none, Retried: none, GivenUp: none}, 100)
	if want := (picture{Sentence: "No attempts in the last hour."}); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

var (
	absolute = regexp.MustCompile(`[MV]([0-9]+)(?: ([0-9]+))?`)
	integers = regexp.MustCompile(`^(?:[MVhvz][0-9 -]*)*$`)
)

// FuzzPictures holds that a picture stays in its box, is made of integers, and is small.
func FuzzPictures(f *testing.F) {
	f.Add([]byte{0, 1, 2, 3, 4, 5}, uint8(3))
	f.Add([]byte{255, 255, 255, 0, 0, 0}, uint8(31))
	f.Fuzz(func(t *testing.T, counts []byte, shift uint8) {
		var h wire.History
		for i := 0; i+2 < len(counts) && i < 3*200; i += 3 {
			h.Done = append(h.Done, uint32(counts[i])<<(shift%24))
			h.Retried = append(h.Retried, uint32(counts[i+1]))
			h.GivenUp = append(h.GivenUp, uint32(counts[i+2]))
		}
		s, b := silhouette(&h, 20), bars(&h, 1000)
		for _, path := range []string{s.Done, s.Retried, s.GivenUp} {
			inside(t, path, 20, 700)
		}
		for _, path := range []string{b.Done, b.Retried, b.GivenUp} {
			inside(t, path, 1000, 2000)
		}
	})
}

func inside(t *testing.T, path string, height, most int) {
	t.Helper()
	if !integers.MatchString(path) {
		t.Errorf("got %q, want commands and integers alone", path)
	}
	if len(path) > most {
		t.Errorf("got %d bytes, want at most %d", len(path), most)
	}
	for _, m := range absolute.FindAllStringSubmatch(path, -1) {
		y := m[1]
		if m[2] != "" {
			y = m[2]
		}
		if n, err := strconv.Atoi(y); err != nil || n > height {
			t.Errorf("got the height %s in %q, want at most %d", y, path, height)
		}
	}
}
