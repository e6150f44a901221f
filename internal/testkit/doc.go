// Package testkit has what the tests of several packages need: a log that is read while it
// is written, golden files, and waiting for what nothing announces.
//
// Only tests and the packages that serve them import it.
package testkit
