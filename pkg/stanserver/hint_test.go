package stanserver

import (
	"errors"
	"fmt"
	"strings"
	"syscall"
	"testing"
)

// TestAHintFitsTheErrorOfTheFiles: files that are whole are never said to be damaged.
func TestAHintFitsTheErrorOfTheFiles(t *testing.T) {
	tests := []struct {
		err  error
		want string
	}{
		{syscall.EACCES, "own the folder"},
		{syscall.EPERM, "own the folder"},
		{syscall.ENOSPC, "free space"},
		{syscall.EDQUOT, "quota"},
		{syscall.EROFS, "for writing"},
		{syscall.EMFILE, "open files"},
		{syscall.ENFILE, "file-max"},
		{syscall.EIO, "look at the disk"},
		{errors.New("unexpected EOF"), "its files are damaged"},
	}
	for _, tt := range tests {
		text := fmt.Errorf("unable to recover: %s", tt.err)
		if got := hintOf(text); !strings.Contains(got, tt.want) {
			t.Errorf("for %q the hint is %q, want one with %q", text, got, tt.want)
		}
	}
}
