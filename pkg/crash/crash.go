// Package crash names the places at which tests kill the program, so that
// "between publish and ack" is a place and not luck. Only binaries that are
// built with the tag crashpoints have them; in all others Point does nothing.
//
// The environment variable QUEUE_WORKER_CRASH names a point and at which passage
// of it the process kills itself, as in "before-settle:3".
//
// LogPanic is in every binary: it logs a panic before that ends the process.
package crash
