// File stan.go reads what publishers have to name to embedded NATS Streaming.

package config

import (
	"fmt"
	"io"
	"os"
	"strings"
	"unicode"
)

// maxCredentials is the longest credentials, in bytes.
const maxCredentials = 1024

// StanUser reads stan_credentials_file: a token, or user:password, on one line. Without
// a file there is none.
func (c *Config) StanUser() (string, error) {
	file := c.StanCredentials
	if file == "" {
		return "", nil
	}
	f, err := os.Open(file) // #nosec G304 -- the operator names it
	if err != nil {
		return "", fmt.Errorf("stan_credentials_file: %w", err)
	}
	defer func() { _ = f.Close() }()
	b, err := io.ReadAll(io.LimitReader(f, maxCredentials+1))
	if err != nil {
		return "", fmt.Errorf("stan_credentials_file: %w", err)
	}
	text := strings.TrimSpace(string(b))
	user, password, two := strings.Cut(text, ":")
	if len(b) > maxCredentials || user == "" || two && password == "" || strings.ContainsFunc(text, unicode.IsSpace) {
		return "", fmt.Errorf("stan_credentials_file: %s holds neither user:password nor a token, on one line", file)
	}
	return text, nil
}
