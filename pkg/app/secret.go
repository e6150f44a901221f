// File secret.go reads the credentials for the gateway, which are those of OpenFaaS.

package app

import (
	"os"
	"sync"
	"time"

	"github.com/openfaas/faas-provider/auth"

	"queue-worker/pkg/descriptor"
)

// secretPeriod is how often the files of the secret are read, while there are requests:
// a mounted secret that changes is in use soon after.
const secretPeriod = 10 * time.Second

// secret reads user and password from a folder.
type secret struct {
	dir string

	mu   sync.Mutex
	read time.Time
	now  *auth.BasicAuthCredentials // nil: not there
}

// isExhausted reports whether no file can be opened just now. faas-provider does not say why it
// could not read.
func isExhausted(dir string) bool {
	f, err := os.Open(dir) // #nosec G304 -- secret_mount_path
	if err == nil {
		_ = f.Close() // nothing was written
	}
	return descriptor.Exhausted(err)
}

// credentials are what the files hold, at most secretPeriod old.
func (s *secret) credentials() (user, password string, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if now := time.Now(); s.read.IsZero() || now.Sub(s.read) >= secretPeriod {
		d := auth.ReadBasicAuthFromDisk{SecretMountPath: s.dir}
		found, err := d.Read()
		if err == nil || !isExhausted(s.dir) {
			s.read, s.now = now, found // nil after an error: without basic auth in OpenFaaS there are no files
		}
	}
	if s.now == nil {
		return "", "", false
	}
	return s.now.User, s.now.Password, true
}
