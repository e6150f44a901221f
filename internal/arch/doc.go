// Package arch has no code. Its tests hold which package may import which, who may use
// which library, which words do not occur, and that pages and tests refer to what exists.
package arch
