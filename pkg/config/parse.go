// File parse.go reads and writes the forms of values: sizes, yes and no, lists. The library
// that walks Config calls the readers by the field's type.

package config

import (
	"errors"
	"fmt"
	"math"
	"net/url"
	"reflect"
	"strconv"
	"strings"
	"time"

	"github.com/caarlos0/env/v11"

	"queue-worker/pkg/duration"
)

// parsers are the readers by type. Every int64 of Config is a size in bytes.
var parsers = map[reflect.Type]env.ParserFunc{
	reflect.TypeFor[time.Duration](): reader(duration.Parse),
	reflect.TypeFor[int64]():         reader(parseBytes),
	reflect.TypeFor[bool]():          reader(parseBool),
	reflect.TypeFor[[]string]():      reader(parseList),
	reflect.TypeFor[url.URL]():       reader(parseGatewayURL),
}

func reader[T any](parse func(string) (T, error)) env.ParserFunc {
	return func(s string) (any, error) { return parse(s) }
}

// units are the steps of sizes, the largest first. All are powers of 1024.
var units = []struct {
	name string
	size int64
}{{"PiB", 1 << 50}, {"TiB", 1 << 40}, {"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10}}

// parseBytes reads a size: a whole number of bytes, or of KiB, MiB, GiB, TiB or
// PiB in any case, of which the B may be left out as Kubernetes does it. Units
// of 1000 are refused, because they are ambiguous.
func parseBytes(s string) (int64, error) {
	number, factor := strings.TrimSuffix(strings.ToLower(s), "b"), int64(1)
	for _, u := range units {
		prefix := strings.ToLower(strings.TrimSuffix(u.name, "B"))
		if rest, ok := strings.CutSuffix(number, prefix); ok {
			number, factor = strings.TrimSpace(rest), u.size
			break
		}
	}
	n, err := strconv.ParseInt(number, 10, 64)
	if err != nil {
		return 0, err
	}
	if n > math.MaxInt64/factor || n < math.MinInt64/factor {
		return 0, strconv.ErrRange
	}
	return n * factor, nil
}

// formatBytes writes a size in the largest unit that divides it.
func formatBytes(n int64) string {
	for _, u := range units {
		if n != 0 && n%u.size == 0 {
			return fmt.Sprintf("%d%s", n/u.size, u.name)
		}
	}
	return strconv.FormatInt(n, 10)
}

// parseBool reads what strconv.ParseBool reads, and on, off, yes and no, in any
// case: dead_set is written on and off, the others true and false.
func parseBool(s string) (bool, error) {
	switch s = strings.ToLower(s); s {
	case "on", "yes":
		return true, nil
	case "off", "no":
		return false, nil
	}
	return strconv.ParseBool(s)
}

// parseList cuts at commas. Spaces around an item and empty items are dropped.
func parseList(s string) ([]string, error) {
	var items []string
	for item := range strings.SplitSeq(s, ",") {
		if item = strings.TrimSpace(item); item != "" {
			items = append(items, item)
		}
	}
	if items == nil {
		return nil, errors.New("an empty list")
	}
	return items, nil
}
