package embedded

import (
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

func TestALookAtADataDirFromTheOutside(t *testing.T) {
	t.Parallel()
	above := t.TempDir()
	dir := filepath.Join(above, "a", "b")
	p, err := Look(dir)
	switch {
	case err != nil:
		t.Errorf("where there is nothing yet: %+v, %v, want no error", p, err)
	case p.Exists:
		t.Errorf("where there is nothing yet: %+v, %v, want not exists", p, err)
	case p.Used:
		t.Errorf("where there is nothing yet: %+v, %v, want not used", p, err)
	case p.Volume != above:
		t.Errorf("where there is nothing yet: %+v, %v, want volume %v", p, err, above)
	case p.Free <= 0:
		t.Errorf("where there is nothing yet: %+v, %v, want free above 0", p, err)
	}
	switch entries, err := os.ReadDir(above); {
	case err != nil:
		t.Errorf("the look left %v, %v, want no error", entries, err)
	case len(entries) > 0:
		t.Errorf("the look left %v, %v, want no entries", entries, err)
	}
	s, err := Open(Options{Dir: dir, Slots: 1})
	if err != nil {
		t.Fatal(err)
	}
	switch p, err = Look(dir); {
	case err != nil:
		t.Errorf("beside a store that is open: %+v, %v, want no error", p, err)
	case !p.Exists:
		t.Errorf("beside a store that is open: %+v, %v, want exists", p, err)
	case !p.Used:
		t.Errorf("beside a store that is open: %+v, %v, want used", p, err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	switch p, err = Look(dir); {
	case err != nil:
		t.Errorf("of a store that is closed: %+v, %v, want no error", p, err)
	case !p.Exists:
		t.Errorf("of a store that is closed: %+v, %v, want exists", p, err)
	case p.Used:
		t.Errorf("of a store that is closed: %+v, %v, want not used", p, err)
	}
	if s, err = Open(Options{Dir: dir, Slots: 1}); err != nil {
		t.Fatalf("after the look it cannot be opened: %v, want no error", err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestSeveralMayLookAtOnce(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() {
			for range 5 {
				if _, err := Look(dir); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	switch left, err := os.ReadDir(dir); {
	case err != nil:
		t.Errorf("the looks left %v, %v, want no error", left, err)
	case len(left) > 0:
		t.Errorf("the looks left %v, %v, want no left", left, err)
	}
}

func TestALookAtWhatCannotBeADataDir(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	switch p, err := Look(file); {
	case err == nil:
		t.Errorf("a file: %+v, %v, want an error", p, err)
	case !strings.Contains(err.Error(), file):
		t.Errorf("a file: %+v, %v, want %q in Error", p, err, file)
	}
}
