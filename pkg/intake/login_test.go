package intake

// What the worker presents to a NATS Streaming server that asks for credentials, and that encrypts. The files are
// read as the program reads them, by pkg/config.

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	natsserver "github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"

	"queue-worker/pkg/config"
)

// secret is in all passwords and tokens of these tests.
const secret = "C4N4RY"

// secured is a server, the options with which any client may connect, and files for the worker.
type secured struct {
	*stanServer
	client []nats.Option
	dir    string
}

// file is the path of a file of the worker.
func (s *secured) file(name string) string { return filepath.Join(s.dir, name) }

// startSecured opens a server that encrypts and asks for a client certificate and for user and password.
func startSecured(t *testing.T) *secured {
	t.Helper()
	ca, other := newAuthority(t), newAuthority(t)
	server, client := ca.issue(t, "nats"), ca.issue(t, "worker")
	pair, err := tls.X509KeyPair(server.cert, server.key)
	if err != nil {
		t.Fatal(err)
	}
	own, err := tls.X509KeyPair(client.cert, client.key)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AddCert(ca.cert)
	s := &secured{dir: t.TempDir()}
	s.client = []nats.Option{
		nats.UserInfo("worker", secret), nats.Secure(&tls.Config{RootCAs: roots, Certificates: []tls.Certificate{own}, MinVersion: tls.VersionTLS12}),
	}
	s.stanServer = startWith(t, &natsserver.Options{
		Host: "127.0.0.1", Port: natsserver.RANDOM_PORT, Username: "worker", Password: secret, TLS: true, TLSVerify: true, TLSTimeout: 5,
		TLSConfig: &tls.Config{Certificates: []tls.Certificate{pair}, ClientCAs: roots, ClientAuth: tls.RequireAndVerifyClientCert, MinVersion: tls.VersionTLS12},
	}, "", nil, s.client...)
	stranger := other.issue(t, "worker")
	for name, content := range map[string][]byte{
		"ca": ca.pem(), "other-ca": other.pem(), "cert": client.cert, "key": client.key, "other-cert": stranger.cert, "other-key": stranger.key,
		"login": []byte("worker:" + secret + "\n"), "wrong": []byte("worker:" + secret + "x"), "token": []byte(secret), "empty": nil,
	} {
		if err := os.WriteFile(s.file(name), content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return s
}

// login is that of a worker with these settings, whose values are names of files.
func (s *secured) login(t *testing.T, settings string) Login {
	t.Helper()
	var environ []string
	for _, f := range strings.Fields(settings) {
		name, file, _ := strings.Cut(f, "=")
		environ = append(environ, name+"="+s.file(file))
	}
	c, err := config.Load(environ)
	if err != nil {
		t.Fatal(err)
	}
	return Login{Credentials: c.StanUser, TLS: c.StanTLS}
}

const right = "stan_credentials_file=login stan_ca_file=ca stan_cert_file=cert stan_key_file=key"

func TestAServerThatAsksForEverythingIsRead(t *testing.T) {
	t.Parallel()
	s := startSecured(t)
	r := run(t, newRecorder(t, true), s.URL(), func(o *Options) { o.Login = s.login(t, right) })
	publish(t, publisher(t, s.URL(), s.client...), channel, []byte(`{"Header":{"X-Call-Id":["a"]},"Function":"figlet","Body":"aGVsbG8="}`))
	r.store.once(t, "a")
	if server, err := Probe(t.Context(), s.URL(), cluster, "h", s.login(t, right)); err != nil || !server.Encrypted {
		t.Errorf("got %+v %v, want an encrypted server", server, err)
	}
	r.close(t)
	if text := r.log.String(); strings.Contains(text, secret) {
		t.Errorf("got a log with the password, want none:\n%s", text)
	}
}

func TestWhatAServerRefusesIsSaid(t *testing.T) {
	t.Parallel()
	s := startSecured(t)
	for name, tt := range map[string]struct{ settings, want string }{
		"nothing":                       {"", "name its CA in stan_ca_file"},
		"another CA":                    {"stan_credentials_file=login stan_ca_file=other-ca stan_cert_file=cert stan_key_file=key", "name its CA in stan_ca_file"},
		"no client certificate":         {"stan_credentials_file=login stan_ca_file=ca", "check stan_cert_file and stan_key_file"},
		"a stranger's certificate":      {"stan_credentials_file=login stan_ca_file=ca stan_cert_file=other-cert stan_key_file=other-key", "check stan_cert_file and stan_key_file"},
		"a key of another certificate":  {"stan_credentials_file=login stan_ca_file=ca stan_cert_file=cert stan_key_file=other-key", "stan_cert_file and stan_key_file are no pair"},
		"no credentials":                {"stan_ca_file=ca stan_cert_file=cert stan_key_file=key", "check stan_credentials_file"},
		"a wrong password":              {"stan_credentials_file=wrong stan_ca_file=ca stan_cert_file=cert stan_key_file=key", "check stan_credentials_file"},
		"a token in place of a user":    {"stan_credentials_file=token stan_ca_file=ca stan_cert_file=cert stan_key_file=key", "check stan_credentials_file"},
		"a file without credentials":    {"stan_credentials_file=empty stan_ca_file=ca stan_cert_file=cert stan_key_file=key", "stan_credentials_file: "},
		"a file of credentials missing": {"stan_credentials_file=none-here", "stan_credentials_file: "},
		"a CA that is no certificate":   {"stan_ca_file=login", "stan_ca_file: "},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := start(t, newRecorder(t, true), s.URL(), func(o *Options) { o.Login = s.login(t, tt.settings) })
			r.until(t, "an error that says "+tt.want, func() bool { err := r.Ready(); return err != nil && strings.Contains(err.Error(), tt.want) })
			if _, err := Probe(t.Context(), s.URL(), cluster, "h", s.login(t, tt.settings)); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("the probe says %v, want %q", err, tt.want)
			}
			r.until(t, "a line of the log", func() bool { return strings.Contains(r.log.String(), "cannot connect to NATS Streaming") })
			if text := r.log.String(); strings.Contains(text, secret) {
				t.Errorf("got a log with the password, want none:\n%s", text)
			}
		})
	}
}

// TestCredentialsAreReadForEachConnection: a mounted secret may be exchanged at any time.
func TestCredentialsAreReadForEachConnection(t *testing.T) {
	t.Parallel()
	s := startSecured(t)
	if err := os.Rename(s.file("login"), s.file("later")); err != nil {
		t.Fatal(err)
	}
	r := start(t, newRecorder(t, true), s.URL(), func(o *Options) { o.Login = s.login(t, right) })
	r.until(t, "an error that names the file", func() bool {
		err := r.Ready()
		return err != nil && strings.Contains(err.Error(), "stan_credentials_file")
	})
	if err := os.Rename(s.file("later"), s.file("login")); err != nil {
		t.Fatal(err)
	}
	r.until(t, "a connection", r.Connected)
}

func TestATokenIsPresented(t *testing.T) {
	t.Parallel()
	for _, asked := range []bool{true, false} {
		o := &natsserver.Options{Host: "127.0.0.1", Port: natsserver.RANDOM_PORT}
		var own []nats.Option
		if asked {
			o.Authorization, own = secret, []nats.Option{nats.Token(secret)}
		}
		s := &secured{stanServer: startWith(t, o, "", slog.New(slog.DiscardHandler), own...), dir: t.TempDir()}
		if err := os.WriteFile(s.file("token"), []byte(secret), 0o600); err != nil {
			t.Fatal(err)
		}
		if server, err := Probe(context.Background(), s.URL(), cluster, "h", s.login(t, "stan_credentials_file=token")); err != nil || server.Encrypted {
			t.Errorf("asked for a token %t: got %+v %v, want a server that does not encrypt", asked, server, err)
		}
	}
}

// TestAServerThatDoesNotEncryptIsRefused: with a CA the credentials never travel unencrypted.
func TestAServerThatDoesNotEncryptIsRefused(t *testing.T) {
	t.Parallel()
	s := startSecured(t)
	plain := startNATS(t, "", "")
	_, err := Probe(t.Context(), plain.URL(), cluster, "h", s.login(t, "stan_ca_file=ca"))
	if want := "the server does not encrypt"; err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("got %v, want %q", err, want)
	}
}
