package doctor

import (
	"os"
	"strings"
	"testing"
	"time"

	"queue-worker/internal/pgtest"
	"queue-worker/pkg/config"
	"queue-worker/pkg/store/postgres"
)

func TestMain(m *testing.M) {
	code := m.Run()
	pgtest.Stop()
	os.Exit(code)
}

// said are the findings as lines.
func said(all []Finding) string {
	var b strings.Builder
	for _, f := range all {
		b.WriteString(string(f.Status) + " " + f.Text + "\n")
	}
	return b.String()
}

func TestPostgresIsExamined(t *testing.T) {
	t.Parallel()
	url := pgtest.Database(t)
	e := examiner{Options: Options{Config: &config.Config{StoreURL: url}}}
	look := func(want ...string) {
		t.Helper()
		got := said(e.store(t.Context()))
		for _, line := range want {
			if !strings.Contains(got, line) {
				t.Errorf("findings: got\n%swant %q among them", got, line)
			}
		}
	}
	look("answers, unencrypted", "ok the tables will be created", "warn fsync=off, full_page_writes=off", "warn no synchronous standby")
	s, err := postgres.Open(t.Context(), postgres.Options{URL: url, Name: "the-worker"})
	if err != nil {
		t.Fatal(err)
	}
	look("ok tables of layout 2, used by worker the-worker")
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	look("ok tables of layout 2, and no worker uses them now")
	e.Config.StoreURL = "postgres://postgres@127.0.0.1:1/queue"
	look("bad PostgreSQL: connect: connection refused")
}

func TestFactsOfPostgresAreJudged(t *testing.T) {
	t.Parallel()
	good := postgres.Server{Version: 15, Release: "15.1", Fsync: "on", FullPages: "on", Commit: "on", Standbys: "ANY 1 (a)", MayCreate: true, Layout: 1}
	for name, tt := range map[string]struct {
		change func(*postgres.Server)
		want   string
	}{
		"as it should be":  {func(*postgres.Server) {}, "ok commits wait for a standby (ANY 1 (a))"},
		"too old":          {func(s *postgres.Server) { s.Version = 13 }, "bad PostgreSQL 15.1 answers, unencrypted; it is too old"},
		"not tested":       {func(s *postgres.Server) { s.Version = 17 }, "warn PostgreSQL 15.1 answers, unencrypted; this program is tested with version 15"},
		"no right":         {func(s *postgres.Server) { s.MayCreate = false }, "bad the role may not create tables"},
		"newer":            {func(s *postgres.Server) { s.Newer = true }, "bad the tables are of layout 1"},
		"lazy commits":     {func(s *postgres.Server) { s.Commit = "off" }, "warn synchronous_commit=off"},
		"local commits":    {func(s *postgres.Server) { s.Commit = "local" }, "warn no synchronous standby"},
		"another clock":    {func(s *postgres.Server) { s.Offset = -time.Hour }, "warn the clocks of PostgreSQL and of this machine are 1h0m0s apart"},
		"a pooler":         {func(s *postgres.Server) { s.Pooler = postgres.PoolerTransaction }, "bad a pooler in transaction mode is in between"},
		"one of sessions":  {func(s *postgres.Server) { s.Pooler = postgres.PoolerSession }, "ok a pooler in session mode is in between"},
		"nearly the clock": {func(s *postgres.Server) { s.Offset = time.Second }, "ok tables of layout 1, and no worker uses them now"},
	} {
		s := good
		tt.change(&s)
		if got := said(judge(&s)); !strings.Contains(got, tt.want) {
			t.Errorf("%s: got\n%swant %q among them", name, got, tt.want)
		}
	}
}
