// Package console has the pages of the web console: what they say, how they look, and the
// words of the summary in GET /v1/status. A page is a pure function of documents of the
// API, pkg/wire, and shows nothing that the API does not have.
//
// Names, reasons and errors come from callers and functions. They reach a page as text
// only: html/template escapes them for HTML, and pkg/escape shows what would be invisible or
// change the direction of writing.
//
// The package knows neither HTTP nor the store, keeps no state and reads no clock. Its
// templates and assets are embedded in the program.
package console
