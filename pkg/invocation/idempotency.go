// File idempotency.go has what two requests under one idempotency key have to share, so that the
// second is a repetition of the first.

package invocation

import (
	"crypto/sha256"
	"encoding/binary"
	"hash"
	"net/http"
	"strconv"
)

// MaxIdempotencyKey bounds a key in bytes, as most who know the field do.
const MaxIdempotencyKey = 255

// KeyHash is the digest of a key, which belongs to its function.
func KeyHash(lane, key string) [32]byte { return sha256.Sum256([]byte(lane + "\x00" + key)) }

// ContentDigest begins the digest of what is sent under a key: path, query and content type. The
// body follows.
func ContentDigest(path, query, contentType string) hash.Hash {
	h := sha256.New()
	digestParts(h, path, query, contentType)
	return h
}

// SenderDigest is the digest of what says on whose behalf a function is called and who gets its
// result: method, callback URL and credentials. Another caller, who knows key and body, must not
// have the result sent elsewhere, nor make the call with credentials of their own in place of the
// caller's.
func SenderDigest(method string, header http.Header) (sum [32]byte) {
	h := sha256.New()
	digestParts(h, method)
	for _, name := range senderFields {
		digestParts(h, append([]string{name, strconv.Itoa(len(header[name]))}, header[name]...)...)
	}
	h.Sum(sum[:0])
	return sum
}

// senderFields are the fields that say who sends a request. Signatures are not among them: they often
// have a time in them, and a repetition would never be one.
var senderFields = []string{HeaderCallbackURL, "Authorization", "Cookie", "X-Api-Key"}

// digestParts adds strings to a digest so that no two lists of strings are the same to it.
func digestParts(h hash.Hash, parts ...string) {
	for _, part := range parts {
		var length [8]byte
		binary.BigEndian.PutUint64(length[:], uint64(len(part)))
		_, _ = h.Write(length[:]) // a hash takes everything
		_, _ = h.Write([]byte(part))
	}
}
