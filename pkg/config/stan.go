// File stan.go reads the files that a connection to NATS Streaming needs.

package config

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"unicode"
)

const (
	// maxCredentials is the longest credentials, in bytes.
	maxCredentials = 1024
	// maxPEM bounds a file of certificates: those of all public authorities have a quarter.
	maxPEM = 1 << 20
)

// StanUser reads stan_credentials_file: a token, or user:password, on one line. Without
// a file there is none. An error names the file and shows nothing of its content.
func (c *Config) StanUser() (string, error) {
	file := c.StanCredentials
	if file == "" {
		return "", nil
	}
	b, err := readBounded(file, maxCredentials)
	if err != nil {
		return "", fmt.Errorf("stan_credentials_file: %w", err)
	}
	text := strings.TrimSpace(string(b))
	user, password, two := strings.Cut(text, ":")
	if user == "" || two && password == "" || strings.ContainsFunc(text, unicode.IsSpace) {
		return "", fmt.Errorf("stan_credentials_file: %s holds neither user:password nor a token, on one line", file)
	}
	return text, nil
}

// StanTLS reads stan_ca_file, stan_cert_file and stan_key_file. Without any of them it is nil:
// the server decides whether the connection is encrypted.
func (c *Config) StanTLS() (*tls.Config, error) {
	if c.StanCA == "" && c.StanCert == "" {
		return nil, nil //nolint:nilnil // no configuration is a valid one
	}
	t := &tls.Config{MinVersion: tls.VersionTLS12}
	if c.StanCA != "" {
		roots, err := readRoots(c.StanCA)
		if err != nil {
			return nil, fmt.Errorf("stan_ca_file: %w", err)
		}
		t.RootCAs = roots
	}
	if c.StanCert != "" {
		pair, err := readPair(c.StanCert, c.StanKey)
		if err != nil {
			return nil, err
		}
		t.Certificates = []tls.Certificate{pair}
	}
	return t, nil
}

func readRoots(file string) (*x509.CertPool, error) {
	b, err := readBounded(file, maxPEM)
	if err != nil {
		return nil, err
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(b) {
		return nil, fmt.Errorf("%s holds no certificate in PEM", file)
	}
	return roots, nil
}

func readPair(cert, key string) (tls.Certificate, error) {
	certs, err := readBounded(cert, maxPEM)
	if err != nil {
		return tls.Certificate{}, fmt.Errorf("stan_cert_file: %w", err)
	}
	keys, err := readBounded(key, maxPEM)
	if err != nil {
		return tls.Certificate{}, fmt.Errorf("stan_key_file: %w", err)
	}
	pair, err := tls.X509KeyPair(certs, keys)
	if err != nil {
		return tls.Certificate{}, fmt.Errorf("stan_cert_file and stan_key_file are no pair in PEM: %w", err)
	}
	return pair, nil
}

var errLarge = errors.New("it is too large")

// readBounded reads a file of at most that many bytes.
func readBounded(file string, most int64) ([]byte, error) {
	f, err := os.Open(file) // #nosec G304 -- the operator names it
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	b, err := io.ReadAll(io.LimitReader(f, most+1))
	if err != nil {
		return nil, err
	}
	if int64(len(b)) > most {
		return nil, fmt.Errorf("%s: %w, want at most %d bytes", file, errLarge, most)
	}
	return b, nil
}
