package app

import (
	"context"
	"errors"
	"testing"
)

func TestASignalEndsAStartThatDoesNotEnd(t *testing.T) {
	t.Parallel()
	ctx, stop := context.WithCancel(t.Context())
	opening, goOn, closed := make(chan struct{}), make(chan struct{}), make(chan int)
	ended := make(chan error)
	go func() {
		_, err := unlessStopped(ctx, func() (int, error) {
			close(opening)
			<-goOn
			return 7, nil
		}, func(n int) { closed <- n })
		ended <- err
	}()
	<-opening
	stop()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Errorf("ended with %v, want %v", err, context.Canceled)
	}
	close(goOn)
	if n := <-closed; n != 7 {
		t.Errorf("closed %d, want 7", n)
	}
	switch n, err := unlessStopped(t.Context(), func() (int, error) { return 7, nil }, nil); {
	case n != 7:
		t.Errorf("without a signal: %d, %v, want 7", n, err)
	case err != nil:
		t.Errorf("without a signal: %d, %v, want no error", n, err)
	}
}
