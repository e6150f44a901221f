// Package client is the client of the HTTP surface of a queue-worker: dead letters, jobs,
// invocations, functions, health. It has one method for each operation, takes a context
// everywhere, and returns the JSON of an answer beside its decoded form.
//
// An answer with an error becomes an *Error. So does an answer that is not from a
// queue-worker: the page of a proxy, a cut stream, a redirect. Redirects are never
// followed, so credentials are sent only to the named server.
//
// Texts in what it returns are untrusted and may contain anything, control characters
// too: escape them before printing.
//
// The package reads no file and no environment, prints nothing, and repeats no request.
package client

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// The limits of the client.
const (
	// DefaultTimeout is how long an answer may take that does not wait for anything.
	DefaultTimeout = 30 * time.Second
	// idleTimeout is how long nothing may pass while a stream is read or written. The
	// server may look at a million letters before one passes a filter.
	idleTimeout = 5 * time.Minute
	// maxAnswer bounds an answer that is held in memory, in bytes. A letter with
	// its whole message is the largest one.
	maxAnswer = 256 << 20
	// maxProblem bounds what is read of an answer that is an error, in bytes.
	maxProblem = 1 << 20
)

// Options say where the server is, and with which credentials to query it.
type Options struct {
	// Server is its URL, such as http://127.0.0.1:8081. A path prefix is kept.
	Server string
	// User and Password are sent with every request, unless User is empty.
	User, Password string
	// Timeout bounds every request that neither waits nor streams; 0 is DefaultTimeout.
	Timeout time.Duration
	// Version is that of the program, for the User-Agent.
	Version string
}

// Client asks one server. It may be used by several goroutines.
type Client struct {
	base           *url.URL
	user, password string
	timeout        time.Duration
	idle           time.Duration
	agent          string
	http           *http.Client
}

// New checks the address and connects to nothing.
func New(o Options) (*Client, error) {
	base, err := parseServer(o.Server)
	if err != nil {
		return nil, err
	}
	if o.Timeout <= 0 {
		o.Timeout = DefaultTimeout
	}
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.DisableCompression = true // what was sent is what is counted
	return &Client{
		base: base, user: o.User, password: o.Password, timeout: o.Timeout, idle: idleTimeout,
		agent: "queue-worker/" + o.Version,
		http: &http.Client{
			Transport:     transport,
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
	}, nil
}

// Server is the URL that is asked, without credentials.
func (c *Client) Server() string { return c.base.String() }

// Close closes idle connections.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// errServer says what an address has to look like. It does not repeat what was
// given, which may hold a password.
var errServer = errors.New("the server has to be a URL such as http://127.0.0.1:8081")

func parseServer(s string) (*url.URL, error) {
	if !strings.Contains(s, "://") {
		s = "http://" + s
	}
	u, err := url.Parse(s)
	switch {
	case err != nil || u.Host == "" || u.Hostname() == "":
		return nil, errServer
	case u.Scheme != "http" && u.Scheme != "https":
		return nil, fmt.Errorf("%w: http or https, not %s", errServer, u.Scheme)
	case u.User != nil:
		return nil, fmt.Errorf("%w, without credentials in it: give them with --user and --password-file", errServer)
	case u.RawQuery != "" || u.Fragment != "":
		return nil, fmt.Errorf("%w, without query and fragment", errServer)
	}
	u.Path = strings.TrimRight(u.Path, "/")
	return u, nil
}
