// File function_pause.go pauses and resumes functions: POST /v1/functions/{fn}/pause and
// .../resume.

package admin

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"
	"unicode"

	"queue-worker/pkg/duration"
	"queue-worker/pkg/invocation"
	"queue-worker/pkg/pause"
	"queue-worker/pkg/respond"
	"queue-worker/pkg/similar"
	"queue-worker/pkg/wire"
)

// longestPause bounds a pause, so that a typing error shows.
const longestPause = 366 * 24 * time.Hour

var problemManyPauses = respond.NewProblem(http.StatusConflict, wire.TooMany, "too many functions are paused",
	"Resume some; GET /v1/functions shows which are paused.")

// PauseFunction pauses a function.
func (a *Admin) PauseFunction(w http.ResponseWriter, r *http.Request) error {
	lane, err := a.pathLane(r)
	if err != nil {
		return err
	}
	if _, err := readParams(r); err != nil {
		return err
	}
	var q wire.PauseRequest
	if err := readJSON(w, r, &q); err != nil {
		return err
	}
	note, err := a.pause(r, lane, q)
	if err != nil {
		return err
	}
	return a.showPaused(w, r, lane, note)
}

// pause pauses a function.
func (a *Admin) pause(r *http.Request, lane string, q wire.PauseRequest) (note string, err error) {
	p, err := pauseOf(q, time.Now())
	if err != nil {
		return "", err
	}
	p.By = callerOf(r.Context())
	note, err = a.unknown(r.Context(), lane, q.Force)
	if err != nil {
		return "", err
	}
	return note, a.changePause(r, func(ctx context.Context) error { return a.Pauses.Set(ctx, lane, p) })
}

// unknown refuses to pause a function that certainly does not exist, unless it is forced. Where the gateway cannot
// tell and nothing is known of the function, it returns what the operator should know.
func (a *Admin) unknown(ctx context.Context, lane string, force bool) (note string, err error) {
	if force || invocation.IsCallbackLane(lane) {
		return "", nil
	}
	if s, err := a.snapshotOf(ctx, lane); err != nil || len(s.keys()) > 0 {
		return "", err
	}
	known, sure := false, false
	if a.Functions != nil {
		known, sure = a.Functions.Known(ctx, lane)
	}
	switch {
	case !sure:
		return "The gateway cannot tell whether this function exists, and nothing of it is stored.", nil
	case !known:
		return "", respond.NewProblem(http.StatusNotFound, wire.NotFound, "no such function"+a.namesLike(ctx, lane),
			"The gateway does not have it, and no invocation, pause or dead letter names it. Pause it nevertheless with force.")
	}
	return "", nil
}

// How close a function's name has to be to be suggested, and how many are.
const nearby, mostNames = 2, 3

// namesLike are the functions that may have been meant, as the end of a sentence.
func (a *Admin) namesLike(ctx context.Context, lane string) string {
	names := a.Functions.Names(ctx)
	for l := range a.Store.Lanes() {
		names = append(names, l.Name)
	}
	near := similar.Nearest(lane, names, nearby, mostNames)
	if len(near) == 0 {
		return ""
	}
	return "; did you mean " + strings.Join(near, " or ") + "?"
}

// ResumeFunction resumes a function.
func (a *Admin) ResumeFunction(w http.ResponseWriter, r *http.Request) error {
	lane, err := a.pathLane(r)
	if err != nil {
		return err
	}
	if _, err := readParams(r); err != nil {
		return err
	}
	if err := a.resume(r, lane); err != nil {
		return err
	}
	return a.showPaused(w, r, lane, "")
}

// resume resumes a function.
func (a *Admin) resume(r *http.Request, lane string) error {
	by := callerOf(r.Context())
	return a.changePause(r, func(ctx context.Context) error { return a.Pauses.Lift(ctx, lane, by) })
}

// changePause pauses or resumes. A client that goes away does not stop it. Who did it is in the
// log of the pauses.
func (a *Admin) changePause(r *http.Request, do func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), a.wait)
	defer cancel()
	err := do(ctx)
	if errors.Is(err, pause.ErrTooMany) {
		return problemManyPauses
	}
	return err
}

// showPaused answers with a function as it is now.
func (a *Admin) showPaused(w http.ResponseWriter, r *http.Request, lane, note string) error {
	s, err := a.snapshotOf(r.Context(), lane)
	if err != nil {
		return err
	}
	list := s.of(r.Context(), lane)
	list.Note = note
	return respond.JSON(w, http.StatusOK, list)
}

// pauseOf reads the request.
func pauseOf(q wire.PauseRequest, now time.Time) (pause.Pause, error) {
	p := pause.Pause{Reason: q.Reason, Author: q.Author, Since: now}
	if err := isLine("reason", q.Reason, pause.MaxReason); err != nil {
		return p, err
	}
	if err := isLine("author", q.Author, pause.MaxAuthor); err != nil {
		return p, err
	}
	until, err := endOf(q, now)
	if err != nil {
		return p, err
	}
	if !until.IsZero() && !until.After(now) {
		return p, respond.Refuse("the pause would have ended already", "until is a time in the future, for a duration above zero")
	}
	if until.Sub(now) > longestPause {
		return p, respond.Refuse("the pause is longer than a year", "leave out for and until: it then is paused until it is resumed")
	}
	p.Until = until
	return p, nil
}

// endOf is when the pause ends, zero for not by itself.
func endOf(q wire.PauseRequest, now time.Time) (time.Time, error) {
	switch {
	case q.For != "" && q.Until != "":
		return time.Time{}, respond.Refuse("both for and until are there", "give one of them, or none")
	case q.Until != "":
		t, err := time.Parse(time.RFC3339, q.Until)
		if err != nil {
			return t, respond.Refuse("until is not a time", "such as 2026-03-04T05:06:07Z")
		}
		return t, nil
	case q.For != "":
		d, err := duration.Parse(q.For)
		if err != nil || d < 0 {
			return time.Time{}, respond.Refuse("for is not a duration", "such as 90m, 12h or 7d; a bare number is seconds")
		}
		return now.Add(d), nil
	}
	return time.Time{}, nil
}

// isLine refuses a text that is too long, or more than a line: it is shown in
// tables and logs.
func isLine(name, s string, most int) error {
	if len(s) > most {
		return respond.Refuse(name+" is too long", "at most "+strconv.Itoa(most)+" bytes")
	}
	if strings.ContainsFunc(s, unicode.IsControl) {
		return respond.Refuse(name+" is more than a line", "leave out line ends and other control characters")
	}
	return nil
}
