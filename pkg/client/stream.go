// File stream.go exports and imports dead letters as a stream of lines.

package client

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"

	"queue-worker/pkg/wire"
)

// Moved counts what has passed.
type Moved struct {
	Letters int
	Bytes   int64
	// Unreadable counts lines that stand for letters whose message the store has
	// lost. They cannot be imported.
	Unreadable int
}

// Export writes dead letters to w, one a line, whole and exact. seen is called after
// every letter and may be nil. With an error what was written is not complete; it
// ends after a whole letter, unless w itself has failed.
func (c *Client) Export(ctx context.Context, f Filter, w io.Writer, seen func(Moved)) (Moved, error) {
	ctx, touch, stop := c.watched(ctx)
	defer stop()
	r, err := c.send(ctx, get("/v1/dead_set/export", queryOf(f)))
	if err != nil {
		return Moved{}, err
	}
	defer func() { _ = r.Body.Close() }()
	if !hasType(r.Header, wire.MediaLines) {
		return Moved{}, c.foreign(r)
	}
	m := Moved{}
	lines := newLines(touching{r.Body, touch})
	for {
		line, err := lines.next()
		if errors.Is(err, io.EOF) {
			return m, nil
		}
		if err != nil {
			return m, c.cut(ctx, err)
		}
		if _, err := w.Write(line); err != nil {
			return m, err
		}
		m.Letters++
		m.Bytes += int64(len(line))
		if isUnreadable(line) {
			m.Unreadable++
		}
		if seen != nil {
			seen(m)
		}
	}
}

// shortLine bounds a line without a message, in bytes.
const shortLine = 256 << 10

// isUnreadable reports whether a line says that its letter cannot be read.
func isUnreadable(line []byte) bool {
	if len(line) > shortLine || !bytes.Contains(line, []byte(`"error":`)) {
		return false
	}
	var record struct {
		Error string `json:"error"`
	}
	return json.Unmarshal(line, &record) == nil && record.Error != ""
}

// Bounds of one request of an import. There are several, so that what a broken
// connection may take with it is little, and is brought again by the next import.
const (
	importLines = 1000
	importBytes = 4 << 20
	// maxLine is the longest line, in bytes: the largest message of NATS in base64,
	// with room for its history.
	maxLine = 128 << 20
)

// add counts what has become of a part that begins after so many lines.
func add(i *wire.Imported, part wire.Imported, before int) {
	i.Imported += part.Imported
	i.Skipped += part.Skipped
	i.FailedTotal += max(part.FailedTotal, len(part.Failed))
	for _, f := range part.Failed {
		f.Line += before
		i.Failed = append(i.Failed, f)
	}
}

// importAnswer is what one request of an import is answered.
type importAnswer struct {
	Document `json:"-"`
	wire.Imported
}

// Import brings the lines of an export into the dead set. What is there already is
// skipped, so that an import may be repeated. seen is called after every part, with
// the letters and bytes of r that are through, and may be nil. With an error the
// result counts what had been answered until then.
func (c *Client) Import(ctx context.Context, r io.Reader, seen func(Moved)) (wire.Imported, error) {
	all := wire.Imported{Failed: []wire.FailedLine{}}
	m, lines := Moved{}, newLines(r)
	for {
		part, n, err := lines.part()
		if n == 0 {
			return all, err
		}
		answer, perr := c.importPart(ctx, part)
		add(&all, answer, m.Letters)
		if perr != nil {
			return all, perr
		}
		m.Letters += n
		m.Bytes += int64(len(part))
		if seen != nil {
			seen(m)
		}
		if err != nil {
			return all, err
		}
	}
}

// importPart brings a part. An error of the server counts what is in as well.
func (c *Client) importPart(ctx context.Context, part []byte) (wire.Imported, error) {
	ctx, touch, stop := c.watched(ctx)
	defer stop()
	q := act(http.MethodPost, "/v1/dead_set/import", http.StatusOK)
	q.header = http.Header{"Content-Type": {wire.MediaLines}}
	q.body, q.size = touching{bytes.NewReader(part), touch}, int64(len(part))
	q.timeout = c.idle
	answer := &importAnswer{}
	err := c.read(ctx, q, answer)
	if e, ok := errors.AsType[*Error](err); ok && e.raw != nil {
		_ = json.Unmarshal(e.raw, answer) // it was read as an error before
	}
	return answer.Imported, err
}

// lines reads a stream line by line.
type lines struct {
	r    *bufio.Reader
	kept []byte // the line that did not fit into the last part
}

func newLines(r io.Reader) *lines { return &lines{r: bufio.NewReaderSize(r, 64<<10)} }

// next is the next line with its end. After the last one it is io.EOF; when that
// has no end, what there is of it, with io.ErrUnexpectedEOF.
func (l *lines) next() ([]byte, error) {
	var line []byte
	for {
		piece, err := l.r.ReadSlice('\n')
		if line == nil && err == nil {
			return piece, nil
		}
		line = append(line, piece...)
		switch {
		case err == nil:
			return line, nil
		case len(line) > maxLine:
			return nil, fmt.Errorf("a line has more than %d bytes", maxLine)
		case errors.Is(err, bufio.ErrBufferFull):
		case errors.Is(err, io.EOF) && len(line) > 0:
			return line, io.ErrUnexpectedEOF
		default:
			return nil, err
		}
	}
}

// part is the next lines as one request, and their number. n is 0 at the end. An
// error comes with the lines before it, if there are any.
func (l *lines) part() (part []byte, n int, err error) {
	part = append(part, l.kept...)
	if len(part) > 0 {
		n = 1
	}
	l.kept = nil
	for n < importLines {
		line, err := l.next()
		if errors.Is(err, io.EOF) {
			return part, n, nil
		}
		if errors.Is(err, io.ErrUnexpectedEOF) {
			line, err = append(line, '\n'), nil // the server judges a line that was cut
		}
		if err != nil {
			return part, n, fmt.Errorf("read the dead letters: %w", err)
		}
		if n > 0 && len(part)+len(line) > importBytes {
			l.kept = bytes.Clone(line)
			return part, n, nil
		}
		part = append(part, line...)
		n++
	}
	return part, n, nil
}

// streamBody is a body that is read as it comes, whose errors say what they mean.
type streamBody struct {
	touching
	explain func(error) error
	close   func()
}

func (b *streamBody) Read(p []byte) (int, error) {
	n, err := b.touching.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		err = b.explain(err)
	}
	return n, err
}

// Close ends it.
func (b *streamBody) Close() error { b.close(); return nil }
