package command

import (
	"strings"
	"testing"

	"queue-worker/pkg/term"
	"queue-worker/pkg/wire"
)

func TestAPolicyListsWhatWasRefused(t *testing.T) {
	t.Parallel()
	var said []string
	for _, f := range policyFields(&wire.Policy{Refused: []wire.Refused{
		{Name: "com.openfaas.retry.attempts", Value: `"many"`, Expected: "a whole number from 0 to 1000000000"},
		{Name: "queueworker.rate", Expected: "no annotation of this name, did you mean queue-worker.rate?"},
	}}) {
		if f.Name == "refused" {
			said = append(said, f.Value.Long)
		}
	}
	want := term.Text(`com.openfaas.retry.attempts is "many": expected a whole number from 0 to 1000000000`).Long + "\n" +
		"queueworker.rate: no annotation of this name, did you mean queue-worker.rate?"
	if got := strings.Join(said, "\n"); got != want {
		t.Errorf("refused are\n%s, want\n%s", got, want)
	}
}
