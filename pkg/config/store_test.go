package config

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestStoreURLIsCheckedBeforeTheStart(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		vars []string
		want string // in the problem; "" for none
	}{
		"a URL":                   {[]string{"store_url=postgres://queue-worker@postgres:5432/queue"}, ""},
		"several hosts":           {[]string{"store_url=postgresql://qw@a:5432,b:5432/queue?sslmode=verify-full"}, ""},
		"a file":                  {[]string{"store_url_file=/run/secrets/url"}, ""},
		"another scheme":          {[]string{"store_url=mysql://qw@db/queue"}, "expected none, or a URL such as postgres://"},
		"no database":             {[]string{"store_url=postgres://qw@db"}, "expected none, or a URL such as postgres://"},
		"a password":              {[]string{"store_url=postgres://qw:s3cret@db/queue"}, "set store_url_file to its path"},
		"a password as parameter": {[]string{"store_url=postgres://qw@db/queue?sslmode=require&password=s3cret"}, "set store_url_file to its path"},
		"a password with an @":    {[]string{"store_url=postgres://qw:s3@cret@db/queue"}, "set store_url_file to its path"},
		"both":                    {[]string{"store_url=postgres://qw@db/queue", "store_url_file=/url"}, "nothing beside store_url_file"},
		"with data_dir":           {[]string{"store_url=postgres://qw@db/queue", "data_dir=/data"}, "invocations are stored in one place"},
		"with stan_embedded":      {[]string{"store_url_file=/url", "stan_embedded=true"}, "false beside store_url"},
	} {
		_, err := Load(tt.vars)
		switch {
		case tt.want == "" && err != nil:
			t.Errorf("%s: got %v, want no problem", name, err)
		case tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)):
			t.Errorf("%s: got %v, want a problem with %q", name, err, tt.want)
		}
		if err != nil && strings.Contains(err.Error(), "cret") {
			t.Errorf("%s: got %v, want no password in it", name, err)
		}
	}
}

func TestStoreURLFileHoldsThePassword(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "url")
	c := Config{StoreURLFile: file}
	if _, err := c.StoreAddress(); err == nil || !strings.Contains(err.Error(), "store_url_file") {
		t.Errorf("a missing file: got %v, want an error with the setting", err)
	}
	for content, ok := range map[string]bool{"postgres://qw:s3cret@db/queue\n": true, "": false, "s3cret": false, "postgres://qw:s3cret@db/a b": false} {
		if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		got, err := c.StoreAddress()
		if (err == nil) != ok {
			t.Errorf("%q: got %v, want valid %v", content, err, ok)
		}
		if ok && got != strings.TrimSpace(content) {
			t.Errorf("address: got %q, want %q", got, content)
		}
		if err != nil && strings.Contains(err.Error(), "s3cret") {
			t.Errorf("error: got %v, want nothing of the content", err)
		}
	}
}
