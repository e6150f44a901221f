package embedded

// KeepNothing returns options of a store in which no accepted invocation stays in memory, so that
// each is read ahead or looked up.
func KeepNothing(o Options) Options {
	o.kept = 1
	return o
}
