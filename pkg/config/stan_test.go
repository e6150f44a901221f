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
