// File credentials.go reads user and password from flags, from the environment, or from
// the secret that OpenFaaS mounts. A password is never an argument, where every user on
// the machine can read it.

package command

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"net/url"
	"strings"

	"queue-worker/pkg/basicauth"
	"queue-worker/pkg/term"
)

const defaultMount = "/var/secrets/gateway"

// credentials finds user and password. Both are empty without credentials.
func (r *remote) credentials(server string) (user, password string, err error) {
	user = r.user
	if user == "" {
		user = r.e.get(envUser)
	}
	named := r.passwordStdin || r.passwordFile != "" || r.e.get(envPassword) != ""
	switch {
	case r.passwordStdin && r.passwordFile != "":
		return "", "", errors.New("--password-stdin and --password-file exclude each other")
	case r.secretDir != "" && (named && r.e.get(envPassword) == "" || r.user != ""):
		return "", "", errors.New("--secret-dir holds both user and password: leave the other flags out")
	case r.secretDir != "":
		return readSecret(r.e.drain, r.secretDir)
	case user == "" && (r.passwordStdin || r.passwordFile != ""):
		return "", "", errors.New("a password needs a --user, or " + envUser)
	case user != "" && named:
		password, err = r.password()
		return user, password, err
	case user != "":
		return "", "", fmt.Errorf("the user %s needs a password: --password-file, --password-stdin or %s", user, envPassword)
	}
	return r.mounted(server)
}

func (r *remote) password() (string, error) {
	switch {
	case r.passwordStdin:
		return basicauth.ReadValue(term.Until(r.e.drain, r.e.Stdin))
	case r.passwordFile != "":
		return readFile(r.e.drain, r.passwordFile)
	}
	return r.e.get(envPassword), nil
}

// mounted are the credentials of the secret, when there is one. What is not
// named is sent to this machine only.
func (r *remote) mounted(server string) (user, password string, err error) {
	dir := r.e.get("secret_mount_path")
	if dir == "" {
		if dir = defaultMount; !isLoopback(server) {
			return "", "", nil
		}
	}
	user, password, err = readSecret(r.e.drain, dir)
	if errors.Is(err, fs.ErrNotExist) {
		return "", "", nil
	}
	return user, password, err
}

// readSecret reads the folder of a secret, which has the credentials of the operator, or else
// those of the read-only account. It may have a pipe that gives nothing, which is
// waited for until ctx ends.
func readSecret(ctx context.Context, dir string) (user, password string, err error) {
	type result struct {
		basicauth.Credentials
		err error
	}
	read := make(chan result, 1)
	go func() { // ends when the files are read; the process does not wait for it
		c, err := basicauth.Read(dir)
		if errors.Is(err, fs.ErrNotExist) {
			if reader, other := basicauth.ReadReader(dir); other == nil {
				c, err = reader, nil
			}
		}
		read <- result{c, err}
	}()
	select {
	case <-ctx.Done():
		return "", "", context.Cause(ctx)
	case r := <-read:
		return r.User, r.Password, r.err
	}
}

func readFile(ctx context.Context, name string) (string, error) {
	f, err := openNamed(ctx, name)
	if err != nil {
		return "", err
	}
	defer func() { _ = f.Close() }()
	s, err := basicauth.ReadValue(f)
	if err != nil {
		return "", fmt.Errorf("%s: %w", name, err)
	}
	return s, nil
}

// isLoopback reports whether a server is on this machine.
func isLoopback(server string) bool {
	if !strings.Contains(server, "://") {
		server = "http://" + server
	}
	u, err := url.Parse(server)
	if err != nil {
		return false
	}
	addr, err := netip.ParseAddr(u.Hostname())
	return u.Hostname() == "localhost" || err == nil && addr.Unmap().IsLoopback()
}
