// Uploads that are silent or trickle keep no other sender out.

package e2e

import (
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// largest is the largest body that a worker takes by default.
const largest = 8 << 20

// upload begins a request on a connection of its own, and sends first of its body.
func (w *worker) upload(t testing.TB, path, length, first string) net.Conn {
	t.Helper()
	c, err := net.Dial("tcp", strings.TrimPrefix(w.base, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	_ = c.SetWriteDeadline(time.Now().Add(20 * time.Second))
	if _, err := io.WriteString(c, "POST "+path+" HTTP/1.1\r\nHost: localhost\r\n"+length+"\r\n\r\n"+first); err != nil {
		t.Fatal(err)
	}
	_ = c.SetWriteDeadline(time.Time{})
	return c
}

// trickle sends a KiB from time to time until the connection is closed.
func trickle(c net.Conn) {
	for err := error(nil); err == nil; time.Sleep(200 * time.Millisecond) {
		_, err = io.WriteString(c, strings.Repeat("t", 1<<10))
	}
}

// insist sends a large body, again while the worker asks for that.
func (w *worker) insist(path string, length int64) (sent, error) {
	for tries := 1; ; tries++ {
		body := io.LimitReader(endless{}, largest)
		req, err := http.NewRequest(http.MethodPost, w.base+path, body)
		if err != nil {
			return sent{}, err
		}
		req.ContentLength = length
		res, err := client.Do(req)
		if err != nil {
			return sent{}, err
		}
		text, err := io.ReadAll(res.Body)
		_ = res.Body.Close()
		seconds, busy := strconv.Atoi(res.Header.Get("Retry-After"))
		if res.StatusCode != http.StatusServiceUnavailable || busy != nil || tries == 3 {
			return sent{res.StatusCode, res.Header, string(text), time.Now().Round(0)}, err
		}
		time.Sleep(time.Duration(seconds) * time.Second)
	}
}

// endless is a body of letters.
type endless struct{}

func (endless) Read(b []byte) (int, error) {
	for i := range b {
		b[i] = 'a'
	}
	return len(b), nil
}

func TestSilentAndTricklingUploadsKeepNoSenderOut(t *testing.T) {
	t.Parallel()
	s := newStand(t)
	w := s.worker()
	declared := "Content-Length: " + strconv.Itoa(largest)
	for range 2 {
		w.upload(t, "/queue/producer", "Transfer-Encoding: chunked", "")
	}
	for range 50 {
		w.upload(t, "/async-function/fn1", declared, "")
	}
	for range 50 {
		go trickle(w.upload(t, "/async-function/fn1", declared, strings.Repeat("t", 600<<10)))
	}
	small := func() { // each within the time of the client, which is shorter than that of a silent upload
		w.next(t, w.submit(t, "/async-function/fn2", strings.Repeat("s", 60<<10)), "done")
	}
	small()
	w.produce(t, "hello", s.gateway.url()+"/function/fn3")
	var uploads sync.WaitGroup
	for n := range 8 {
		uploads.Go(func() {
			length := []int64{largest, -1}[n%2]
			got, err := w.insist("/async-function/fn4", length)
			switch {
			case err != nil:
				t.Errorf("an upload is answered with %d %s, %v, want no error", got.Status, got.Body, err)
			case got.Status != http.StatusAccepted:
				t.Errorf("an upload is answered with %d %s, %v, want status %d", got.Status, got.Body, err, http.StatusAccepted)
			}
		})
	}
	small()
	uploads.Wait()
	small()
}
