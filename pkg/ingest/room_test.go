package ingest_test

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"queue-worker/pkg/api/apitest"
	"queue-worker/pkg/ingest"
)

// pipes is a surface in a bubble.
type pipes struct{ *apitest.Pipes }

// inTime runs a test by the clock of a bubble, with a surface that accepts large bodies.
func inTime(t *testing.T, test func(*testing.T, *pipes), edits ...func(*apitest.Options)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		p := &pipes{apitest.Pipe(t, append([]func(*apitest.Options){withLargeBodies}, edits...)...)}
		test(t, p)
		time.Sleep(2 * time.Minute) // all uploads end, and the server lingers before it closes a connection
		p.Ingest.WantEmpty(t)
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
	inTime(t, func(t *testing.T, p *pipes) {
		var silent []<-chan pacedEnd
		for range 2 {
			silent = append(silent, p.send(atPace{path: "/queue/producer", chunked: true, size: 1}))
		}
		for range 50 {
			silent = append(silent, p.send(atPace{size: 8 << 20}), p.send(atPace{path: "/queue/producer", size: 8 << 20}))
		}
		synctest.Wait()
		if used := p.Ingest.InUse(); used != 0 {
			t.Errorf("uploads without a byte have %d bytes of memory, want 0", used)
		}
		for path := range intakes {
			size := 64 << 10
			for _, chunked := range []bool{false, true} {
				want := http.StatusAccepted
				if path == "/queue/producer" || path == "/queue/producer/" {
					want = http.StatusBadRequest // it is read, and is no JSON
				}
				switch got := <-p.send(atPace{path: path, chunked: chunked, size: size, first: size}); {
				case got.status != want:
					t.Errorf("beside silent uploads, %s answers %+v, want status %v", path, got, want)
				case got.took != 0:
					t.Errorf("beside silent uploads, %s answers %+v, want an answer at once", path, got)
				}
			}
		}
		if took := wantAll(t, "a silent upload", http.StatusRequestTimeout, silent); took != ingest.BodyGrace {
			t.Errorf("the silent uploads ended after %s, want %v", took, ingest.BodyGrace)
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
		"one byte a second":             {atPace{size: 8 << 20, step: 1}, http.StatusRequestTimeout, ingest.BodyGrace + time.Second},
		"much, and then nearly none":    {atPace{size: 8 << 20, first: 80 << 10, step: 1 << 10}, http.StatusRequestTimeout, ingest.BodyTimeout},
		"much, and then none":           {atPace{size: 8 << 20, first: 10 << 10, step: 1, pause: time.Minute}, http.StatusRequestTimeout, 2 * ingest.BodyGrace},
		"small and slow":                {atPace{size: 40 << 10, step: 1 << 10}, http.StatusAccepted, ingest.BodyTimeout},
		"100 KiB at 4 KiB a second":     {atPace{size: 100 << 10, step: 4 << 10}, http.StatusAccepted, ingest.BodyTimeout},
		"the largest in 56 s":           {atPace{size: 8 << 20, step: 150 << 10}, http.StatusAccepted, ingest.BodyTimeout},
		"nothing for the first seconds": {atPace{size: 8, step: 8, pause: 9 * time.Second}, http.StatusAccepted, ingest.BodyTimeout},
	} {
		for _, chunked := range []bool{false, true} {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				inTime(t, func(t *testing.T, p *pipes) {
					tt := tt
					tt.chunked = chunked
					switch got := <-p.send(tt.atPace); {
					case got.status != tt.status:
						t.Errorf("the answer is %+v, want status %v", got, tt.status)
					case got.took > tt.within:
						t.Errorf("the answer is %+v, want at most %v", got, tt.within)
					}
				})
			})
		}
	}
}

// notShort skips a test whose many megabytes the race detector would follow byte by byte.
func notShort(t *testing.T) {
	t.Helper()
	if testing.Short() {
		t.Skip("it has no form for -short")
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
		if testing.Short() && name != "of different size" {
			continue
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for guests, edit := range []func(*apitest.Options){func(*apitest.Options) {}, apitest.WithBasicAuth(t)} {
				s.pause /= time.Duration(1 + guests) // they have less memory
				inTime(t, func(t *testing.T, p *pipes) {
					var all []<-chan pacedEnd
					for n := range 8 {
						s.chunked = n%2 == 0
						all = append(all, p.send(s))
					}
					wantAll(t, "an upload", http.StatusAccepted, all)
					if p.Accepts.Count() != 8 {
						t.Errorf("%d were taken, want 8", p.Accepts.Count())
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
				if testing.Short() && (chunked || path != "/async-function/f") {
					continue
				}
				t.Run(fmt.Sprintf("%s, chunked %v, %s", name, chunked, path), func(t *testing.T) {
					t.Parallel()
					inTime(t, func(t *testing.T, p *pipes) {
						slow := slow
						slow.chunked, slow.path = chunked, path
						var patient []<-chan pacedEnd
						for range min(50, 60<<20/slow.first) { // more than the memory
							patient = append(patient, p.send(slow))
						}
						synctest.Wait()
						time.Sleep(time.Second)
						switch got := <-p.send(honest); {
						case got.status != http.StatusAccepted:
							t.Errorf("beside patient uploads, the answer is %+v, want status %d", got, http.StatusAccepted)
						case got.took > 8*time.Second:
							t.Errorf("beside patient uploads, the answer is %+v, want at most %v", got, 8*time.Second)
						}
						seen := map[int]int{}
						for _, end := range patient {
							got := <-end
							if seen[got.status]++; got.took > ingest.BodyTimeout+ingest.RoomTimeout {
								t.Errorf("a patient upload is answered after %s, want at most %v", got.took, ingest.BodyTimeout+ingest.RoomTimeout)
							}
						}
						switch {
						case seen[http.StatusServiceUnavailable] == 0:
							t.Errorf("the patient uploads are answered with %v, want seen[http.StatusServiceUnavailable] not 0", seen)
						case seen[0] > 0:
							t.Errorf("the patient uploads are answered with %v, want seen[0] at most 0", seen)
						}
					})
				})
			}
		}
	}
}

func TestManySmallBodiesThatTrickleGiveWay(t *testing.T) {
	t.Parallel()
	inTime(t, func(t *testing.T, p *pipes) {
		var slow []<-chan pacedEnd
		for range 300 {
			slow = append(slow, p.send(atPace{size: 64 << 10, first: 40 << 10, step: 2 << 10}))
		}
		time.Sleep(time.Second)
		if used := p.Ingest.InUse(); used < ingest.BodyBytes/4-150<<10 {
			t.Errorf("%d bytes are used, which is not all, want at least %v", used, ingest.BodyBytes/4-150<<10)
		}
		var small []<-chan pacedEnd
		for range 20 {
			small = append(small, p.send(atPace{size: 64 << 10, first: 64 << 10, chunked: true}))
		}
		if took := wantAll(t, "a small request", http.StatusAccepted, small); took > 4*time.Second {
			t.Errorf("small requests took %s, want at most %v", took, 4*time.Second)
		}
		for _, end := range slow {
			<-end
		}
	})
}

func TestTheBodiesInMemoryAreBoundedTogether(t *testing.T) {
	notShort(t)
	t.Parallel()
	inTime(t, func(t *testing.T, p *pipes) {
		release := p.Accepts.Hold()
		var all []<-chan pacedEnd
		for range 20 { // each has 11 MiB of the 48 in the end
			all = append(all, p.send(atPace{size: 8 << 20, first: 8 << 20}))
		}
		time.Sleep(ingest.RoomTimeout + time.Second)
		switch used := p.Ingest.InUse(); {
		case used > ingest.BodyBytes*3/4:
			t.Errorf("%d bytes are used, want used at most %v", used, ingest.BodyBytes*3/4)
		case used < 4*int64(base64.StdEncoding.EncodedLen(8<<20)):
			t.Errorf("%d bytes are used, want used at least %v", used, 4*int64(base64.StdEncoding.EncodedLen(8<<20)))
		}
		release()
		seen := map[pacedEnd]int{}
		for _, end := range all {
			seen[<-end]++
		}
		unsure, refused := pacedEnd{503, "10", ingest.TakeTimeout}, pacedEnd{503, "1", ingest.RoomTimeout}
		switch {
		case seen[unsure] != 4:
			t.Errorf("the answers are %v, want seen[unsure] 4", seen)
		case seen[refused] != 16:
			t.Errorf("the answers are %v, want seen[refused] 16", seen)
		}
		switch got := <-p.send(atPace{size: 8 << 20, first: 8 << 20}); {
		case got.status != http.StatusAccepted:
			t.Errorf("afterwards the answer is %+v, want status %d", got, http.StatusAccepted)
		case got.took != 0:
			t.Errorf("afterwards the answer is %+v, want an answer at once", got)
		}
	})
}

func TestUploadsWithoutCredentialsLeaveMemoryToOperators(t *testing.T) {
	notShort(t)
	t.Parallel()
	inTime(t, func(t *testing.T, p *pipes) {
		var guests []<-chan pacedEnd
		for range 20 {
			guests = append(guests, p.send(atPace{size: 8 << 20, first: 2 << 20, step: 2 << 20, pause: 7 * time.Second}))
		}
		for range 200 {
			guests = append(guests, p.send(atPace{size: 64 << 10, first: 60 << 10, step: 4 << 10, pause: 7 * time.Second}))
		}
		synctest.Wait()
		credentials := atPace{header: "Authorization: Basic " + base64.StdEncoding.EncodeToString([]byte(apitest.TestUser+":"+apitest.TestPassword)) + "\r\n"}
		for size, within := range map[int]time.Duration{100: 0, 64 << 10: 0, 2 << 20: 0, 8 << 20: 3 * time.Second} {
			s := credentials
			s.size, s.first = size, size
			switch got := <-p.send(s); {
			case got.status != http.StatusAccepted:
				t.Errorf("with credentials, %d bytes are answered with %+v, want status %d", size, got, http.StatusAccepted)
			case got.took > within:
				t.Errorf("with credentials, %d bytes are answered with %+v, want at most %v", size, got, within)
			}
		}
		for _, end := range guests {
			<-end
		}
	}, apitest.WithBasicAuth(t))
}

func TestAChunkedBodyTakesMemoryAsItArrives(t *testing.T) {
	t.Parallel()
	for _, size := range []int{1, 1 << 10, 10 << 10, 100 << 10, 1 << 20, 5 << 20} {
		for path, times := range map[string]int64{"/async-function/f": 3, "/queue/producer": 5} {
			inTime(t, func(t *testing.T, p *pipes) {
				end := p.send(atPace{path: path, chunked: true, size: 8 << 20, first: size, step: 1, pause: time.Minute})
				synctest.Wait()
				if used := p.Ingest.InUse(); used > times*int64(size)+48<<10 {
					t.Errorf("%s: %d bytes of memory for %d that have arrived, want at most %v", path, used, size, times*int64(size)+48<<10)
				}
				<-end
			})
		}
	}
}
