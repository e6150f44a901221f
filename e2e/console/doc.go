// Package console has no code. Its tests run the built program and look at the pages of its
// console with Chromium, as an operator does.
package console
