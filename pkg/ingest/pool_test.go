package ingest

import (
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	"queue-worker/pkg/invocation"
)

// Uploads of random sizes fill the memory for small ones. An upload waits only for others
// that can finish.
func TestUploadsDoNotWaitForEachOther(t *testing.T) {
	t.Parallel()
	for seed := range uint64(20) {
		synctest.Test(t, func(t *testing.T) {
			b, r := newBodyRoom(4<<20), rand.New(rand.NewPCG(seed, 0))
			for range 100 {
				u := &upload{room: b, guest: r.IntN(2) == 0}
				u.share = &share{upload: u, pool: &b.small, claim: 1 + r.Int64N(smallBytes)}
				step, pause := 1+r.Int64N(u.share.claim), time.Duration(r.IntN(1000))
				go func() {
					defer u.release()
					for left := u.share.claim; left > 0; left -= step {
						time.Sleep(pause)
						if err := u.take(min(step, left)); err != nil {
							t.Errorf("seed %d: an upload waits for ever: got %v, want no error", seed, err)
							return
						}
						b.mu.Lock()
						switch p := &b.small; {
						case p.used > p.limit:
							t.Errorf("seed %d: %d bytes are used, %d by guests, want used at most %v", seed, p.used, p.guestsUsed, p.limit)
						case p.guestsUsed > p.limit*3/4:
							t.Errorf("seed %d: %d bytes are used, %d by guests, want guestsUsed at most %v", seed, p.used, p.guestsUsed, p.limit*3/4)
						}
						b.mu.Unlock()
					}
				}()
			}
			time.Sleep(2 * roomTimeout)
			b.wantEmpty(t)
		})
	}
}

func TestTheLargestBodyFitsIntoTheMemory(t *testing.T) {
	t.Parallel()
	for _, most := range []int64{1 << 10, 1 << 20, 8 << 20, 9 << 20, 256 << 20} {
		b := newBodyRoom(roomFor(most))
		guest := &share{upload: &upload{guest: true}, pool: &b.large, claim: max(4*most, 2*invocation.EncodedLen(most)) + smallBytes}
		if !b.large.admits(guest) {
			t.Errorf("a message of %d bytes does not fit", most)
		}
		if total := b.small.limit + b.large.limit; total != max(64<<20, 8*most) {
			t.Errorf("bodies of up to %d bytes may have %d bytes of memory, want %v", most, total, max(64<<20, 8*most))
		}
	}
}
