// File login.go says how the worker presents itself to a NATS Streaming server.

package intake

import (
	"crypto/tls"
	"strings"

	"github.com/nats-io/nats.go"
)

// Login reads what a connection has to present. Both are called for each connection, since mounted
// secrets may be exchanged at any time. The zero value presents nothing.
type Login struct {
	// Credentials are a token, or user:password; empty: none.
	Credentials func() (string, error)
	// TLS is nil where the server decides whether the connection is encrypted.
	TLS func() (*tls.Config, error)
}

// options are those of a connection. Credentials are no part of the URL, which is logged.
func (l Login) options() ([]nats.Option, error) {
	var opts []nats.Option
	if l.TLS != nil {
		config, err := l.TLS()
		if err != nil {
			return nil, err
		}
		if config != nil {
			opts = append(opts, nats.Secure(config))
		}
	}
	if l.Credentials == nil {
		return opts, nil
	}
	credentials, err := l.Credentials()
	if err != nil || credentials == "" {
		return opts, err
	}
	if user, password, two := strings.Cut(credentials, ":"); two {
		return append(opts, nats.UserInfo(user, password)), nil
	}
	return append(opts, nats.Token(credentials)), nil
}
