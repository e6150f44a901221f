package invoke

import (
	"io"
	"net/http"
)

// Reading an answer, never more of it than the limit and one byte: the byte shows
// whether there is more. The rest is not drained, the connection is closed.

// firstRead is how much of a body is read into memory of its own, in bytes, whatever the answer says of its
// length. What follows goes to the spool.
const firstRead = 64 << 10

// read reads the body of resp, keeps it or not, and reports what broke it off.
func (e *exchange) read(resp *http.Response) (Result, error) {
	r := Result{Status: resp.StatusCode, Header: resp.Header}
	var err error
	most := e.kept(resp.StatusCode)
	if most > 0 {
		r.Body, err = readUpTo(resp.Body, resp.ContentLength, min(most, firstRead))
		r.Size = int64(len(r.Body))
	}
	switch {
	case err != nil:
	case !e.keep && r.Size == most: // there may be more
		// io.Discard reads through a small buffer that it shares.
		var rest int64
		rest, err = io.Copy(io.Discard, io.LimitReader(resp.Body, e.limit+1-r.Size))
		r.Size += rest
	case r.Size == firstRead && r.Size < most:
		err = e.readLarge(resp, &r)
	}
	if r.Size > e.limit {
		r.Size, r.Truncated = e.limit, true
		r.Body = r.Body[:min(e.limit, int64(len(r.Body)))]
		r.Large.Limit(e.limit)
		return r, nil // what comes after the limit does not matter, nor does that it breaks
	}
	if err != nil {
		r.Close()
	}
	return r, err
}

// readLarge reads a body whose beginning has been read. What there is no room for does not matter, nor
// does that it breaks.
func (e *exchange) readLarge(resp *http.Response, r *Result) (err error) {
	r.Large, err = e.spool.Read(r.Body, resp.Body, e.limit+1)
	r.Size = r.Large.Size()
	r.NoRoom = r.Large.Cut()
	r.Truncated = r.NoRoom
	return err
}

// kept is how many bytes of a body are kept, at most.
func (e *exchange) kept(status int) int64 {
	switch {
	case e.keep:
		return e.limit + 1
	case status >= http.StatusMultipleChoices:
		return min(e.beginning, e.limit)
	}
	return 0
}

// readUpTo reads r to its end, at most limit bytes. It believes declared, the
// length that the answer says to have, only as far as it costs little.
func readUpTo(r io.Reader, declared, limit int64) ([]byte, error) {
	first := int64(512)
	if declared >= 0 {
		first = declared
	}
	b := make([]byte, 0, min(first, firstRead, limit))
	for int64(len(b)) < limit {
		if len(b) == cap(b) {
			b = grown(b, limit)
		}
		n, err := r.Read(b[len(b):cap(b)])
		b = b[:len(b)+n]
		if err == io.EOF {
			return b, nil
		}
		if err != nil {
			return b, err
		}
	}
	return b, nil
}

// grown doubles the room of b, not beyond limit, so that what an answer costs is
// bounded by what it may hold.
func grown(b []byte, limit int64) []byte {
	room := min(max(2*int64(cap(b)), 512), limit)
	g := make([]byte, len(b), room)
	copy(g, b)
	return g
}
