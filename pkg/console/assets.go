// File assets.go has the files that pages load from the worker. Their names have a hash of
// their content, so that a browser keeps them for good and a new version is loaded at once.

package console

import (
	"crypto/sha256"
	_ "embed"
	"encoding/hex"
	"strings"
)

// AssetPrefix is the beginning of the path of every asset.
const AssetPrefix = "/assets/"

// Asset is a file that a page loads.
type Asset struct {
	Path    string // below AssetPrefix, with a hash of Content
	Type    string
	Content []byte
}

var (
	//go:embed assets/console.css
	styleSheet []byte
	//go:embed assets/icon.svg
	icon []byte
)

// assets are the paths of all assets, for the templates.
var assets = struct{ CSS, Icon string }{assetPath("console.css", styleSheet), assetPath("icon.svg", icon)}

// Assets are all of them.
func Assets() []Asset {
	return []Asset{
		{assets.CSS, "text/css; charset=utf-8", styleSheet},
		{assets.Icon, "image/svg+xml", icon},
	}
}

// assetPath is the path of an asset.
func assetPath(name string, content []byte) string {
	base, ending, _ := strings.Cut(name, ".")
	sum := sha256.Sum256(content)
	return AssetPrefix + base + "." + hex.EncodeToString(sum[:6]) + "." + ending
}
