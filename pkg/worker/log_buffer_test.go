package worker

import (
	"encoding/json"
	"strings"
	"testing"

	"queue-worker/internal/testkit"
)

// logBuffer keeps the log.
type logBuffer struct{ testkit.Log }

// lines are the records with a message.
func (l *logBuffer) lines(t testing.TB, message string) []map[string]any {
	t.Helper()
	var found []map[string]any
	for line := range strings.Lines(l.String()) {
		record := map[string]any{}
		if err := json.Unmarshal([]byte(line), &record); err != nil {
			t.Fatalf("%v: %s, want nil", err, line)
		}
		if record["msg"] == message {
			found = append(found, record)
		}
	}
	return found
}
