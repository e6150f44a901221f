package pgtest

import (
	"os"
	"testing"
)

func TestMain(m *testing.M) {
	code := m.Run()
	Stop()
	os.Exit(code)
}

func TestKilledServerRestartsWithItsData(t *testing.T) {
	s, err := Start("fsync=off")
	if err != nil {
		t.Fatal(err)
	}
	defer s.Stop()
	if err := s.Query("postgres", "CREATE TABLE kept (n int); INSERT INTO kept VALUES (1)"); err != nil {
		t.Fatal(err)
	}
	s.Kill()
	if err := s.Restart(); err != nil {
		t.Fatal(err)
	}
	if err := s.Query("postgres", "SELECT 1 / count(*) FROM kept"); err != nil {
		t.Errorf("row after a kill: got %v, want it", err)
	}
}

func TestEachDatabaseIsFresh(t *testing.T) {
	if a, b := Database(t), Database(t); a == b {
		t.Errorf("databases: got %s twice, want two", a)
	}
}
