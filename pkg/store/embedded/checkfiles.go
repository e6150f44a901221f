// File checkfiles.go checks the files of a store: logs, levels, tables and in-flight markers.

package embedded

import (
	"errors"
	"io/fs"
)

// logs reads the logs and the MANIFEST.
func (c *checker) logs() {
	for _, d := range c.s.doubts() {
		c.find("file %s: %v", d.file, plainly(d.err))
	}
}

// levels checks that the keys of the tables of each level are in order.
func (c *checker) levels() {
	if err := c.s.db.CheckLevels(nil); err != nil {
		c.find("the levels of the store do not agree: %v", plainly(err))
	}
}

// tables reads every block of every table and compares its checksum.
func (c *checker) tables() {
	levels, err := c.s.db.SSTables()
	if err != nil {
		c.find("the tables cannot be listed: %v", plainly(err))
		return
	}
	for _, level := range levels {
		for _, t := range level {
			c.Tables++
			name := t.BackingSSTNum.String() + ".sst"
			if err := c.s.checkTable(name); err != nil {
				c.find("table %s is damaged: %v", name, plainly(err))
			}
		}
	}
}

// inFlight counts the in-flight markers of the previous process.
func (c *checker) inFlight() {
	f, err := c.s.raw.Open(c.s.raw.PathJoin(c.s.dir, marksFile))
	if errors.Is(err, fs.ErrNotExist) {
		return
	}
	if err == nil {
		ids, _, readErr := readMarks(f)
		c.InFlight = len(ids)
		err = closing(readErr, f)
	}
	if err != nil {
		c.find("the in-flight markers cannot be read: %v", plainly(err))
	}
}
