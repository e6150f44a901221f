// File near.go finds annotations that are close to one of those that mean something here.

package policy

import (
	"strings"
	"sync"

	"queue-worker/pkg/similar"
)

const (
	// nearby is how many letters apart an annotation and the one that is meant may be.
	nearby = 2
	// maxLookalikes bounds the keys that are remembered.
	maxLookalikes = 1000
)

// lookalikes remembers what annotations are close to, since every message has those of its function.
var lookalikes = struct {
	mu    sync.RWMutex
	meant map[string]string
}{meant: map[string]string{}}

// meant is the annotation that a key is close to: it is the same but for case and separators, or two letters differ.
// It is "" for none, and for a key that is one itself.
func meant(key string) string {
	lookalikes.mu.RLock()
	m, known := lookalikes.meant[key]
	lookalikes.mu.RUnlock()
	if known {
		return m
	}
	m = nearest(key)
	lookalikes.mu.Lock()
	defer lookalikes.mu.Unlock()
	if len(lookalikes.meant) >= maxLookalikes {
		clear(lookalikes.meant)
	}
	lookalikes.meant[strings.Clone(key)] = m
	return m
}

func nearest(key string) string {
	found, least := "", nearby+1
	for _, f := range forms {
		if key == f.Key {
			return ""
		}
		if plainKey(key) == plainKey(f.Key) {
			return f.Key
		}
		if d := similar.Distance(strings.ToLower(key), f.Key, nearby); d < least {
			found, least = f.Key, d
		}
	}
	return found
}

// plainKey is a key without case and separators.
func plainKey(key string) string {
	return strings.NewReplacer("-", "", "_", "", ".", "", "/", "").Replace(strings.ToLower(key))
}
