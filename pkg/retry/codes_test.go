// Sets of codes: how lists are read, and that they are written as they are read.

package retry

import (
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// mustCodes is ParseCodes for lists that are known to be right.
func mustCodes(list string) Codes {
	c, err := ParseCodes(list)
	if err != nil {
		panic(err)
	}
	return c
}

func TestParseCodes(t *testing.T) {
	t.Parallel()
	tests := []struct{ name, list, want string }{
		{"the default of the setting", "408,429,500,502,503,504", "408,429,500,502,503,504"},
		{"the default of 2021, in its order", "429,502,500,504,408", "408,429,500,502,504"},
		{"nothing is the empty set", "", ""},
		{"a class", "5xx", "5xx"},
		{"a class in capitals", "5XX", "5xx"},
		{"classes and a code", "503,4xx,5xx", "4xx,5xx"},
		{"an exclusion after its class", "5xx,!501", "5xx,!501"},
		{"an exclusion before its class wins too", "!501,5xx", "5xx,!501"},
		{"an exclusion wins over the same code before and after it", "501,!501,501", ""},
		{"a whole class can be excluded", "429,5xx,!5xx", "429"},
		{"an exclusion may have nothing to exclude", "408,!501", "408"},
		{"spaces and empty items are passed over", " 408 ,, 429,\t5xx ,", "408,429,5xx"},
		{"codes that come twice", "500,500", "500"},
		{"the ends of the range", "100,599", "100,599"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got, err := ParseCodes(tt.list)
			if err != nil || got.String() != tt.want {
				t.Errorf("ParseCodes(%q) is %q, %v; want %q", tt.list, got, err, tt.want)
			}
			if got.Empty() != (tt.want == "") {
				t.Errorf("Empty is %v, want %v", got.Empty(), tt.want == "")
			}
		})
	}
}

func TestParseCodesRefuses(t *testing.T) {
	t.Parallel()
	for _, list := range []string{
		"abc", "5", "50", "5000", "099", "99", "600", "6xx", "0xx", "5x", "5xxx", "50x", "x00", "-500", "+500", "5e2", "500-504",
		"!", "!!500", "! 500", "500 502", "500;502", "٥٠٠", "5×x", "408,429,oops", "!501", "!501,!5xx", "5xx,!", "\x00",
	} {
		switch c, err := ParseCodes(list); {
		case err == nil:
			t.Errorf("%v, want an error", err)
		case !c.Empty():
			t.Errorf("ParseCodes(%q) is %q, %v: c.Empty() = false, want true", list, c, err)
		}
	}
}

func TestParseCodesErrorNamesTheItemAndIsBounded(t *testing.T) {
	t.Parallel()
	_, err := ParseCodes("408, oops ,429")
	switch {
	case err == nil:
		t.Errorf("error is %v; it must name the item, want an error", err)
	case !strings.Contains(err.Error(), `"oops"`):
		t.Errorf("error is %v; it must name the item, want \"\\\"oops\\\"\" in it", err)
	}
	_, err = ParseCodes(strings.Repeat("7", 1<<20))
	switch {
	case err == nil:
		t.Errorf("error of a huge item has %d bytes: err = %v, want an error", len(err.Error()), err)
	case len(err.Error()) > 256:
		t.Errorf("error of a huge item has %d bytes, want at most 256", len(err.Error()))
	}
}

func TestCodesHasOnlyWhatIsListed(t *testing.T) {
	t.Parallel()
	c := mustCodes("429,5xx,!501")
	for status := -1; status <= 1000; status++ {
		want := status == 429 || status >= 500 && status <= 599 && status != 501
		if c.Has(status) != want {
			t.Errorf("Has(%d) is %v, want c.Has(status) %v", status, !want, want)
		}
	}
	if (Codes{}).Has(500) {
		t.Error("the zero value holds something: (Codes{}).Has(500) = true, want false")
	}
}

func TestPropertyCodesAreWrittenAsTheyAreRead(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		var c Codes
		for _, first := range rapid.SliceOf(rapid.IntRange(minCode, maxCode)).Draw(t, "first") {
			c.add(first, min(maxCode, first+rapid.IntRange(0, 120).Draw(t, "more")))
		}
		switch got, err := ParseCodes(c.String()); {
		case err != nil:
			t.Fatalf("%q is read as %q, %v, want no error", c, got, err)
		case got != c:
			t.Fatalf("%q is read as %q, %v, want %v", c, got, err, c)
		}
	})
}

func FuzzParseCodes(f *testing.F) {
	f.Add("408,429,500,502,503,504")
	f.Add("4xx,5xx,!501")
	f.Add("!501")
	f.Add(" , ,")
	f.Fuzz(func(t *testing.T, list string) {
		c, err := ParseCodes(list)
		if err != nil {
			if !c.Empty() {
				t.Fatalf("%q is refused and yet %q: c.Empty() = false, want true", list, c)
			}
			return
		}
		again, err := ParseCodes(c.String())
		switch {
		case err != nil:
			t.Fatalf("%q is %q, which is read as %q, %v, want no error", list, c, again, err)
		case again != c:
			t.Fatalf("%q is %q, which is read as %q, %v, want again %v", list, c, again, err, c)
		}
	})
}

func TestParseStatus(t *testing.T) {
	t.Parallel()
	for s, want := range map[string][2]int{
		"404": {404, 404}, "4xx": {400, 499}, "5XX": {500, 599}, "999": {999, 999}, "100": {100, 100},
	} {
		first, last, ok := ParseStatus(s)
		if got := [2]int{first, last}; !ok || got != want {
			t.Errorf("%q gives %v, %v; want %v", s, got, ok, want)
		}
	}
	for _, s := range []string{"", "0", "0xx", "6xx", "7xx", "9xx", "099", "4x", "4xy", "44x", "4040", "+40", "-40", " 40", "xxx"} {
		if first, last, ok := ParseStatus(s); ok {
			t.Errorf("%q gives %d to %d, want it to be refused", s, first, last)
		}
	}
}
