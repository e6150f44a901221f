//go:build race

package embedded

// raced tells that the race detector runs, under which Pebble takes a stack
// trace for every read.
const raced = true
