package app

// The credentials for the gateway, which are those of OpenFaaS.

import (
	"sync"
	"time"

	"github.com/openfaas/faas-provider/auth"
)

// secretPeriod is how often the files of the secret are read, when anybody asks:
// a mounted secret that changes is in use soon after.
const secretPeriod = 10 * time.Second

// secret reads user and password from a folder.
type secret struct {
	dir string

	mu   sync.Mutex
	read time.Time
	now  *auth.BasicAuthCredentials // nil: not there
}

// credentials are what the files hold, at most secretPeriod old.
func (s *secret) credentials() (user, password string, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if now := time.Now(); s.read.IsZero() || now.Sub(s.read) >= secretPeriod {
		s.read = now
		d := auth.ReadBasicAuthFromDisk{SecretMountPath: s.dir}
		var err error
		if s.now, err = d.Read(); err != nil {
			s.now = nil // without basic auth in OpenFaaS there are no files
		}
	}
	if s.now == nil {
		return "", "", false
	}
	return s.now.User, s.now.Password, true
}
