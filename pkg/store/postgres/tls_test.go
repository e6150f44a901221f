package postgres

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"queue-worker/internal/pgtest"
)

// authority signs certificates of servers.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	file string // its certificate in PEM
}

func newKey(t *testing.T) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func newAuthority(t *testing.T) *authority {
	t.Helper()
	a := &authority{key: newKey(t), file: filepath.Join(t.TempDir(), "ca.crt")}
	a.cert = &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "CA"}, NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	if err := os.WriteFile(a.file, a.sign(t, a.cert, a.key), 0o600); err != nil {
		t.Fatal(err)
	}
	return a
}

// sign makes a certificate in PEM.
func (a *authority) sign(t *testing.T, c *x509.Certificate, key *ecdsa.PrivateKey) []byte {
	t.Helper()
	der, err := x509.CreateCertificate(rand.Reader, c, a.cert, &key.PublicKey, a.key)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
}

// encrypted starts a server with a certificate for localhost.
func encrypted(t *testing.T, a *authority) *pgtest.Server {
	t.Helper()
	server, err := pgtest.Start("fsync=off")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Stop)
	key := newKey(t)
	der, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	files := map[string][]byte{
		"ssl_cert_file": a.sign(t, &x509.Certificate{SerialNumber: big.NewInt(2), DNSNames: []string{"localhost"}, NotAfter: time.Now().Add(time.Hour)}, key),
		"ssl_key_file":  pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: der}),
	}
	for setting, content := range files {
		path, err := server.Put(setting, content)
		if err != nil {
			t.Fatal(err)
		}
		query(t, server, "postgres", fmt.Sprintf("ALTER SYSTEM SET %s = '%s'", setting, path))
	}
	query(t, server, "postgres", "ALTER SYSTEM SET ssl = on", "SELECT pg_reload_conf()", "CREATE DATABASE queue")
	return server
}

func TestTheCertificateOfTheServerIsChecked(t *testing.T) {
	t.Parallel()
	ours, other := newAuthority(t), newAuthority(t)
	server := encrypted(t, ours)
	url := func(host, root string) string {
		return fmt.Sprintf("postgres://postgres@%s:%d/queue?sslmode=verify-full&sslrootcert=%s", host, server.Port(), root)
	}
	s := opened(t, url("localhost", ours.file))
	accepted(t, s)
	if facts, err := Inspect(t.Context(), url("localhost", ours.file)); err != nil || !facts.Encrypted {
		t.Errorf("inspect: got %+v, %v, want an encrypted connection", facts, err)
	}
	for name, tt := range map[string]struct{ url, want string }{
		"another CA":   {url("localhost", other.file), "certificate signed by unknown authority"},
		"another name": {url("127.0.0.1", ours.file), "cannot validate certificate for 127.0.0.1"},
	} {
		if _, err := Inspect(t.Context(), tt.url); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: got %v, want %q", name, err, tt.want)
		}
	}
}
