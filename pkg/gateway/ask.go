// File ask.go queries one function: GET
// <gateway>/system/function/<name>?namespace=<namespace>.

package gateway

import (
	"context"
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"net/url"
	"strings"
	"time"

	"queue-worker/pkg/descriptor"
)

// inquire asks, and keeps what came of it. It is not ok when the gateway has not
// known whether there is such a function.
func (f *Functions) inquire(name string) (a answer, ok bool) {
	// The first of the waiting callers may go away before the others do, so its context does not count.
	ctx, cancel := context.WithTimeout(f.closed, askTimeout)
	defer cancel()
	select {
	case f.slots <- struct{}{}:
		defer func() { <-f.slots }()
	case <-ctx.Done():
		return answer{}, false
	}
	status, annotations, err := f.inform(ctx, name)
	if descriptor.Exhausted(err) {
		err = f.o.Descriptors.Await(ctx.Done(), err, func() (err error) {
			status, annotations, err = f.inform(ctx, name)
			return err
		})
		if ctx.Err() != nil {
			return answer{}, false // says nothing of the gateway
		}
	}
	a = answer{known: status == http.StatusOK, annotations: annotations, at: time.Now()}
	a.doubtful = status == http.StatusNotFound && !f.proves(name)
	f.note(name, a, status, err)
	return a, err == nil && (status == http.StatusOK || status == http.StatusNotFound)
}

// inform is what the gateway answers about a function.
func (f *Functions) inform(ctx context.Context, name string) (status int, annotations map[string]string, err error) {
	status, body, _, err := f.send(ctx, f.target(name), maxBody)
	if err != nil || status != http.StatusOK {
		return status, nil, err
	}
	if isObject(body) {
		f.has(name)
	}
	return status, f.annotations(body), nil
}

// send sends a question, and reads as much of the answer. named reports whether it had credentials.
func (f *Functions) send(ctx context.Context, target string, most int64) (status int, body []byte, named bool, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, target, nil)
	if err != nil {
		return 0, nil, false, err
	}
	req.Header.Set("User-Agent", "queue-worker/"+f.o.Version)
	if f.o.Credentials != nil {
		c, err := f.o.Credentials()
		if named = err == nil; named {
			req.SetBasicAuth(c.User, c.Password)
		}
	}
	res, err := f.client.Do(req)
	if err != nil {
		return 0, nil, named, err
	}
	defer func() { _ = res.Body.Close() }()
	body, err = io.ReadAll(io.LimitReader(res.Body, most))
	return res.StatusCode, body, named, err
}

// annotations are those of a function's status that are used here. Of an
// answer that is no status, or too long to be one, there are none: that a function is
// there does not depend on it.
func (f *Functions) annotations(body []byte) map[string]string {
	var s struct {
		Annotations map[string]string `json:"annotations"`
	}
	if json.Unmarshal(body, &s) != nil {
		return nil
	}
	maps.DeleteFunc(s.Annotations, func(key, _ string) bool { return !f.o.Concerns(key) })
	for key, value := range s.Annotations {
		s.Annotations[key] = strings.Clone(value[:min(len(value), maxValue)]) // and let go of the answer
	}
	if len(s.Annotations) == 0 {
		return nil
	}
	return s.Annotations
}

// target is where a function is asked about. Its name holds nothing that a path
// would have to escape.
func (f *Functions) target(name string) string {
	short, namespace := name, f.o.Names.DefaultNamespace
	if i := strings.LastIndexByte(name, '.'); i > 0 {
		short, namespace = name[:i], name[i+1:]
	}
	u := f.o.URL.JoinPath("system", "function", short)
	u.RawQuery = url.Values{"namespace": {namespace}}.Encode()
	return u.String()
}
