// File scan.go reads the form of a QueueRequest that gateways publish, at a fraction of the cost of
// the general reader.

package invocation

import (
	"bytes"
	"net/http"
	"net/url"
	"unicode/utf8"
)

// A scanner reads JSON as encoding/json writes it for the gateway's struct: no space between
// tokens, keys in their own case, each at most once, valid UTF-8, and no escape but those of &, < and >.
// It gives up on everything else, correct or not: the general reader judges that. So whatever the
// scanner accepts means the same to both.
type scanner struct {
	raw  []byte
	at   int
	fail bool // raw is not of that form; sticky
	// shared is a copy of raw from sharedAt on, of which the texts of the header are parts: one
	// allocation instead of one for each.
	shared   string
	sharedAt int
}

// maxShared bounds the bytes of a copy that texts share, all of which stay in memory as long as one of them.
const maxShared = 2 << 10

// scan fills r from raw. It reports false, with r in any state, when raw is not of the gateway's form.
func (r *Request) scan(raw []byte, callback **url.URL) bool {
	s := scanner{raw: raw}
	var seen [len(scanned)]bool
	s.expect('{')
	for first := true; !s.fail && !s.ends('}'); first = false {
		if !first {
			s.expect(',')
		}
		f := s.key()
		if f < 0 || seen[f] {
			return false
		}
		seen[f] = true
		s.expect(':')
		s.value(r, scanned[f], callback)
	}
	return !s.fail && s.at == len(raw)
}

// scanned are the keys that the scanner knows, in the order in which gateways write them.
var scanned = [...]field{
	fieldHeader, "Host", fieldBody, "Method", fieldPath, fieldQueryString, fieldFunction, fieldQueueName, fieldAnnotations, fieldCallbackURL,
}

// key reads a key and returns its index in scanned, or -1.
func (s *scanner) key() int {
	name := s.quoted()
	for i, f := range scanned {
		if string(name) == string(f) {
			return i
		}
	}
	return -1
}

// value reads the value of a top-level key.
func (s *scanner) value(r *Request, f field, callback **url.URL) {
	switch f {
	case fieldHeader:
		s.header(r)
	case fieldBody:
		s.body(r)
	case fieldPath:
		r.Path = s.text()
	case fieldQueryString:
		r.QueryString = withoutMark(s.text())
	case fieldFunction:
		r.Function = s.text()
	case fieldQueueName:
		r.QueueName = s.text()
	case fieldAnnotations:
		s.annotations(r)
	case fieldCallbackURL:
		s.callback(r, callback)
	default:
		s.text() // of a key that means nothing here
	}
}

// header reads the header.
func (s *scanner) header(r *Request) {
	if s.null() {
		return
	}
	s.share(bytes.Index(s.raw[s.at:], []byte("]}"))) // the end, unless a value holds that
	defer s.share(0)
	s.expect('{')
	r.Header = make(http.Header, 12)
	room := make([]string, 0, 16) // for the values of most headers, in one piece
	for first := true; !s.fail && !s.ends('}'); first = false {
		if !first {
			s.expect(',')
		}
		name := s.text()
		s.expect(':')
		s.expect('[')
		values := room[len(room):]
		for !s.fail && !s.ends(']') {
			if len(values) > 0 {
				s.expect(',')
			}
			values = append(values, s.text())
		}
		if n := len(room) + len(values); n <= cap(room) {
			room = room[:n]
		}
		if _, twice := r.Header[name]; twice {
			s.fail = true
		}
		r.Header[name] = values[:len(values):len(values)]
	}
}

// body reads the body, which stays where it is.
func (s *scanner) body(r *Request) {
	if s.null() {
		r.flat = true
		return
	}
	s.expect('"')
	if s.fail {
		return
	}
	n := bytes.IndexByte(s.raw[s.at:], '"')
	if n < 0 || !isBase64(s.raw[s.at:s.at+n]) {
		s.fail = true
		return
	}
	r.body = s.raw[s.at : s.at+n]
	s.at += n + 1
}

// annotations reads a flat object of strings.
func (s *scanner) annotations(r *Request) {
	if s.null() {
		return
	}
	s.expect('{')
	r.Annotations = map[string]string{}
	for first := true; !s.fail && !s.ends('}'); first = false {
		if !first {
			s.expect(',')
		}
		name := s.text()
		if _, twice := r.Annotations[name]; twice {
			s.fail = true
		}
		s.expect(':')
		r.Annotations[name] = s.text()
	}
}

// callback reads the URL object. The general reader decides what it means.
func (s *scanner) callback(r *Request, callback **url.URL) {
	if s.null() {
		return
	}
	begin := s.at
	s.expect('{')
	for depth := 1; !s.fail && depth > 0; {
		switch {
		case s.at == len(s.raw):
			s.fail = true
		case s.raw[s.at] == '"':
			s.quoted()
		case s.raw[s.at] == '{':
			depth++
			s.at++
		case s.raw[s.at] == '}':
			depth--
			s.at++
		default:
			s.at++
		}
	}
	if !s.fail && r.set(fieldCallbackURL, s.raw[begin:s.at], callback) != nil {
		s.fail = true
	}
}

// share copies the next n bytes for the texts that are read from them; 0 or less ends that.
func (s *scanner) share(n int) {
	s.shared, s.sharedAt = string(s.raw[s.at:s.at+max(min(n, maxShared), 0)]), s.at
}

// text reads a string.
func (s *scanner) text() string {
	q := s.quoted()
	if bytes.IndexByte(q, '\\') < 0 {
		end := s.at - 1 - s.sharedAt // before the quote
		if begin := end - len(q); begin >= 0 && end <= len(s.shared) && !s.fail {
			return s.shared[begin:end]
		}
		return string(q)
	}
	plain := make([]byte, 0, len(q))
	for len(q) > 0 {
		if q[0] != '\\' {
			plain = append(plain, q[0])
			q = q[1:]
			continue
		}
		c, ok := escapes[string(q[:min(len(q), escapeLen)])]
		if !ok {
			s.fail = true
			return ""
		}
		plain = append(plain, c)
		q = q[escapeLen:]
	}
	return string(plain)
}

// escapes are those that encoding/json writes for characters which are special in HTML.
var escapes = map[string]byte{`\u0026`: '&', `\u003c`: '<', `\u003e`: '>'}

const escapeLen = len(`\u0026`)

// quoted reads a string and returns what stands between the quotes, escapes included, which the
// caller has to check.
func (s *scanner) quoted() []byte {
	s.expect('"')
	if s.fail {
		return nil
	}
	begin, ascii := s.at, true
	for ; s.at < len(s.raw) && s.raw[s.at] != '"'; s.at++ {
		c := s.raw[s.at]
		if c == '\\' {
			s.at++
		}
		s.fail = s.fail || c < ' '
		ascii = ascii && c < utf8.RuneSelf
	}
	s.at = min(s.at, len(s.raw))
	q := s.raw[begin:s.at]
	s.expect('"')
	if !ascii && !utf8.Valid(q) {
		s.fail = true
	}
	return q
}

// null reads null if it stands here.
func (s *scanner) null() bool {
	if !bytes.HasPrefix(s.raw[s.at:], []byte("null")) {
		return false
	}
	s.at += len("null")
	return true
}

// ends reads c if it stands here, which ends an object or a list.
func (s *scanner) ends(c byte) bool {
	if s.at < len(s.raw) && s.raw[s.at] == c {
		s.at++
		return true
	}
	return false
}

// expect reads c, and fails where something else stands.
func (s *scanner) expect(c byte) {
	if !s.ends(c) {
		s.fail = true
	}
}
