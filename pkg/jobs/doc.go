// Package jobs replays, drops and purges in bulk: dead letters that match a filter, or
// the pending invocations of one function.
//
// A job is planned first. The plan counts what would be done and fixes the set: the dead
// letters that match its filter and died before that moment. An applied job works through
// the set in steps, oldest first. Each step is one batch of the store together with the
// job's progress, so that a kill neither repeats nor skips a dead letter, and the job
// continues where it was after a restart.
//
//	planned --apply--> running <--> waiting   automatically
//	   |                |  ^
//	   |   pause, too   |  | resume
//	   |   many failed  v  |
//	   |         paused, stopped
//	   +-----> cancelled, done
//
// Live invocations have precedence: a job waits while the function that it replays to has
// more ready invocations than the worker can have in flight.
//
// The package knows no HTTP, and does not know the form of a filter: the creator of Jobs
// passes a reader for it.
package jobs
