//go:build !unix

package embedded

import "github.com/cockroachdb/pebble/v2/vfs"

// mapFile maps nothing: in-flight markers are written with a system call each.
func mapFile(vfs.File, int) []byte { return nil }

func unmapFile([]byte) error { return nil }

func writeMapped([]byte, int, []byte) bool { return false }
