package config

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestCredentialsAreOneLineOfAFile(t *testing.T) {
	t.Parallel()
	for content, want := range map[string]string{
		"publisher:s3cret\n": "publisher:s3cret", "a-token": "a-token", "a:b:c\r\n": "a:b:c",
		"": "", "\n": "", ":x": "", "x:": "", "a b": "", "a\nb": "", strings.Repeat("x", 2000): "",
	} {
		file := filepath.Join(t.TempDir(), "credentials")
		if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		got, err := (&Config{StanCredentials: file}).StanUser()
		switch {
		case got != want:
			t.Errorf("%.20q is read as %q (%v): got = %q, want %q", content, got, err, got, want)
		case (err == nil) != (want != ""):
			t.Errorf("%.20q is read as %q (%v): err == nil = %v, want %v", content, got, err, err == nil, want != "")
		}
		if err != nil && (!strings.Contains(err.Error(), "stan_credentials_file") || len(content) > 2 && strings.Contains(err.Error(), content)) {
			t.Errorf("the error is %v", err)
		}
	}
	if _, err := (&Config{StanCredentials: filepath.Join(t.TempDir(), "none")}).StanUser(); err == nil {
		t.Errorf("a file that is not there is no error: err = %v, want an error", err)
	}
	switch got, err := (&Config{}).StanUser(); {
	case got != "":
		t.Errorf("without a file there is %q (%v): got = %q, want \"\"", got, err, got)
	case err != nil:
		t.Errorf("without a file there is %q (%v): err = %v, want nil", got, err, err)
	}
}

func TestACertificateComesWithItsKey(t *testing.T) {
	t.Parallel()
	for environ, want := range map[string]string{
		"stan_cert_file=/crt": "stan_cert_file=\"/crt\": expected stan_key_file beside it",
		"stan_key_file=/key":  "stan_key_file=\"/key\": expected stan_cert_file beside it",
	} {
		if _, err := Load([]string{environ}); err == nil || err.Error() != want {
			t.Errorf("%s: got %v, want %q", environ, err, want)
		}
	}
}

func TestWithoutFilesTheServerDecidesOnTLS(t *testing.T) {
	t.Parallel()
	if got, err := (&Config{}).StanTLS(); got != nil || err != nil {
		t.Errorf("got %v %v, want nothing", got, err)
	}
}

// TestAFileOfTheConnectionIsBounded: an error names the setting, and a file without end is not read to its end.
func TestAFileOfTheConnectionIsBounded(t *testing.T) {
	t.Parallel()
	for setting, c := range map[string]*Config{
		"stan_ca_file":   {StanCA: "/dev/zero"},
		"stan_cert_file": {StanCert: "/dev/zero", StanKey: "/dev/zero"},
	} {
		if _, err := c.StanTLS(); err == nil || !strings.Contains(err.Error(), setting+": ") || !strings.Contains(err.Error(), "too large") {
			t.Errorf("got %v, want that the file of %s is too large", err, setting)
		}
	}
	if _, err := (&Config{StanCredentials: "/dev/zero"}).StanUser(); err == nil || !strings.Contains(err.Error(), "too large") {
		t.Errorf("got %v, want that the file of the credentials is too large", err)
	}
}
