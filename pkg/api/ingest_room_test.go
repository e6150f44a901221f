package api

import (
	"encoding/base64"
	"fmt"
	"math/rand/v2"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"queue-worker/pkg/invocation"
)

// inTime runs a test by the clock of a bubble, with an API that takes invocations in.
func inTime(t *testing.T, test func(*testing.T, *pipes, *taker), edits ...func(*Options)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		k := &taker{}
		p := servePipes(t, append([]func(*Options){withIntake(k)}, edits...)...)
		test(t, p, k)
		time.Sleep(2 * time.Minute) // all uploads end, and the server lingers before it closes a connection
		p.ingest.room.wantEmpty(t)
	})
}

// wantAll fails when an end has another status.
func wantAll(t *testing.T, what string, status int, ends []<-chan pacedEnd) (last time.Duration) {
	t.Helper()
	for _, end := range ends {
		got := <-end
		if got.status != status || status == http.StatusServiceUnavailable && got.retryAfter != "1" {
			t.Errorf("%s: the answer is %+v, want %d", what, got, status)
		}
		last = max(last, got.took)
	}
	return last
}

func TestSilentUploadsKeepNobodyOut(t *testing.T) {
	t.Parallel()
	inTime(t, func(t *testing.T, p *pipes, _ *taker) {
		var silent []<-chan pacedEnd
		for range 2 {
			silent = append(silent, p.send(atPace{path: "/queue/producer", chunked: true, size: 1}))
		}
		for range 50 {
			silent = append(silent, p.send(atPace{size: 8 << 20}), p.send(atPace{path: "/queue/producer", size: 8 << 20}))
		}
		synctest.Wait()
		if used := p.ingest.room.inUse(); used != 0 {
			t.Errorf("uploads without a byte have %d bytes of memory", used)
		}
		for path := range intakes {
			size := 64 << 10
			for _, chunked := range []bool{false, true} {
				want := http.StatusAccepted
				if path == "/queue/producer" || path == "/queue/producer/" {
					want = http.StatusBadRequest // it is read, and is no JSON
				}
				if got := <-p.send(atPace{path: path, chunked: chunked, size: size, first: size}); got.status != want || got.took != 0 {
					t.Errorf("beside silent uploads, %s answers %+v", path, got)
				}
			}
		}
		if took := wantAll(t, "a silent upload", http.StatusRequestTimeout, silent); took != bodyGrace {
			t.Errorf("the silent uploads ended after %s", took)
		}
	})
}

func TestABodyThatTricklesIsEndedAndASlowOneIsNot(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		atPace
		status int
		within time.Duration
	}{
		"one byte a second":             {atPace{size: 8 << 20, step: 1}, http.StatusRequestTimeout, bodyGrace + time.Second},
		"much, and then nearly none":    {atPace{size: 8 << 20, first: 80 << 10, step: 1 << 10}, http.StatusRequestTimeout, bodyTimeout},
		"much, and then none":           {atPace{size: 8 << 20, first: 10 << 10, step: 1, pause: time.Minute}, http.StatusRequestTimeout, 2 * bodyGrace},
		"small and slow":                {atPace{size: 40 << 10, step: 1 << 10}, http.StatusAccepted, bodyTimeout},
		"100 KiB at 4 KiB a second":     {atPace{size: 100 << 10, step: 4 << 10}, http.StatusAccepted, bodyTimeout},
		"the largest in 56 s":           {atPace{size: 8 << 20, step: 150 << 10}, http.StatusAccepted, bodyTimeout},
		"nothing for the first seconds": {atPace{size: 8, step: 8, pause: 9 * time.Second}, http.StatusAccepted, bodyTimeout},
	} {
		for _, chunked := range []bool{false, true} {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				inTime(t, func(t *testing.T, p *pipes, _ *taker) {
					tt := tt
					tt.chunked = chunked
					if got := <-p.send(tt.atPace); got.status != tt.status || got.took > tt.within {
						t.Errorf("the answer is %+v", got)
					}
				})
			})
		}
	}
}

func TestHonestLargeUploadsAtOnceAllSucceed(t *testing.T) {
	t.Parallel()
	for name, s := range map[string]atPace{
		"at once":           {size: 8 << 20, first: 8 << 20},
		"4 MiB a second":    {size: 8 << 20, step: 1 << 20, pause: time.Second / 4},
		"1 MiB a second":    {size: 8 << 20, step: 256 << 10, pause: time.Second / 4},
		"of different size": {size: 3 << 20, step: 256 << 10, pause: time.Second / 8},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for guests, edit := range []func(*Options){func(*Options) {}, withBasicAuth(t)} {
				s.pause /= time.Duration(1 + guests) // they have less memory
				inTime(t, func(t *testing.T, p *pipes, k *taker) {
					var all []<-chan pacedEnd
					for n := range 8 {
						s.chunked = n%2 == 0
						all = append(all, p.send(s))
					}
					wantAll(t, "an upload", http.StatusAccepted, all)
					if k.count() != 8 {
						t.Errorf("%d were taken", k.count())
					}
				}, edit)
			}
		})
	}
}

func TestPatientSendersGiveWayToAnHonestUpload(t *testing.T) {
	t.Parallel()
	honest := atPace{size: 8 << 20, step: 1 << 20, pause: time.Second / 4}
	for name, slow := range map[string]atPace{
		"little, and then nearly none": {size: 8 << 20, first: 600 << 10, step: 1 << 10},
		"much, and then nearly none":   {size: 8 << 20, first: 4 << 20, step: 1 << 10},
		"nearly all, and then none":    {size: 8 << 20, first: 8<<20 - 1, step: 1, pause: time.Minute},
		"200 KiB a second":             {size: 8 << 20, first: 600 << 10, step: 200 << 10},
	} {
		for _, chunked := range []bool{false, true} {
			for _, path := range []string{"/async-function/f", "/queue/producer"} {
				t.Run(fmt.Sprintf("%s, chunked %v, %s", name, chunked, path), func(t *testing.T) {
					t.Parallel()
					inTime(t, func(t *testing.T, p *pipes, _ *taker) {
						slow := slow
						slow.chunked, slow.path = chunked, path
						var patient []<-chan pacedEnd
						for range min(50, 60<<20/slow.first) { // more than the memory
							patient = append(patient, p.send(slow))
						}
						synctest.Wait()
						time.Sleep(time.Second)
						if got := <-p.send(honest); got.status != http.StatusAccepted || got.took > 8*time.Second {
							t.Errorf("beside patient uploads, the answer is %+v", got)
						}
						seen := map[int]int{}
						for _, end := range patient {
							got := <-end
							if seen[got.status]++; got.took > bodyTimeout+roomTimeout {
								t.Errorf("a patient upload is answered after %s", got.took)
							}
						}
						if seen[http.StatusServiceUnavailable] == 0 || seen[0] > 0 {
							t.Errorf("the patient uploads are answered with %v", seen)
						}
					})
				})
			}
		}
	}
}

func TestManySmallBodiesThatTrickleGiveWay(t *testing.T) {
	t.Parallel()
	inTime(t, func(t *testing.T, p *pipes, _ *taker) {
		var slow []<-chan pacedEnd
		for range 300 {
			slow = append(slow, p.send(atPace{size: 64 << 10, first: 40 << 10, step: 2 << 10}))
		}
		time.Sleep(time.Second)
		if used := p.ingest.room.inUse(); used < bodyBytes/4-150<<10 {
			t.Errorf("%d bytes are used, which is not all", used)
		}
		var small []<-chan pacedEnd
		for range 20 {
			small = append(small, p.send(atPace{size: 64 << 10, first: 64 << 10, chunked: true}))
		}
		if took := wantAll(t, "a small request", http.StatusAccepted, small); took > 4*time.Second {
			t.Errorf("small requests took %s", took)
		}
		for _, end := range slow {
			<-end
		}
	})
}

func TestTheBodiesInMemoryAreBoundedTogether(t *testing.T) {
	t.Parallel()
	inTime(t, func(t *testing.T, p *pipes, k *taker) {
		k.hold = make(chan struct{})
		var all []<-chan pacedEnd
		for range 20 { // each has 11 MiB of the 48 in the end
			all = append(all, p.send(atPace{size: 8 << 20, first: 8 << 20}))
		}
		time.Sleep(roomTimeout + time.Second)
		if used := p.ingest.room.inUse(); used > bodyBytes*3/4 || used < 4*int64(base64.StdEncoding.EncodedLen(8<<20)) {
			t.Errorf("%d bytes are used", used)
		}
		close(k.hold)
		seen := map[pacedEnd]int{}
		for _, end := range all {
			seen[<-end]++
		}
		taken, refused := pacedEnd{202, "", roomTimeout + time.Second}, pacedEnd{503, "1", roomTimeout}
		if seen[taken] != 4 || seen[refused] != 16 {
			t.Errorf("the answers are %v", seen)
		}
		if got := <-p.send(atPace{size: 8 << 20, first: 8 << 20}); got.status != http.StatusAccepted || got.took != 0 {
			t.Errorf("afterwards the answer is %+v", got)
		}
	})
}

func TestUploadsWithoutCredentialsLeaveMemoryToOperators(t *testing.T) {
	t.Parallel()
	inTime(t, func(t *testing.T, p *pipes, _ *taker) {
		var guests []<-chan pacedEnd
		for range 20 {
			guests = append(guests, p.send(atPace{size: 8 << 20, first: 2 << 20, step: 2 << 20, pause: 7 * time.Second}))
		}
		for range 200 {
			guests = append(guests, p.send(atPace{size: 64 << 10, first: 60 << 10, step: 4 << 10, pause: 7 * time.Second}))
		}
		synctest.Wait()
		credentials := atPace{header: "Authorization: Basic " + base64.StdEncoding.EncodeToString([]byte(testUser+":"+testPassword)) + "\r\n"}
		for size, within := range map[int]time.Duration{100: 0, 64 << 10: 0, 2 << 20: 0, 8 << 20: 3 * time.Second} {
			s := credentials
			s.size, s.first = size, size
			if got := <-p.send(s); got.status != http.StatusAccepted || got.took > within {
				t.Errorf("with credentials, %d bytes are answered with %+v", size, got)
			}
		}
		for _, end := range guests {
			<-end
		}
	}, withBasicAuth(t))
}

func TestAChunkedBodyTakesMemoryAsItArrives(t *testing.T) {
	t.Parallel()
	for _, size := range []int{1, 1 << 10, 10 << 10, 100 << 10, 1 << 20, 5 << 20} {
		for path, times := range map[string]int64{"/async-function/f": 3, "/queue/producer": 5} {
			inTime(t, func(t *testing.T, p *pipes, _ *taker) {
				end := p.send(atPace{path: path, chunked: true, size: 8 << 20, first: size, step: 1, pause: time.Minute})
				synctest.Wait()
				if used := p.ingest.room.inUse(); used > times*int64(size)+48<<10 {
					t.Errorf("%s: %d bytes of memory for %d that have arrived", path, used, size)
				}
				<-end
			})
		}
	}
}

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
							t.Errorf("seed %d: an upload waits for ever", seed)
							return
						}
						b.mu.Lock()
						if p := &b.small; p.used > p.limit || p.guestsUsed > p.limit*3/4 {
							t.Errorf("seed %d: %d bytes are used, %d by guests", seed, p.used, p.guestsUsed)
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
			t.Errorf("bodies of up to %d bytes may have %d bytes of memory", most, total)
		}
	}
}
