//go:build unix

package doctor

import "syscall"

// openFiles is how many files this process may have open, 0 when that cannot be
// told. The Go runtime has raised the soft limit to the hard one at the start.
func openFiles() int64 {
	var l syscall.Rlimit
	if syscall.Getrlimit(syscall.RLIMIT_NOFILE, &l) != nil {
		return 0
	}
	return int64(min(uint64(l.Cur), 1<<62)) // #nosec G115 -- bounded
}
