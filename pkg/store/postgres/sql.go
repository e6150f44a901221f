// File sql.go reads the statements, and has the forms of values in SQL.

package postgres

import (
	"bytes"
	"crypto/sha256"
	_ "embed"
	"encoding/binary"
	"math"
	"strings"
	"time"

	"queue-worker/pkg/invocation"
)

//go:embed queries.sql
var queriesFile string

// queries are the statements of queries.sql by name.
var queries = readQueries(queriesFile)

func readQueries(file string) map[string]string {
	all := map[string]string{}
	for part := range strings.SplitSeq(file, "-- name: ") {
		name, text, _ := strings.Cut(part, "\n")
		all[name] = strings.TrimSpace(text)
	}
	return all
}

// statement is the statement with a name.
func statement(name string) string {
	text, ok := queries[name]
	if !ok {
		panic("postgres: no statement with the name " + name)
	}
	return text
}

// lastSecond is the first second whose times are stored as the latest time that there is.
const lastSecond = math.MaxInt64 / int64(time.Second)

// stamp is a time in SQL. One before 1970 or after 2262 keeps its place in the order of all times.
func stamp(t time.Time) int64 {
	switch s := t.Unix(); {
	case s < 0:
		return 0
	case s >= lastSecond:
		return math.MaxInt64
	}
	return t.UnixNano()
}

func unstamp(n int64) time.Time { return time.Unix(0, n) }

// never is the earliest due time when nothing is delayed.
var never = unstamp(math.MaxInt64)

// appendLane is a lane in SQL: lanes sort by queue, then by name.
func appendLane(b []byte, l invocation.Lane) []byte {
	return append(append(append(b, l.Queue...), 0), l.Name...)
}

func laneBytes(l invocation.Lane) []byte { return appendLane(nil, l) }

func parseLane(b []byte) invocation.Lane {
	queue, name, _ := bytes.Cut(b, []byte{0})
	return invocation.Lane{Queue: string(queue), Name: string(name)}
}

// hash64 is the beginning of a SHA-256.
func hash64(text string) int64 {
	sum := sha256.Sum256([]byte(text))
	return int64(binary.BigEndian.Uint64(sum[:8])) // #nosec G115 -- any bits do
}

// plainText is a text that the type text can hold.
func plainText(s string) string { return strings.ReplaceAll(strings.ToValidUTF8(s, "?"), "\x00", "?") }

// uuids are ids in SQL.
func uuids(ids []invocation.ID) [][16]byte {
	all := make([][16]byte, len(ids))
	for i, id := range ids {
		all[i] = id
	}
	return all
}
