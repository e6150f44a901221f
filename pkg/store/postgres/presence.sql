-- Layout 2. The sign of life of a session, by the server's clock, and the process of the server that
-- has its lock. A session without one owns nothing more. Sessions of layout 1 have none.
CREATE TABLE queue_worker.presence (
  session int PRIMARY KEY, beat timestamptz NOT NULL, lock_pid int NOT NULL
) WITH (fillfactor = 50);
