//go:build unix

package descriptor

import "syscall"

// Limit returns how many descriptors this process may have open, or 0 when that is unknown. The
// Go runtime raised the soft limit to the hard limit at start, so this is the limit in force.
func Limit() int64 {
	var l syscall.Rlimit
	if syscall.Getrlimit(syscall.RLIMIT_NOFILE, &l) != nil {
		return 0
	}
	return int64(min(uint64(l.Cur), 1<<62)) //nolint:unconvert // signed on some systems; #nosec G115 -- bounded
}
