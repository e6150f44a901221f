package ingest

import (
	"errors"
	"fmt"
	"strings"
	"testing"
)

func TestCausesOfARefusedSubmissionAreHidden(t *testing.T) {
	t.Parallel()
	for _, err := range []error{
		fmt.Errorf("%w: %w", errNotConnected, errors.New("not connected to NATS Streaming at nats://nats:4222: dial tcp: lookup CANARY")),
		fmt.Errorf("%w: %w", errFull, errors.New("intake paused: write /var/lib/CANARY: no space left on device")),
		fmt.Errorf("%w: %w", errFull, errors.New("12 bytes free on the volume of data_dir: CANARY")),
	} {
		p := problemOfTaking(err)
		switch text := strings.Join(p.Reasons, "\n"); {
		case text == "":
			t.Errorf("reasons of %v are %q, want text not empty", err, text)
		case strings.Contains(text, "CANARY"):
			t.Errorf(`reasons of %v are %q, want no "CANARY" in it`, err, text)
		}
	}
}
