// Package arch has no code. Its tests hold which package may import which, who may use
// which library, and which words do not occur.
package arch
