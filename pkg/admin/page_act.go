// File page_act.go carries out the operations of pages: forms, each of which leads to a page that
// says what was done.

package admin

import (
	"context"
	"net/http"
	"net/url"
	"time"

	"queue-worker/pkg/console"
	"queue-worker/pkg/invocation"
	"queue-worker/pkg/respond"
	"queue-worker/pkg/wire"
)

// readForm reads the form of a page. Only the allowed names may be in it, each once, but for the
// header of a filter.
func readForm(w http.ResponseWriter, r *http.Request, allowed ...string) (params, error) {
	b, err := readBody(w, r)
	if err != nil {
		return nil, err
	}
	if r.URL.RawQuery != "" {
		return nil, problemForm
	}
	q := &http.Request{URL: &url.URL{RawQuery: string(b)}}
	p, err := readParams(q, allowed...)
	if err != nil {
		return nil, err
	}
	return p.filled(), nil
}

var problemForm = respond.Refuse("a form has no query", "send the fields in the body, as browsers do")

// PauseForm pauses a function.
func (a *Admin) PauseForm(w http.ResponseWriter, r *http.Request) error {
	lane, err := a.pathLane(r)
	if err != nil {
		return err
	}
	p, err := readForm(w, r, "queue", "reason", "for")
	if err != nil {
		return err
	}
	if !p.has("reason") {
		return respond.Refuse("the reason is missing", "say why, so that colleagues know")
	}
	q := wire.PauseRequest{Reason: p.text("reason"), Author: callerOf(r.Context()), For: p.text("for")}
	if _, err := a.pause(r, lane, q); err != nil {
		return err
	}
	return a.doneWithFunction(w, r, p, console.DidPause)
}

// ResumeForm resumes a function.
func (a *Admin) ResumeForm(w http.ResponseWriter, r *http.Request) error {
	lane, err := a.pathLane(r)
	if err != nil {
		return err
	}
	p, err := readForm(w, r, "queue")
	if err != nil {
		return err
	}
	if err := a.resume(r, lane); err != nil {
		return err
	}
	return a.doneWithFunction(w, r, p, console.DidResume)
}

// doneWithFunction leads back to the page of a function.
func (a *Admin) doneWithFunction(w http.ResponseWriter, r *http.Request, p params, word string) error {
	path := console.FunctionPath(r.PathValue("fn"), p.text("queue"))
	if !p.has("queue") {
		path = console.Done(path, word)
	} else {
		path += "&" + console.ParamDid + "=" + word
	}
	seeOther(w, path)
	return nil
}

// ReplayForm replays a dead letter.
func (a *Admin) ReplayForm(w http.ResponseWriter, r *http.Request) error {
	return a.formOn(w, r, "replay", console.DidReplay, a.replay(false))
}

// DropForm drops a dead letter. Its page is gone then.
func (a *Admin) DropForm(w http.ResponseWriter, r *http.Request) error {
	return a.formOn(w, r, "drop", console.DidDrop, a.Store.Drop)
}

// formOn carries out a change of the dead letter in the path.
func (a *Admin) formOn(w http.ResponseWriter, r *http.Request, name, word string, do func(context.Context, invocation.ID) error) error {
	if _, err := readForm(w, r); err != nil {
		return err
	}
	id, err := a.actOn(r, name, do)
	if err != nil {
		return err
	}
	path := console.InvocationPath(id.String())
	if word == console.DidDrop {
		path = console.DeadPath
	}
	seeOther(w, console.Done(path, word))
	return nil
}

// CancelForm cancels a pending invocation.
func (a *Admin) CancelForm(w http.ResponseWriter, r *http.Request) error {
	if _, err := readForm(w, r); err != nil {
		return err
	}
	id, err := a.cancelOf(r, r.PathValue("id"))
	if err != nil {
		return err
	}
	path := console.InvocationPath(id.String())
	if all, err := a.find(r.Context(), id.String()); err != nil || len(all) == 0 {
		path = "/" // it is not remembered
	}
	seeOther(w, console.Done(path, console.DidCancel))
	return nil
}

// AskDrop asks before a dead letter is dropped.
func (a *Admin) AskDrop(w http.ResponseWriter, r *http.Request) error {
	return a.ask(w, r, console.DropQuestion)
}

// AskCancel asks before an invocation is cancelled.
func (a *Admin) AskCancel(w http.ResponseWriter, r *http.Request) error {
	return a.ask(w, r, console.CancelQuestion)
}

// ask shows a question about the invocation in the path.
func (a *Admin) ask(w http.ResponseWriter, r *http.Request, question func(console.Viewer, time.Time, wire.Invocation) console.Question) error {
	key, err := anyID(r.PathValue("id"))
	if err != nil {
		return err
	}
	_, viewer, err := a.readPage(r)
	if err != nil {
		return err
	}
	f, err := a.findOne(r.Context(), key)
	if err != nil {
		return err
	}
	return a.writePage(w, r, question(viewer, time.Now(), viewOf(f)).Page)
}
