package respond

// Problems are all that are always the same.
func Problems() map[string]*Problem {
	return map[string]*Problem{
		"cursor":    problemCursor,
		"not_found": problemNotFound,
		"internal":  problemInternal,
		"failed":    problemFailed,
		"closed":    problemClosed,
		"away":      problemAway,
		"stalled":   problemStalled,
	}
}
