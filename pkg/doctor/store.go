package doctor

// Where invocations lie: data_dir.

import (
	"context"
	"errors"

	"queue-worker/pkg/datadir"
	"queue-worker/pkg/store"
)

func (e *examiner) store(context.Context) []Finding {
	const check = "store"
	c := e.Config
	if c.DataDir == "" {
		return []Finding{look(check, "set data_dir to a folder on a volume that outlives the container",
			"in memory: the dead set is gone after a restart, and what waits stays with NATS Streaming")}
	}
	place, err := store.Look(c.DataDir)
	if err != nil {
		advice := "the worker has to be able to write there"
		if errors.Is(err, datadir.ErrNotPlain) {
			advice = "the worker does not start like this"
		}
		return []Finding{wrong(check, advice, "%s", firstLine(err))}
	}
	var all []Finding
	switch {
	case place.Used:
		all = append(all, fine(check, "%s can be written, and a running worker uses it", c.DataDir))
	case place.Exists:
		all = append(all, fine(check, "%s can be written, and no worker uses it now", c.DataDir))
	default:
		all = append(all, fine(check, "%s will be made in %s, which can be written", c.DataDir, place.Volume))
	}
	if dir := datadir.WorldWritable(c.DataDir); dir != "" {
		all = append(all, look(check, "remove the permission, unless no other user can reach the folder",
			"%s is writable by every user, who can change, forge and read what is stored", dir))
	}
	switch {
	case place.Free < 0:
		all = append(all, look(check, "store_min_free has no effect there; watch the volume yourself", "the volume of %s does not tell its free space", place.Volume))
	case place.Free < c.StoreMinFree:
		all = append(all, wrong(check, "the worker takes nothing new: make room on the volume, or lower store_min_free",
			"%s free on the volume, store_min_free is %s", size(place.Free), size(c.StoreMinFree)))
	case place.Free < c.StoreMinFree+freeMargin:
		all = append(all, look(check, "make room on the volume before the worker has to stop taking work",
			"%s free on the volume, store_min_free is %s", size(place.Free), size(c.StoreMinFree)))
	default:
		all = append(all, fine(check, "%s free on the volume", size(place.Free)))
	}
	return all
}

// freeMargin is how much more than store_min_free should be free, in bytes: some
// minutes of a busy worker.
const freeMargin = 256 << 20
