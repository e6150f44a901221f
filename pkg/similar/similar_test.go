package similar

import (
	"slices"
	"testing"
)

func TestDistance(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		a, b string
		want int
	}{
		{"", "", 0}, {"figlet", "figlet", 0}, {"figlet", "figlt", 1}, {"figlet", "figlett", 1}, {"figlet", "fiqlet", 1},
		{"figlet", "fgilet", 1}, {"figlet", "fiqlt", 2}, {"figlet", "FIGLET", 3}, {"figlet", "env", 3}, {"jörg", "jorg", 1},
		{"max_inflight", "max_infligth", 1}, {"", "ab", 2}, {"", "abc", 3},
	} {
		for _, swapped := range []bool{false, true} {
			a, b := tt.a, tt.b
			if swapped {
				a, b = b, a
			}
			if got := Distance(a, b, 2); got != tt.want {
				t.Errorf("the distance of %q and %q is %d, want %d", a, b, got, tt.want)
			}
		}
	}
}

func TestNearest(t *testing.T) {
	t.Parallel()
	names := []string{"figlet", "figlets", "env", "fiqlet", "figlet", "piglet2"}
	for _, tt := range []struct {
		name string
		most int
		want []string
	}{
		{"figlt", 3, []string{"figlet", "figlets", "fiqlet"}},
		{"figlt", 1, []string{"figlet"}},
		{"figlet", 3, []string{"figlets", "fiqlet", "piglet2"}},
		{"nothing-like-it", 3, []string{}},
	} {
		if got := Nearest(tt.name, names, 2, tt.most); !slices.Equal(got, tt.want) {
			t.Errorf("near %q are %q, want %q", tt.name, got, tt.want)
		}
	}
}
