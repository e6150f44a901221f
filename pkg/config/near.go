// This file finds variables that are close to a setting and are not read.

package config

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"queue-worker/pkg/similar"
)

const (
	// nearby is how many letters apart a variable and the setting that is meant may be.
	nearby = 2
	// leastNear is the shortest name of a setting for which letters may differ: with a shorter one
	// every other variable would be close.
	leastNear = 8
)

// nearMisses has a sentence for each variable that is set, is no setting, and is close to one. It repeats no value.
func nearMisses(vars map[string]string) []string {
	var all []string
	for _, name := range slices.Sorted(maps.Keys(vars)) {
		if vars[name] == "" || isForeign(name, vars[name]) {
			continue
		}
		if meant := nearest(name); meant != "" {
			all = append(all, fmt.Sprintf("%s is not read: did you mean %s?", name, meant))
		}
	}
	return all
}

// nearest is the setting that a variable is close to, with the queue that it has after a mark; "" for none, and for a
// variable that is one itself.
func nearest(name string) string {
	base, queue, marked := strings.Cut(name, queueMark)
	if isSetting(base) {
		return ""
	}
	meant, least := "", nearby+1
	for _, s := range settings {
		if plainName(s.name) == plainName(base) {
			meant = s.name
			break
		}
		if len(s.name) < leastNear {
			continue
		}
		if d := similar.Distance(strings.ToLower(base), s.name, nearby); d < least {
			meant, least = s.name, d
		}
	}
	if meant != "" && marked {
		meant += queueMark + queue
	}
	return meant
}

// plainName is a name without case and underscores.
func plainName(name string) string { return strings.ReplaceAll(strings.ToLower(name), "_", "") }

// isForeign reports whether a variable is one of another worker, or one that Kubernetes makes of a Service.
func isForeign(name, value string) bool {
	upper := strings.ToUpper(name)
	return slices.ContainsFunc(ignorables, func(i ignorable) bool { return i.name == name }) ||
		slices.Contains(noticed, name) ||
		strings.HasPrefix(value, "tcp://") || strings.HasSuffix(upper, "_SERVICE_HOST") || strings.HasSuffix(upper, "_SERVICE_PORT") ||
		strings.Contains(upper, "_PORT_") || strings.HasPrefix(upper, "QUEUE_WORKER_") || strings.HasPrefix(upper, "OTEL_")
}

// noticed are names that have warnings of their own.
var noticed = []string{"http_retry_codes"}
