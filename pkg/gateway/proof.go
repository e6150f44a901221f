// File proof.go decides whether a 404 proves that there is no such function. What answers may be an ingress before the
// gateway that has no such path. So a 404 counts only from a gateway that has answered about another function, or that
// has accepted the credentials with which it was asked.

package gateway

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"sync"
	"time"
)

// proof is what is known of whether a gateway answers.
type proof struct {
	// name is the function about which it has answered last, other is another one.
	name, other     string
	nameAt, otherAt time.Time

	asking   sync.Mutex // held while the credentials are tried
	accepted time.Time  // when it accepted them last
	refused  time.Time  // or not
	said     bool       // that its 404 is no proof
}

// maxStart is how much is read of the list of functions: its beginning shows that it is one.
const maxStart = 512

// has notes that the gateway has a function.
func (f *Functions) has(name string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	p := &f.proof
	if p.name != name {
		p.other, p.otherAt = p.name, p.nameAt
	}
	p.name, p.nameAt = name, time.Now()
}

// proves reports whether a 404 about a function means that there is none.
func (f *Functions) proves(name string) bool {
	if f.hasAnother(name) || f.accepts() {
		return true
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.proof.said {
		f.proof.said = true
		f.log.Info("absence of functions not certain, their invocations are accepted",
			"hint", "Mount OpenFaaS's secret basic-auth at secret_mount_path, and check that gateway_url is the gateway itself.")
	}
	return false
}

// hasAnother reports whether the gateway has answered about another function lately.
func (f *Functions) hasAnother(name string) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	p := &f.proof
	if p.name != name {
		return time.Since(p.nameAt) < provenFor
	}
	return time.Since(p.otherAt) < provenFor
}

// accepts reports whether the gateway accepts the credentials. It asks for the list of functions, unless that was done
// lately.
func (f *Functions) accepts() bool {
	p := &f.proof
	p.asking.Lock()
	defer p.asking.Unlock()
	switch {
	case time.Since(p.accepted) < provenFor:
		return true
	case time.Since(p.refused) < awayFor:
		return false
	}
	ctx, cancel := context.WithTimeout(f.closed, askTimeout)
	defer cancel()
	status, body, named, err := f.send(ctx, f.list(), maxStart)
	if err == nil && named && status == http.StatusOK && isList(body) {
		p.accepted = time.Now()
		return true
	}
	p.refused = time.Now()
	return false
}

// isList reports whether an answer begins as the list of functions does.
func isList(body []byte) bool {
	body = bytes.TrimSpace(body)
	return bytes.HasPrefix(body, []byte("[")) || bytes.Equal(body, []byte("null"))
}

// isObject reports whether an answer is the status of a function and not a page of something else.
func isObject(body []byte) bool {
	return bytes.HasPrefix(bytes.TrimSpace(body), []byte("{")) && json.Valid(body)
}
