package gateway

// One question: GET <gateway>/system/function/<name>?namespace=<namespace>.

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
)

// answer asks, and keeps what came of it.
func (f *Functions) answer(name string) (bool, error) {
	// Who asks first may go away before the others do, so its context does not count.
	ctx, cancel := context.WithTimeout(context.Background(), askTimeout)
	defer cancel()
	select {
	case f.slots <- struct{}{}:
		defer func() { <-f.slots }()
	case <-ctx.Done():
		return false, ctx.Err()
	}
	status, err := f.status(ctx, name)
	f.note(name, status, err)
	switch {
	case err != nil:
		return false, err
	case status == http.StatusOK:
		return true, nil
	case status == http.StatusNotFound:
		return false, nil
	}
	return false, fmt.Errorf("the gateway answers %d", status)
}

// status is what the gateway answers about a function.
func (f *Functions) status(ctx context.Context, name string) (int, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, f.target(name), nil)
	if err != nil {
		return 0, err
	}
	req.Header.Set("User-Agent", "queue-worker/"+f.o.Version)
	if f.o.Credentials != nil {
		if user, password, ok := f.o.Credentials(); ok {
			req.SetBasicAuth(user, password)
		}
	}
	res, err := f.client.Do(req)
	if err != nil {
		return 0, err
	}
	defer func() { _ = res.Body.Close() }()
	_, _ = io.Copy(io.Discard, io.LimitReader(res.Body, maxBody)) // for the sake of the connection alone
	return res.StatusCode, nil
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
