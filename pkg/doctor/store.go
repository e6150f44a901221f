// File store.go checks the store: data_dir, or the server.

package doctor

import (
	"context"
	"errors"
	"io/fs"

	"queue-worker/pkg/datadir"
	"queue-worker/pkg/store/embedded"
)

func (e *examiner) store(ctx context.Context) []Finding {
	const check = "store"
	c := e.Config
	if c.IsShared() {
		return e.postgres(ctx)
	}
	if c.DataDir == "" {
		return []Finding{look(check, "Set data_dir to a folder on a volume that outlives the container.",
			"in memory: the dead set is lost at a restart, and unsettled messages stay with NATS Streaming")}
	}
	place, err := embedded.Look(c.DataDir)
	if err != nil {
		advice := "Set data_dir to a folder on a volume that the worker can write."
		switch {
		case errors.Is(err, datadir.ErrNotPlain):
			advice = "Remove it or put the file itself in its place; the worker does not start with it."
		case errors.Is(err, fs.ErrPermission):
			advice = "Give the worker write permission there."
		}
		return []Finding{wrong(check, advice, "%s", firstLine(err))}
	}
	var all []Finding
	switch {
	case place.Used:
		all = append(all, fine(check, "%s can be written, and a running worker uses it", c.DataDir))
	case place.Exists:
		all = append(all, fine(check, "%s can be written, and no worker uses it now; `queue-worker store check` reads it all, `store repair` saves what a damaged one has", c.DataDir))
	default:
		all = append(all, fine(check, "%s will be made in %s, which can be written", c.DataDir, place.Volume))
	}
	if dir := datadir.WorldWritable(c.DataDir); dir != "" {
		all = append(all, look(check, "Remove the permission, unless no other user can reach the folder.",
			"%s is writable by every user, who can change, forge and read what is stored", dir))
	}
	switch {
	case place.Free < 0:
		all = append(all, look(check, "Monitor the volume; store_min_free has no effect there.", "the free space on the volume of %s is unknown", place.Volume))
	case place.Free < c.StoreMinFree:
		all = append(all, wrong(check, "Free space on the volume, or lower store_min_free; the intake is paused.",
			"%s free on the volume, store_min_free is %s", size(place.Free), size(c.StoreMinFree)))
	case place.Free < c.StoreMinFree+freeMargin:
		all = append(all, look(check, "Free space on the volume before the intake is paused.",
			"%s free on the volume, store_min_free is %s", size(place.Free), size(c.StoreMinFree)))
	default:
		all = append(all, fine(check, "%s free on the volume", size(place.Free)))
	}
	return all
}

// freeMargin is how much more than store_min_free should be free, in bytes: some
// minutes of a busy worker.
const freeMargin = 256 << 20
