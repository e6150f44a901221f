// File codes.go has sets of HTTP statuses: how they are written, read and asked.

package retry

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// The statuses that a set can hold: those that RFC 9110 calls valid.
const (
	minCode   = 100
	maxCode   = 599
	classSize = 100
)

// errOnlyExclusions is returned for a list that excludes but includes nothing:
// its set is empty, which is never intended.
var errOnlyExclusions = errors.New("it excludes codes but includes none: write for example 5xx,!501")

// Codes is a set of HTTP statuses from 100 to 599. The zero value is empty.
// Two sets with the same members are equal by ==.
type Codes struct {
	bits [(maxCode-minCode)/64 + 1]uint64
}

// ParseCodes reads a list of codes (408), classes (5xx) and exclusions (!501,
// !5xx), separated by commas. Exclusions win wherever they stand, so the order
// does not matter: "5xx,!501" and "!501,5xx" are the same set. Spaces around an
// item and empty items are passed over; an empty list is the empty set. The
// error names the first item that is neither, and a list of exclusions only is
// an error too.
func ParseCodes(list string) (Codes, error) {
	var in, out Codes
	var includes, excludes bool
	for item := range strings.SplitSeq(list, ",") {
		item = strings.TrimSpace(item)
		if item == "" {
			continue
		}
		code, excluded := strings.CutPrefix(item, "!")
		first, last, ok := ParseStatus(code)
		if !ok || last > maxCode {
			return Codes{}, fmt.Errorf("%s is not a code from %d to %d, a class such as 5xx or an exclusion such as !501", quote(item), minCode, maxCode)
		}
		if excluded {
			out.add(first, last)
			excludes = true
			continue
		}
		in.add(first, last)
		includes = true
	}
	if excludes && !includes {
		return Codes{}, errOnlyExclusions
	}
	for i := range in.bits {
		in.bits[i] &^= out.bits[i]
	}
	return in, nil
}

// ParseStatus reads a status such as 404, or a class of them such as 4xx, as the first and
// the last status that it stands for. Functions answer with statuses up to 999, but only 1xx to 5xx are classes.
func ParseStatus(s string) (first, last int, ok bool) {
	if len(s) != 3 || s[0] < '1' || s[0] > '9' {
		return 0, 0, false
	}
	class := int(s[0]-'0') * classSize
	if strings.EqualFold(s[1:], "xx") && class <= maxCode {
		return class, class + classSize - 1, true
	}
	if !isDigit(s[1]) || !isDigit(s[2]) {
		return 0, 0, false
	}
	code := class + int(s[1]-'0')*10 + int(s[2]-'0')
	return code, code, true
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }

// add puts the statuses from first to last into the set.
func (c *Codes) add(first, last int) {
	for code := first; code <= last; code++ {
		i := code - minCode
		c.bits[i/64] |= 1 << (i % 64)
	}
}

// Has reports whether the set holds a status. It is false for every number
// outside 100..599.
func (c Codes) Has(status int) bool {
	if status < minCode || status > maxCode {
		return false
	}
	i := status - minCode
	return c.bits[i/64]&(1<<(i%64)) != 0
}

// Empty reports whether the set holds nothing.
func (c Codes) Empty() bool { return c == Codes{} }

// String writes the set in its shortest usual form, rising: "408,429,5xx,!501".
// ParseCodes reads it back as the same set.
func (c Codes) String() string {
	var items []string
	for class := minCode; class <= maxCode; class += classSize {
		items = c.appendClass(items, class)
	}
	return strings.Join(items, ",")
}

// appendClass writes one class: as itself with exclusions when most of it is in
// the set, else code by code.
func (c Codes) appendClass(items []string, class int) []string {
	var in, out []string
	for code := class; code < class+classSize; code++ {
		if c.Has(code) {
			in = append(in, strconv.Itoa(code))
		} else {
			out = append(out, "!"+strconv.Itoa(code))
		}
	}
	if len(in) <= classSize/2 {
		return append(items, in...)
	}
	return append(append(items, strconv.Itoa(class/classSize)+"xx"), out...)
}

// maxQuoted bounds how much of a bad value an error repeats, in bytes.
const maxQuoted = 64

// quote prints an untrusted value, cut and escaped.
func quote(s string) string {
	if len(s) > maxQuoted {
		return strconv.Quote(s[:maxQuoted]) + "..."
	}
	return strconv.Quote(s)
}
