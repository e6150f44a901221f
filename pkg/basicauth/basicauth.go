// Package basicauth reads user and password from the secret basic-auth of OpenFaaS, which
// is mounted as a folder with a file for each. The folder may have a second pair, of the
// read-only account.
//
// Read reads a pair once. A Folder reads them again when the files change, since a mounted
// secret may be exchanged at any time.
//
// It compares no passwords and logs nothing.
package basicauth

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
)

// Files of the secret, and of the read-only account.
const (
	UserFile         = "basic-auth-user"
	PasswordFile     = "basic-auth-password" // #nosec G101 -- the name of a file
	ReadUserFile     = "basic-auth-read-user"
	ReadPasswordFile = "basic-auth-read-password" // #nosec G101 -- the name of a file
)

// pair names the files of a user and a password.
type pair struct{ user, password string }

var (
	ofOperator = pair{UserFile, PasswordFile}
	ofReader   = pair{ReadUserFile, ReadPasswordFile}
)

// maxBytes bounds what is read of a file that should hold a user or a password.
const maxBytes = 64 << 10

// ErrEmpty is returned for a file with nothing but white space.
var ErrEmpty = errors.New("it is empty")

// Credentials are a user and a password.
type Credentials struct{ User, Password string }

// Read reads both files of a folder. The error names the file, and wraps fs.ErrNotExist
// when it is missing.
func Read(dir string) (Credentials, error) { return ofOperator.read(dir) }

// ReadReader is Read for the read-only account.
func ReadReader(dir string) (Credentials, error) { return ofReader.read(dir) }

func (p pair) read(dir string) (Credentials, error) {
	user, err := readFile(filepath.Join(dir, p.user))
	if err != nil {
		return Credentials{}, err
	}
	password, err := readFile(filepath.Join(dir, p.password))
	if err != nil {
		return Credentials{}, err
	}
	return Credentials{user, password}, nil
}

func readFile(name string) (string, error) {
	f, err := os.Open(name) // #nosec G304 -- the operator names the folder
	if err != nil {
		return "", err
	}
	defer func() { _ = f.Close() }() // nothing was written
	text, err := ReadValue(f)
	if err != nil {
		return "", fmt.Errorf("%s: %w", name, err)
	}
	return text, nil
}

// ReadValue reads a user or a password to the end, without the white space around it that
// editors add.
func ReadValue(r io.Reader) (string, error) {
	b, err := io.ReadAll(io.LimitReader(r, maxBytes+1))
	if err != nil {
		return "", err
	}
	if len(b) > maxBytes {
		return "", fmt.Errorf("more than %d bytes", maxBytes)
	}
	text := strings.TrimSpace(string(b))
	if text == "" {
		return "", ErrEmpty
	}
	return text, nil
}
