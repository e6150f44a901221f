// File upload.go reads a body on its way in: at a least rate, and for as much memory
// as has come.

package ingest

import (
	"bytes"
	"errors"
	"io"
	"math"
	"net/http"
	"sync"
	"time"
)

const (
	// bodyTimeout is how long a body may take to arrive, waiting for memory aside.
	bodyTimeout = time.Minute
	// bodyGrace is how long a body may stay behind bodyRate.
	bodyGrace = 10 * time.Second
	// bodyRate is the least that has to arrive in a second, on average.
	bodyRate = 1 << 10
	// slowRate is the least that has to arrive in a second, over rateWindow, while other
	// bodies wait for memory.
	slowRate   = 256 << 10
	rateWindow = time.Second
	// shortBytes of a body are read through a small buffer.
	shortBytes = 64 << 10
	// uploadBytes are what an upload needs beside its body: buffers and the header.
	uploadBytes = 32 << 10
)

// Buffers that bodies are copied through.
var (
	shortBuffers = sync.Pool{New: func() any { b := make([]byte, 4<<10); return &b }}
	longBuffers  = sync.Pool{New: func() any { b := make([]byte, 32<<10); return &b }}
)

// upload is a body on its way in, and the memory that it has. One goroutine reads and
// takes; release may be called by any other afterwards.
type upload struct {
	room  *bodyRoom
	r     *http.Request
	c     *http.ResponseController
	bound io.Reader // reads the body up to max_request_bytes
	guest bool
	claim int64 // bytes of memory that it may need when it is large

	// Guarded by room.mu.
	share   *share
	used    int64         // bytes of the share that are in use
	waited  time.Duration // for memory
	begun   time.Time     // of the present read; zero between reads
	all     received
	window  received // up to the beginning of the window in which the rate is measured
	rate    float64  // of the window before, in bytes a second
	refused bool
}

// received is how much of a body has been read, and how long its reads took.
type received struct {
	bytes int64
	spent time.Duration
}

// begin begins a body, for which claim bytes of memory are enough.
func (i *Ingest) begin(w http.ResponseWriter, r *http.Request, claim int64) *upload {
	u := &upload{room: i.room, r: r, c: http.NewResponseController(w), guest: isGuest(r.Context()), claim: claim + smallBytes, rate: math.Inf(1)}
	u.bound = http.MaxBytesReader(w, u, i.MaxBytes)
	u.share = &share{upload: u, pool: &i.room.small, claim: min(claim+uploadBytes, smallBytes)}
	return u
}

// copyTo writes the body to what makes returns, as it comes. Before its first byte an
// upload has no memory.
func (u *upload) copyTo(makes func() (io.Writer, error)) error {
	var first [1]byte
	n, err := io.ReadFull(u.bound, first[:])
	if err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	u.restart()
	to, failed := makes()
	if failed != nil {
		return failed
	}
	body := io.MultiReader(bytes.NewReader(first[:n]), u.bound)
	if n, err := u.through(&shortBuffers, to, io.LimitReader(body, shortBytes)); err != nil || n < shortBytes {
		return err
	}
	_, err = u.through(&longBuffers, to, u.bound)
	u.room.settle(u)
	return err
}

// through copies through a buffer.
func (u *upload) through(buffers *sync.Pool, to io.Writer, from io.Reader) (int64, error) {
	b, _ := buffers.Get().(*[]byte)
	defer buffers.Put(b)
	size := int64(len(*b))
	if err := u.take(size); err != nil {
		return 0, err
	}
	n, err := io.CopyBuffer(to, from, *b)
	if back := u.take(-size); err == nil {
		err = back
	}
	return n, err
}

// take takes n bytes of memory, or gives some back when n is negative.
func (u *upload) take(n int64) error { return u.room.take(u, n) }

// release gives all memory back.
func (u *upload) release() { u.room.release(u) }

func (u *upload) Close() error { return u.r.Body.Close() }

func (u *upload) Read(b []byte) (int, error) {
	if err := u.begin(); err != nil {
		return 0, err
	}
	n, err := u.r.Body.Read(b)
	return n, u.end(n, err)
}

// begin begins a read, which ends when the body comes too slowly.
func (u *upload) begin() error {
	u.room.mu.Lock()
	defer u.room.mu.Unlock()
	if u.refused {
		return problemCrowded
	}
	u.begun = time.Now()
	_ = u.c.SetReadDeadline(u.begun.Add(u.allowed() - u.all.spent)) // every connection of a server can
	return nil
}

// allowed is how long the reads of a body may have taken by what has arrived.
func (u *upload) allowed() time.Duration {
	return min(bodyTimeout, bodyGrace+time.Duration(u.all.bytes)*time.Second/bodyRate)
}

// end ends a read of n bytes. It returns err, or why the upload is refused.
func (u *upload) end(n int, err error) error {
	u.room.mu.Lock()
	defer u.room.mu.Unlock()
	now := time.Now()
	u.all.bytes += int64(n)
	u.all.spent += now.Sub(u.begun)
	if errors.Is(err, io.EOF) { // it is whole; past its read deadline, net/http takes the client for gone
		_ = u.c.SetReadDeadline(u.begun.Add(bodyTimeout))
		u.refused = false
	}
	u.begun = time.Time{}
	if u.refused {
		return problemCrowded
	}
	if d := u.all.spent - u.window.spent; d >= rateWindow {
		u.rate, u.window = float64(u.all.bytes-u.window.bytes)/d.Seconds(), u.all
	}
	return err
}

// restart measures the rate from now on.
func (u *upload) restart() {
	u.room.mu.Lock()
	defer u.room.mu.Unlock()
	u.window = u.all
}

// rateAt is how many bytes a second have come lately, and infinite between reads.
func (u *upload) rateAt(now time.Time) float64 {
	if u.begun.IsZero() {
		return math.Inf(1)
	}
	silent := now.Sub(u.begun)
	d := u.all.spent - u.window.spent + silent
	switch {
	case silent >= rateWindow:
		return 0
	case d >= rateWindow:
		return float64(u.all.bytes-u.window.bytes) / d.Seconds()
	}
	return u.rate
}

// refuse ends the reads of an upload.
func (u *upload) refuse() {
	u.refused = true
	_ = u.c.SetReadDeadline(time.Unix(1, 0))
}
