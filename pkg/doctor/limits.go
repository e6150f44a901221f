// File limits.go checks the limits of the process: open files and memory.

package doctor

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"strings"

	"queue-worker/pkg/descriptor"
)

func (e *examiner) limits(context.Context) []Finding {
	return []Finding{e.files(descriptor.Limit()), e.memory(memoryLimit(os.ReadFile))}
}

// files compares the limit of open files with what the worker may need, and says how
// many connections that leaves to its listeners.
func (e *examiner) files(limit int64) Finding {
	const check = "limits"
	shares := descriptor.Divide(limit, e.Config.Descriptors())
	text := fmt.Sprintf("%d open files are allowed, max_inflight=%d may need %d; callers have %d connections",
		limit, e.Config.MaxInflight, shares.Needed, shares.Callers)
	if shares.Publishers > 0 {
		text += fmt.Sprintf(", publishers %d", shares.Publishers)
	}
	switch {
	case limit <= 0:
		return look(check, "Compare it with max_inflight.", "the limit of open files is unknown")
	case limit < shares.Needed:
		return wrong(check, "Raise it (ulimit -n, LimitNOFILE), or lower max_inflight.", "%s", text)
	}
	return fine(check, "%s", text)
}

// What a worker needs whatever its calls carry, in bytes: at least, and at most. The
// chart computes its limit from the same figures.
const (
	leastMemory    = 128 << 20
	baseMemory     = 256 << 20
	answerMemory   = 128 << 10 // of each call's answer, beside max_response_memory
	storedMemory   = 32 << 20  // part of max_response_memory, for answers that are stored or sent; more for those above 10 MiB
	arrivingMemory = 64 << 20  // part of baseMemory, for bodies on their way in; more for those above 8 MiB
)

// memory compares the limit of memory with the largest bodies and answers that all
// calls could have at a time.
func (e *examiner) memory(limit int64) Finding {
	const check = "limits"
	c := e.Config
	need := baseMemory + int64(c.MaxInflight)*(c.MaxRequestBytes*4/3+answerMemory) + // requests are stored in base64
		c.MaxResponseMemory + max(0, 3*c.MaxResponseBytes-storedMemory) + max(0, 8*c.MaxRequestBytes-arrivingMemory)
	text := fmt.Sprintf("max_inflight=%d calls of max_request_bytes=%s and max_response_memory=%s come to %s at most",
		c.MaxInflight, size(c.MaxRequestBytes), size(c.MaxResponseMemory), size(need))
	switch {
	case limit <= 0:
		return fine(check, "no limit of memory; %s", text)
	case limit < leastMemory:
		return wrong(check, "Give the worker at least "+size(leastMemory)+".", "%s of memory are allowed", size(limit))
	case limit < need:
		return look(check, "Raise the memory limit, or lower one of the three, unless bodies are small here.",
			"%s of memory are allowed; %s", size(limit), text)
	}
	return fine(check, "%s of memory are allowed; %s", size(limit), text)
}

// memoryLimit is the limit of the cgroup in bytes, 0 for none.
func memoryLimit(read func(string) ([]byte, error)) int64 {
	for _, name := range []string{"/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"} {
		b, err := read(name)
		if err != nil {
			continue
		}
		n, err := strconv.ParseInt(strings.TrimSpace(string(b)), 10, 64)
		if err == nil && n < 1<<60 { // above, version 1 means none
			return n
		}
	}
	return 0
}

// size writes a number of bytes with a unit.
func size(n int64) string {
	for _, u := range []struct {
		name string
		of   int64
	}{{"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10}} {
		if n >= u.of {
			return fmt.Sprintf("%.3g %s", float64(n)/float64(u.of), u.name)
		}
	}
	return fmt.Sprintf("%d bytes", n)
}
