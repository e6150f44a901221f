// File store.go checks the settings of a store on PostgreSQL, and reads its file.

package config

import (
	"errors"
	"fmt"
	"os"
	"strings"
)

// IsShared reports whether the store is on a server.
func (c *Config) IsShared() bool { return c.StoreURL != "" || c.StoreURLFile != "" }

// IsDurable reports whether what is stored outlives the process.
func (c *Config) IsDurable() bool { return c.DataDir != "" || c.IsShared() }

// maxStoreURL bounds a URL, in bytes.
const maxStoreURL = 4096

// StoreAddress is store_url, or what store_url_file holds. An error names the file and shows nothing
// of its content.
func (c *Config) StoreAddress() (string, error) {
	if c.StoreURLFile == "" {
		return c.StoreURL, nil
	}
	b, err := readBounded(c.StoreURLFile, maxStoreURL)
	if err != nil {
		return "", fmt.Errorf("store_url_file: %w", err)
	}
	text := strings.TrimSpace(string(b))
	if !isDatabase(text) {
		return "", fmt.Errorf("store_url_file: %s holds no URL such as postgres://queue-worker:password@postgres:5432/queue, on one line", c.StoreURLFile)
	}
	return text, nil
}

// DatabaseOf is the URL of a database that place is, without a password, or that the file place holds.
// False for any other place, such as a folder or nothing.
func DatabaseOf(place string) (url string, is bool, err error) {
	if strings.Contains(place, "://") {
		switch {
		case !isDatabase(place):
			return "", true, errors.New("expected a URL such as postgres://queue-worker@postgres:5432/queue")
		case hasPassword(place):
			return "", true, errors.New("expected no password in the URL, since commands are shown in many places: write the URL with the password into a file, and give its path")
		}
		return place, true, nil
	}
	if info, err := os.Stat(place); err != nil || info.IsDir() {
		return "", false, nil //nolint:nilerr // it is a folder that may be to be made
	}
	url, err = (&Config{StoreURLFile: place}).StoreAddress()
	if err != nil {
		return "", true, fmt.Errorf("%s: expected a folder, or a file that holds a URL such as postgres://queue-worker:password@postgres:5432/queue", place)
	}
	return url, true, nil
}

// isDatabase accepts the URL of a database. Its hosts may be several, with commas between them.
func isDatabase(text string) bool {
	rest, ok := strings.CutPrefix(text, "postgres://")
	if !ok {
		rest, ok = strings.CutPrefix(text, "postgresql://")
	}
	place, _, _ := strings.Cut(rest, "?")
	_, database, _ := strings.Cut(place[strings.LastIndexByte(place, '@')+1:], "/")
	return ok && database != "" && !strings.ContainsAny(text, " \t\r\n\x00")
}

// hasPassword reports whether a URL of a database has a password before the host, or as a parameter.
func hasPassword(text string) bool {
	place, query, _ := strings.Cut(text, "?")
	_, place, _ = strings.Cut(place, "://")
	user := place[:max(strings.LastIndexByte(place, '@'), 0)]
	return strings.Contains(user, ":") || strings.Contains("&"+strings.ToLower(query), "&password=") || strings.Contains("&"+query, "&sslpassword=")
}

// checkStore reports two stores at once, and what a store on a server excludes.
func (l *loader) checkStore() {
	c := l.config
	if l.right("store_url") && hasPassword(c.StoreURL) {
		l.report("store_url", c.StoreURL, "no password in it, since settings are shown in many places: write the URL with the password into a file, and set store_url_file to its path")
	}
	if l.right("store_url", "store_url_file") && c.StoreURL != "" && c.StoreURLFile != "" {
		l.report("store_url", c.StoreURL, "nothing beside store_url_file, which has the URL")
	}
	if !l.right("data_dir", "store_url", "store_url_file") || !c.IsShared() {
		return
	}
	if c.DataDir != "" {
		l.report("data_dir", c.DataDir, "nothing beside store_url or store_url_file: invocations are stored in one place, and what is in the folder would not be called")
	}
	if c.StanEmbedded {
		l.report("stan_embedded", "true", "false beside store_url or store_url_file: the embedded server keeps what it has confirmed to publishers below data_dir; let it be a server of its own, or use HTTP")
	}
}
