// File dead_import.go imports the lines of an export: POST /v1/dead_set/import.

package admin

import (
	"context"
	"errors"
	"io"
	"net/http"
	"sync"
	"time"

	"golang.org/x/sync/semaphore"

	"queue-worker/pkg/respond"
	"queue-worker/pkg/store"
	"queue-worker/pkg/wire"
)

const (
	// importWindow is how many bytes of letters may be on their way to the disk:
	// what shares a commit shares its sync.
	importWindow = 1 << 20
	// letterCost is what a letter counts beside its QueueRequest.
	letterCost = 512
	// maxFailures is how many lines are listed one by one.
	maxFailures = 1000
)

var (
	problemImporting = respond.Later(wire.Busy, "another import is running",
		"Nothing was changed. Try again when it has finished.")
	problemImportCut = respond.Refuse("the body was cut off or could not be read",
		"The counted lines are stored. Send the same again; stored lines are skipped.")
	problemEndless = respond.NewProblem(http.StatusRequestEntityTooLarge, wire.TooLarge, "a line is too long, the rest was not read",
		"Send one dead letter per line. The counted lines are stored.")
	problemImportFull = respond.Later(wire.StoreFull, "the store is full, the rest was not read",
		"The counted lines are stored. Free space, see /readyz, and send the same again.")
)

// ImportDead stores the lines of an export.
func (a *Admin) ImportDead(w http.ResponseWriter, r *http.Request) error {
	if _, err := readParams(r); err != nil {
		return err
	}
	if !a.imports.TryAcquire(1) {
		return problemImporting
	}
	defer a.imports.Release(1)
	control := http.NewResponseController(w)
	_ = control.SetWriteDeadline(time.Time{}) // an import takes as long as it takes
	in := newLineReader(pacedReader{r, control}, a.raw)
	defer in.release()
	im := &importing{store: a.Store, window: semaphore.NewWeighted(importWindow), patience: a.wait}
	err := im.run(r.Context(), in)
	err = orElse(err, im.settle())
	out, problem := im.outcome(), a.stopOf(r, err)
	a.log.Info("dead set imported", keyCount, out.Imported, "skipped", out.Skipped, "failed", out.FailedTotal, "whole", err == nil,
		keyBy, callerOf(r.Context()), keyPeer, r.RemoteAddr)
	_ = control.SetWriteDeadline(time.Now().Add(progress))
	if problem == nil {
		return respond.JSON(w, http.StatusOK, out)
	}
	problem.SetRetryAfter(w)
	w.Header().Set("Connection", "close") // the rest of the body is not wanted
	return respond.JSON(w, problem.Status, wire.ImportProblem{Problem: problem.Problem, Imported: out})
}

// stopOf is why an import has ended before its body, nil when it has not.
func (a *Admin) stopOf(r *http.Request, err error) *respond.Problem {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, errEndlessLine):
		return problemEndless
	case errors.Is(err, errBody):
		return problemImportCut
	}
	return respond.ProblemOf(a.log, r, err)
}

// errBody marks an error of reading what the client sends.
var errBody = errors.New("body")

// importing is a running import.
type importing struct {
	store    store.Store
	window   *semaphore.Weighted
	patience time.Duration // for letters to become durable

	mu   sync.Mutex // guards what is below, which the store's answers change
	so   wire.Imported
	stop error // after which nothing more can be stored
}

// run reads line after line until the end, or until nothing more can be taken.
func (im *importing) run(ctx context.Context, in *lineReader) error {
	for n := 1; ; n++ {
		line, err := in.next(ctx)
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case errors.Is(err, errLongLine):
			im.fail(n, err)
			continue
		case errors.Is(err, errEndlessLine), ctx.Err() != nil:
			return err
		case err != nil:
			return errors.Join(errBody, err)
		case len(line) == 0:
			continue
		}
		if err := im.take(ctx, n, line); err != nil {
			return err
		}
	}
}

// take gives one line to the store. What is wrong with the line is noted; the
// error is one of the store.
func (im *importing) take(ctx context.Context, n int, line []byte) error {
	inv, raw, err := readRecord(line)
	if err != nil {
		im.fail(n, err)
		return nil
	}
	if im.store.Full() != nil {
		return problemImportFull
	}
	cost := min(int64(len(raw))+letterCost, importWindow)
	if err := im.room(ctx, cost); err != nil {
		return err
	}
	im.store.Accept(store.Accept{Inv: inv, Raw: raw, Once: true}, func(err error) {
		im.note(err)
		im.window.Release(cost)
	})
	im.mu.Lock()
	defer im.mu.Unlock()
	return im.stop
}

// room waits until the window has so much room, but not for ever.
func (im *importing) room(ctx context.Context, cost int64) error {
	ctx, cancel := context.WithTimeout(ctx, im.patience)
	defer cancel()
	return im.window.Acquire(ctx, cost)
}

// settle waits until everything is confirmed.
func (im *importing) settle() error {
	if err := im.room(context.Background(), importWindow); err != nil {
		return err
	}
	im.mu.Lock()
	defer im.mu.Unlock()
	return im.stop
}

// note is what the store says of a line.
func (im *importing) note(err error) {
	im.mu.Lock()
	defer im.mu.Unlock()
	switch {
	case err == nil:
		im.so.Imported++
	case errors.Is(err, store.ErrSeen):
		im.so.Skipped++
	default:
		im.stop = orElse(im.stop, err)
	}
}

// fail notes a line that is wrong.
func (im *importing) fail(n int, err error) {
	im.mu.Lock()
	defer im.mu.Unlock()
	im.so.FailedTotal++
	if len(im.so.Failed) < maxFailures {
		im.so.Failed = append(im.so.Failed, wire.FailedLine{Line: n, Error: err.Error()})
	}
}

// outcome is a copy of what is known now.
func (im *importing) outcome() wire.Imported {
	im.mu.Lock()
	defer im.mu.Unlock()
	so := im.so
	so.Failed = append([]wire.FailedLine{}, so.Failed...)
	return so
}
