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
	if err != nil || p.Exists || p.Used || p.Volume != above || p.Free <= 0 {
		t.Errorf("where there is nothing yet: %+v, %v", p, err)
	}
	if entries, err := os.ReadDir(above); err != nil || len(entries) > 0 {
		t.Errorf("the look left %v, %v", entries, err)
	}
	s, err := Open(Options{Dir: dir, Slots: 1})
	if err != nil {
		t.Fatal(err)
	}
	if p, err = Look(dir); err != nil || !p.Exists || !p.Used {
		t.Errorf("beside a store that is open: %+v, %v", p, err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if p, err = Look(dir); err != nil || !p.Exists || p.Used {
		t.Errorf("of a store that is closed: %+v, %v", p, err)
	}
	if s, err = Open(Options{Dir: dir, Slots: 1}); err != nil {
		t.Fatalf("after the look it cannot be opened: %v", err)
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
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Errorf("the looks left %v, %v", left, err)
	}
}

func TestALookAtWhatCannotBeADataDir(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if p, err := Look(file); err == nil || !strings.Contains(err.Error(), file) {
		t.Errorf("a file: %+v, %v", p, err)
	}
}
