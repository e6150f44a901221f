// Package descriptor accounts for file descriptors: the limit of the process, how much of it a
// listener may use, and which errors mean that it is exhausted. It knows the other things too that a
// process may lack to make a call (lack.go), and lets operations wait until they are there.
//
// The package opens nothing and closes nothing.
package descriptor
