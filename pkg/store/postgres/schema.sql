-- Layout 1. All times are Unix nanoseconds of the store's clock. A lane is its queue, a zero byte and
-- its name. Columns named call are 8 bytes of the SHA-256 of a call id: the record decides.
CREATE TABLE queue_worker.meta (
  layout int NOT NULL,
  secret bytea NOT NULL,                     -- of the fingerprints of idempotency keys
  dedup_generation int NOT NULL DEFAULT 0,   -- dedup records are written to table dedup_<generation % 2>
  dedup_began bigint NOT NULL DEFAULT 0,     -- when its first record was written
  due_since bigint NOT NULL DEFAULT 0,       -- delayed invocations up to this place are ready
  due_id uuid NOT NULL DEFAULT '00000000-0000-0000-0000-000000000000',
  latest bigint NOT NULL DEFAULT 0           -- the latest time that the store's clock has shown
);

-- A worker's presence. Its batches are numbered by seq, and change nothing once state is not 0.
CREATE TABLE queue_worker.session (
  id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  name text NOT NULL,
  seq bigint NOT NULL DEFAULT 0,
  state smallint NOT NULL DEFAULT 0          -- 0 live, 1 ended, 2 dead
) WITH (fillfactor = 50);

-- owner is the session that has the invocation in flight. It is in no index, so that it changes without them.
CREATE TABLE queue_worker.pending (
  id uuid PRIMARY KEY,
  lane bytea NOT NULL,
  since bigint NOT NULL,
  delayed boolean NOT NULL,                  -- since was in the future when it was written
  owner int,
  crashes smallint NOT NULL DEFAULT 0,
  deadline bigint,
  mailbox boolean NOT NULL,
  call bigint NOT NULL,
  size int NOT NULL,                         -- bytes of the request and of the answer that is kept
  rec bytea NOT NULL,
  raw bytea NOT NULL
) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 2000);
ALTER TABLE queue_worker.pending ALTER raw SET STORAGE EXTERNAL, ALTER rec SET STORAGE EXTERNAL;
CREATE INDEX pending_lane ON queue_worker.pending (lane, since, id);
CREATE INDEX pending_due ON queue_worker.pending (since, id) WHERE delayed;
CREATE INDEX pending_deadline ON queue_worker.pending (deadline, id) WHERE deadline IS NOT NULL;
CREATE INDEX pending_call ON queue_worker.pending (call, id);

CREATE TABLE queue_worker.dead (
  id uuid PRIMARY KEY,
  lane bytea NOT NULL,
  died bigint NOT NULL,
  reason text NOT NULL,
  status int NOT NULL,
  needs_force boolean NOT NULL,              -- replayed often, or a callback that is superseded
  call bigint NOT NULL,
  size int NOT NULL,
  rec bytea NOT NULL,
  raw bytea NOT NULL
);
ALTER TABLE queue_worker.dead ALTER raw SET STORAGE EXTERNAL, ALTER rec SET STORAGE EXTERNAL;
CREATE INDEX dead_died ON queue_worker.dead (died, id) INCLUDE (lane, reason, status, needs_force, size);
CREATE INDEX dead_lane ON queue_worker.dead (lane, died, id) INCLUDE (reason, status, needs_force, size);
CREATE INDEX dead_call ON queue_worker.dead (call, id);

CREATE TABLE queue_worker.dedup_0 (
  source bigint NOT NULL, ts bigint NOT NULL, seq bigint NOT NULL, PRIMARY KEY (source, ts, seq)
);
CREATE TABLE queue_worker.dedup_1 (LIKE queue_worker.dedup_0 INCLUDING ALL);
-- The sources by their hash: cluster, a zero byte, channel.
CREATE TABLE queue_worker.source (id bigint PRIMARY KEY, name bytea NOT NULL);

CREATE TABLE queue_worker.idempotency_key (
  hash bytea PRIMARY KEY, fingerprint bytea NOT NULL, id uuid NOT NULL, call_id bytea NOT NULL, expires bigint NOT NULL
);
CREATE INDEX idempotency_key_expires ON queue_worker.idempotency_key (expires);

CREATE TABLE queue_worker.result (
  id uuid PRIMARY KEY, call bigint NOT NULL, size int NOT NULL, expires bigint NOT NULL, rec bytea NOT NULL, body bytea
);
CREATE INDEX result_call ON queue_worker.result (call, id);
CREATE INDEX result_expires ON queue_worker.result (expires);

-- How invocations left the store. An id can come again, when it was imported.
CREATE TABLE queue_worker.finished (
  id uuid NOT NULL, at bigint NOT NULL, call bigint NOT NULL, rec bytea NOT NULL
);
CREATE INDEX finished_id ON queue_worker.finished (id);
CREATE INDEX finished_at ON queue_worker.finished (at, id);
CREATE INDEX finished_call ON queue_worker.finished (call, at);

CREATE TABLE queue_worker.tally (
  job uuid PRIMARY KEY, replayed bigint NOT NULL DEFAULT 0, succeeded bigint NOT NULL DEFAULT 0,
  failed_again bigint NOT NULL DEFAULT 0, dropped bigint NOT NULL DEFAULT 0, cancelled bigint NOT NULL DEFAULT 0
);

CREATE TABLE queue_worker.note (name bytea PRIMARY KEY, value bytea NOT NULL);
