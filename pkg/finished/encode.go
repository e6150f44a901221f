// File encode.go keeps an End as bytes, which hold no pointer into a message.

package finished

import (
	"encoding/binary"
	"time"

	"queue-worker/pkg/invocation"
	"queue-worker/pkg/store"
)

// codec goes over the fields of an End. It appends them to bytes, or reads them from there, so that there is one list
// of them.
type codec struct {
	bytes   []byte
	reading bool // takes values from the beginning of bytes
}

// appendEnd appends e to b.
func appendEnd(b []byte, e *store.End) []byte {
	c := codec{bytes: b}
	c.end(e)
	return c.bytes
}

// readEnd reads what appendEnd has made. Times are in UTC.
func readEnd(b []byte) store.End {
	e := store.End{Inv: &invocation.Invocation{}}
	(&codec{bytes: b, reading: true}).end(&e)
	return e
}

func (c *codec) end(e *store.End) {
	text(c, &e.Outcome)
	c.time(&e.At)
	i := e.Inv
	c.id(&i.ID)
	text(c, &i.CallID)
	number(c, &i.Kind)
	text(c, &i.Lane.Queue)
	text(c, &i.Lane.Name)
	text(c, &i.Function)
	text(c, &i.URL)
	c.id(&i.Origin)
	c.time(&i.Accepted)
	number(c, &i.Size)
	number(c, &i.State)
	c.time(&i.Since)
	number(c, &i.Retries)
	c.attempts(&i.Attempts)
	number(c, &i.Omitted)
	number(c, &i.Crashes)
	number(c, &i.Replays)
	c.id(&i.Job)
	number(c, &i.Sequence)
	c.flag(&i.Superseded)
	c.terms(&i.Terms)
	c.trace(&i.Trace)
	text(c, &i.Reason)
	text(c, &i.Detail)
	c.time(&i.DiedAt)
}

func (c *codec) attempts(list *[]invocation.Attempt) {
	n := len(*list)
	number(c, &n)
	if c.reading && n > 0 {
		*list = make([]invocation.Attempt, n)
	}
	for i := range *list {
		a := &(*list)[i]
		c.time(&a.At)
		number(c, &a.Duration)
		number(c, &a.Status)
		text(c, &a.Cause)
	}
}

func (c *codec) terms(t **invocation.Terms) {
	if !present(c, t) {
		return
	}
	number(c, &(*t).Source)
	number(c, &(*t).MaxRetries)
	number(c, &(*t).Delay)
	c.time(&(*t).Expires)
	c.flag(&(*t).Delayed)
	text(c, &(*t).DelayIgnored)
	c.id(&(*t).Repeats)
}

func (c *codec) trace(t **invocation.Trace) {
	if !present(c, t) {
		return
	}
	text(c, &(*t).Parent)
	text(c, &(*t).State)
	text(c, &(*t).Last)
}

func (c *codec) id(id *invocation.ID) {
	if c.reading {
		c.bytes = c.bytes[copy(id[:], c.bytes):]
		return
	}
	c.bytes = append(c.bytes, id[:]...)
}

func (c *codec) time(t *time.Time) {
	seconds, nanos := t.Unix(), t.Nanosecond()
	number(c, &seconds)
	number(c, &nanos)
	if c.reading {
		*t = time.Unix(seconds, int64(nanos)).UTC()
	}
}

func (c *codec) flag(f *bool) {
	n := 0
	if *f {
		n = 1
	}
	number(c, &n)
	*f = n == 1
}

// present reports whether *p is there, and makes it when it is read.
func present[T any](c *codec, p **T) bool {
	is := *p != nil
	c.flag(&is)
	if c.reading && is {
		*p = new(T)
	}
	return is
}

func number[T ~int | ~int64 | ~uint8](c *codec, v *T) {
	if c.reading {
		n, size := binary.Varint(c.bytes)
		*v, c.bytes = T(n), c.bytes[size:]
		return
	}
	c.bytes = binary.AppendVarint(c.bytes, int64(*v))
}

func text[T ~string](c *codec, s *T) {
	n := len(*s)
	number(c, &n)
	if c.reading {
		*s, c.bytes = T(c.bytes[:n]), c.bytes[n:]
		return
	}
	c.bytes = append(c.bytes, *s...)
}
