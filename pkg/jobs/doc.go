// Package jobs carries out the bulk acts: replaying and dropping dead letters,
// and purging what waits for one function.
//
// A job is planned first. The plan counts what would be done and fixes the set:
// what its filter finds among the letters that died before that moment. Applied,
// it works through the set, oldest first, in steps. Each step is one batch of
// the store together with the job's progress, so that a kill anywhere neither
// repeats nor forgets a letter, and a restart goes on where it was.
//
//	planned --apply--> running <--> waiting   by itself
//	   |                |  ^
//	   |   pause, too   |  | resume
//	   |   many failed  v  |
//	   |         paused, stopped
//	   +-----> cancelled, done
//
// Live work comes first: a job holds while the function that it replays to has
// more waiting than the worker can have in hand.
//
// The package knows no HTTP, and does not know how a filter is written down:
// whoever makes Jobs gives it a reader.
package jobs
