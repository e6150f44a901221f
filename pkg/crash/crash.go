// Package crash names the points at which tests kill the program, such as "between
// publish and ack". Only binaries that are built with the tag crashpoints have them; in
// all others Point does nothing.
//
// The environment variable QUEUE_WORKER_CRASH names a point and the passage at which the
// process kills itself, as in "before-settle:3".
//
// LogPanic is in every binary: it logs a panic before that ends the process.
package crash
