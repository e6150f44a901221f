// Package arch has no code: its test holds the directions in which the packages
// of this program may import each other, and who may use which library.
package arch
