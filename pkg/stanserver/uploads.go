// File uploads.go bounds the payloads that have not arrived whole.

package stanserver

import "sync"

// maxUploads is how many bytes they may be, unless a message may be larger than a
// quarter of it.
const maxUploads = 64 << 20

// uploads are the bytes of payloads that are still arriving, over all publishers.
type uploads struct {
	limit int

	mu    sync.Mutex
	total int
	held  map[*publisher]int
}

func newUploads(limit int) *uploads {
	return &uploads{limit: limit, held: make(map[*publisher]int)}
}

// grow takes room for n more bytes. When there is none, the publishers that have
// been silent longest in the middle of a payload are cut off.
func (u *uploads) grow(p *publisher, n int) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.held[p] += n
	u.total += n
	for u.total > u.limit {
		silent := u.silent(p)
		if silent == nil {
			return
		}
		u.total -= u.held[silent]
		delete(u.held, silent)
		_ = silent.conn.Close()
	}
}

// silent is the publisher other than p that was heard longest ago.
func (u *uploads) silent(p *publisher) (silent *publisher) {
	for other := range u.held {
		if other != p && (silent == nil || other.heard.Load() < silent.heard.Load()) {
			silent = other
		}
	}
	return silent
}

// done gives the room of a payload back.
func (u *uploads) done(p *publisher) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.total -= u.held[p]
	delete(u.held, p)
}
