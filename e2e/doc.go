// Package e2e tests the program from the outside: the built binary as a process
// of its own, with a real NATS Streaming server in another process, a gateway that
// records what it is asked, and nothing but signals, HTTP and log lines in between.
//
// Everything listens on loopback, on ports that the tests choose, and every wait is
// bounded. What must not come early is compared with times of one clock; what must
// come soon is awaited by the order of events, never by how fast the machine is.
//
// The files that begin with rig_ are the stand, ledger_test.go is what the chaos
// test counts with, and the rest are tests. Names that begin with a letter and a
// number, such as TestR9, are rows of the acceptance table.
package e2e
