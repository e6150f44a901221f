package admin

import (
	"context"
	"time"

	"queue-worker/pkg/invocation"
	"queue-worker/pkg/respond"
	"queue-worker/pkg/store"
	"queue-worker/pkg/wire"
)

// What the tests of this package use beside the handlers.
type PageSize = pageSize

const (
	DefaultLimit = defaultLimit
	MaxLimit     = maxLimit
	MaxBody      = maxBody
	MaxFailures  = maxFailures
	MostWaits    = mostWaits
	PreviewBytes = previewBytes
	RawBytes     = rawBytes
	RawWait      = rawWait
	StreamPage   = streamPage
	Hidden       = hidden
	TextChannel  = textChannel
	TextCount    = textCount
	TextDeleted  = textDeleted
	TextReplayed = textReplayed
	TextTopic    = textTopic
)

var (
	BreakerViewOf = breakerViewOf
	HistoryOf     = historyOf
	LetterOf      = letterOf
	NewPaced      = newPaced
	OriginOf      = originOf
	PolicyViewOf  = policyViewOf
	ProblemOfJob  = problemOfJob
	ReadMessage   = readMessage
	ReadRecord    = readRecord
	RecordOf      = recordOf
	ShownHeader   = shownHeader
	WrittenFilter = writtenFilter
	WriteLine     = writeLine
	WriteResult   = writeResult
	WriteWhole    = writeWholeLetter

	ProblemApplied      = problemApplied
	ProblemExpired      = problemExpired
	ProblemMalformed    = problemMalformed
	ProblemNoInvocation = problemNoInvocation
	ProblemNoJob        = problemNoJob
	ProblemNotApplied   = problemNotApplied
	ProblemOver         = problemOver
	ProblemPlanning     = problemPlanning
	ProblemTooMany      = problemTooMany
)

// NewPageSize makes the bounds of a page.
func NewPageSize(shown, read int64, chunk, looks int) PageSize {
	return PageSize{shown: shown, read: read, chunk: chunk, looks: looks}
}

// Preview fills in what a dead letter shows of its message.
func Preview(m message, l *wire.Letter) error { return m.preview(l) }

// TryImport, AwaitImport and EndImport are the turn of an import.
func (a *Admin) TryImport() bool                       { return a.imports.TryAcquire(1) }
func (a *Admin) AwaitImport(ctx context.Context) error { return a.imports.Acquire(ctx, 1) }
func (a *Admin) EndImport()                            { a.imports.Release(1) }

// Size bounds pages.
func (a *Admin) Size() *PageSize { return &a.size }

// SetWait sets how long is waited for a change to become durable.
func (a *Admin) SetWait(d time.Duration) { a.wait = d }

func (a *Admin) Page(ctx context.Context, f store.Filter, cursor string, limit int) (*wire.LetterPage, error) {
	return a.page(ctx, f, cursor, limit)
}

func (a *Admin) FindArriving(ctx context.Context, key string) (invocation.ID, error) {
	return a.findArriving(ctx, key)
}

// Problems are all that are always the same.
func Problems() map[string]*respond.Problem {
	return map[string]*respond.Problem{
		"id":            problemID,
		"not_dead":      problemNotDead,
		"busy":          problemBusy,
		"json":          problemJSON,
		"unknown_key":   problemUnknownKey,
		"too_large":     problemTooLarge,
		"importing":     problemImporting,
		"import_cut":    problemImportCut,
		"endless":       problemEndless,
		"import_full":   problemImportFull,
		"topic":         problemTopic,
		"count":         problemCount,
		"channel":       problemChannel,
		"malformed":     problemMalformed,
		"no_invocation": problemNoInvocation,
		"any_id":        problemAnyID,
		"many_wait":     problemManyWait,
		"is_dead":       problemIsDead,
		"is_over":       problemIsOver,
		"not_over":      problemNotOver,
		"no_result":     problemNoResult,
		"not_forgotten": problemNotForgotten,
		"no_function":   problemNoFunction,
		"function_name": problemFunctionName,
		"many_pauses":   problemManyPauses,
		"state":         problemState,
	}
}
