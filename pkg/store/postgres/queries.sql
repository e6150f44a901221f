-- All statements whose text is fixed. Each follows a line with its name.

-- name: fence
-- It fails with a division by zero for a session that is not live, or a batch that was committed.
WITH f AS (UPDATE queue_worker.session SET seq = $2 WHERE id = $1 AND seq = $2 - 1 AND state = 0 RETURNING 1)
SELECT 1 / count(*) FROM f

-- name: is live
SELECT EXISTS (SELECT 1 FROM queue_worker.session WHERE id = $1 AND state = 0)

-- name: fenced
SELECT seq, state FROM queue_worker.session WHERE id = $1 FOR UPDATE

-- name: stored ids
SELECT id FROM queue_worker.pending WHERE id = ANY($1) UNION ALL SELECT id FROM queue_worker.dead WHERE id = ANY($1)

-- name: known keys
SELECT hash, fingerprint, id, call_id, expires FROM queue_worker.idempotency_key WHERE hash = ANY($1)

-- name: known sources
SELECT d.source, d.ts, d.seq FROM unnest($1::bigint[], $2::bigint[], $3::bigint[]) AS u (source, ts, seq)
JOIN queue_worker.dedup_0 d ON d.source = u.source AND d.ts = u.ts AND d.seq = u.seq
UNION ALL
SELECT d.source, d.ts, d.seq FROM unnest($1::bigint[], $2::bigint[], $3::bigint[]) AS u (source, ts, seq)
JOIN queue_worker.dedup_1 d ON d.source = u.source AND d.ts = u.ts AND d.seq = u.seq

-- name: known results
SELECT id, size FROM queue_worker.result WHERE id = ANY($1)

-- name: leave
DELETE FROM queue_worker.pending p USING unnest($2::uuid[], $3::bigint[]) AS u (id, since)
WHERE p.id = u.id AND p.since = u.since AND (p.owner = $1 OR p.owner IS NULL)
RETURNING p.id, p.delayed, p.size, p.mailbox

-- name: retry
UPDATE queue_worker.pending p
SET since = u.next, delayed = u.delayed, owner = NULL, crashes = u.crashes, deadline = u.deadline, size = u.size, rec = u.rec
FROM unnest($2::uuid[], $3::bigint[], $4::bigint[], $5::boolean[], $6::smallint[], $7::bigint[], $8::int[], $9::bytea[])
  AS u (id, since, next, delayed, crashes, deadline, size, rec)
JOIN queue_worker.pending o ON o.id = u.id
WHERE p.id = u.id AND p.since = u.since AND (p.owner = $1 OR p.owner IS NULL)
RETURNING p.id, o.delayed, o.size, p.mailbox

-- name: bury
WITH b AS (
  DELETE FROM queue_worker.pending p
  USING unnest($2::uuid[], $3::bigint[], $4::bigint[], $5::text[], $6::int[], $7::boolean[], $8::int[], $9::bytea[])
    AS u (id, since, died, reason, status, needs_force, size, rec)
  WHERE p.id = u.id AND p.since = u.since AND (p.owner = $1 OR p.owner IS NULL)
  RETURNING p.id, p.lane, p.delayed, p.size AS was, p.mailbox, p.call, p.raw, u.died, u.reason, u.status, u.needs_force, u.size, u.rec
), x AS (
  INSERT INTO queue_worker.dead (id, lane, died, reason, status, needs_force, call, size, rec, raw)
  SELECT id, lane, died, reason, status, needs_force, call, size, rec, raw FROM b
)
SELECT id, delayed, was, mailbox FROM b

-- name: put pending
INSERT INTO queue_worker.pending (id, lane, since, delayed, deadline, mailbox, call, size, rec, raw)
SELECT * FROM unnest($1::uuid[], $2::bytea[], $3::bigint[], $4::boolean[], $5::bigint[], $6::boolean[], $7::bigint[], $8::int[], $9::bytea[], $10::bytea[])

-- name: put dead
INSERT INTO queue_worker.dead (id, lane, died, reason, status, needs_force, call, size, rec, raw)
SELECT * FROM unnest($1::uuid[], $2::bytea[], $3::bigint[], $4::text[], $5::int[], $6::boolean[], $7::bigint[], $8::int[], $9::bytea[], $10::bytea[])

-- name: remove keys
DELETE FROM queue_worker.idempotency_key WHERE hash = ANY($1)

-- name: put keys
INSERT INTO queue_worker.idempotency_key (hash, fingerprint, id, call_id, expires)
SELECT * FROM unnest($1::bytea[], $2::bytea[], $3::uuid[], $4::bytea[], $5::bigint[])

-- name: put dedup 0
INSERT INTO queue_worker.dedup_0 SELECT * FROM unnest($1::bigint[], $2::bigint[], $3::bigint[])

-- name: put dedup 1
INSERT INTO queue_worker.dedup_1 SELECT * FROM unnest($1::bigint[], $2::bigint[], $3::bigint[])

-- name: put results
INSERT INTO queue_worker.result (id, call, size, expires, rec, body)
SELECT * FROM unnest($1::uuid[], $2::bigint[], $3::int[], $4::bigint[], $5::bytea[], $6::bytea[])
ON CONFLICT (id) DO UPDATE SET call = excluded.call, size = excluded.size, expires = excluded.expires, rec = excluded.rec, body = excluded.body

-- name: put finished
INSERT INTO queue_worker.finished (id, at, call, rec) SELECT * FROM unnest($1::uuid[], $2::bigint[], $3::bigint[], $4::bytea[])

-- name: trim finished
DELETE FROM queue_worker.finished WHERE ctid = ANY (ARRAY(SELECT ctid FROM queue_worker.finished ORDER BY at, id LIMIT $1)) RETURNING length(rec)

-- name: count replayed
INSERT INTO queue_worker.tally (job, replayed) VALUES ($1, $2) ON CONFLICT (job) DO UPDATE SET replayed = tally.replayed + excluded.replayed

-- name: count outcomes
UPDATE queue_worker.tally SET succeeded = succeeded + $2, failed_again = failed_again + $3, dropped = dropped + $4, cancelled = cancelled + $5 WHERE job = $1

-- name: tally
SELECT replayed, succeeded, failed_again, dropped, cancelled FROM queue_worker.tally WHERE job = $1

-- name: drop tally
DELETE FROM queue_worker.tally WHERE job = $1

-- name: put note
INSERT INTO queue_worker.note (name, value) VALUES ($1, $2) ON CONFLICT (name) DO UPDATE SET value = excluded.value

-- name: remove note
DELETE FROM queue_worker.note WHERE name = $1

-- name: all notes
SELECT name, value FROM queue_worker.note

-- name: dead to change
SELECT id, rec FROM queue_worker.dead WHERE id = ANY($1) ORDER BY id FOR UPDATE

-- name: pending to change
SELECT id, delayed, crashes, rec FROM queue_worker.pending WHERE id = ANY($1) ORDER BY id FOR UPDATE

-- name: pending of calls
SELECT id, delayed, crashes, rec FROM queue_worker.pending WHERE call = ANY($1) ORDER BY call, id LIMIT $2 FOR UPDATE

-- name: dead of calls
SELECT id, rec FROM queue_worker.dead WHERE call = ANY($1) ORDER BY call, id LIMIT $2 FOR UPDATE

-- name: supersede
UPDATE queue_worker.dead d SET needs_force = true, rec = u.rec FROM unnest($1::uuid[], $2::bytea[]) AS u (id, rec) WHERE d.id = u.id

-- name: request
SELECT raw FROM queue_worker.pending WHERE id = $1

-- name: are dead
SELECT id FROM queue_worker.dead WHERE id = ANY($1)

-- name: replay
WITH d AS (
  DELETE FROM queue_worker.dead d USING unnest($1::uuid[], $2::bigint[], $3::boolean[], $4::bytea[]) AS u (id, since, mailbox, rec)
  WHERE d.id = u.id RETURNING d.id, d.lane, u.since, u.mailbox, d.call, d.size, u.rec, d.raw
)
INSERT INTO queue_worker.pending (id, lane, since, delayed, mailbox, call, size, rec, raw)
SELECT id, lane, since, false, mailbox, call, size, rec, raw FROM d

-- name: remove dead
DELETE FROM queue_worker.dead WHERE id = ANY($1)

-- name: remove pending
DELETE FROM queue_worker.pending WHERE id = ANY($1)

-- name: too old
SELECT id, rec FROM queue_worker.dead WHERE died < $1 ORDER BY died, id LIMIT $2 FOR UPDATE

-- name: oldest dead
SELECT id, lane, died, size FROM queue_worker.dead WHERE (died, id) > ($1, $2) ORDER BY died, id LIMIT $3

-- name: sweep keys
DELETE FROM queue_worker.idempotency_key WHERE ctid = ANY (ARRAY(SELECT ctid FROM queue_worker.idempotency_key WHERE expires <= $1 ORDER BY expires LIMIT $2))

-- name: sweep results
DELETE FROM queue_worker.result WHERE ctid = ANY (ARRAY(SELECT ctid FROM queue_worker.result WHERE expires <= $1 ORDER BY expires LIMIT $2)) RETURNING size

-- name: sweep finished
DELETE FROM queue_worker.finished WHERE ctid = ANY (ARRAY(SELECT ctid FROM queue_worker.finished WHERE at <= $1 ORDER BY at LIMIT $2)) RETURNING length(rec)

-- name: unclaim
DELETE FROM queue_worker.idempotency_key WHERE hash = $1 AND fingerprint = $2 AND expires = $3

-- name: due
SELECT id, lane, since, mailbox FROM queue_worker.pending WHERE delayed AND (since, id) > ($1, $2) ORDER BY since, id LIMIT $3

-- name: clear delayed
UPDATE queue_worker.pending SET delayed = false WHERE delayed AND (since, id) <= ($1, $2) AND NOT id = ANY($3)

-- name: keep cursor
UPDATE queue_worker.meta SET due_since = $1, due_id = $2, latest = $3

-- name: next deadline
SELECT coalesce(min(deadline), 9223372036854775807) FROM queue_worker.pending WHERE deadline IS NOT NULL

-- name: overdue
SELECT id, deadline FROM queue_worker.pending
WHERE deadline IS NOT NULL AND deadline < $1 AND (deadline, id) > ($2, $3) AND (owner = $4 OR owner IS NULL) ORDER BY deadline, id LIMIT $5

-- name: look
SELECT id, since FROM queue_worker.pending
WHERE lane = $1 AND (since, id) > ($2, $3) AND since <= $4 AND (NOT delayed OR (since, id) <= ($5, $6)) AND (owner = $7 OR owner IS NULL)
ORDER BY since, id LIMIT $8

-- name: oldest
SELECT since FROM queue_worker.pending
WHERE lane = $1 AND since <= $2 AND (NOT delayed OR (since, id) <= ($3, $4)) ORDER BY since, id LIMIT 1

-- name: ready lanes
-- It goes from lane to lane over the index, whatever is in each, and stops at the limit.
WITH RECURSIVE l AS (
  (SELECT lane FROM queue_worker.pending WHERE lane > $1 ORDER BY lane LIMIT 1)
  UNION ALL
  SELECT (SELECT p.lane FROM queue_worker.pending p WHERE p.lane > l.lane ORDER BY p.lane LIMIT 1) FROM l WHERE l.lane IS NOT NULL
)
SELECT lane FROM l WHERE lane IS NOT NULL AND (substr(lane, position('\x00'::bytea in lane) + 1, length($2)) = $2::bytea) = $3
AND (SELECT true FROM queue_worker.pending p
  WHERE p.lane = l.lane AND p.since <= $4 AND (NOT p.delayed OR (p.since, p.id) <= ($5, $6)) ORDER BY p.since, p.id LIMIT 1)
LIMIT $7

-- name: own
-- A takeover removes the presence first, and so waits for those who own just now.
WITH live AS (
  SELECT p.session FROM queue_worker.presence p JOIN queue_worker.session s ON s.id = p.session WHERE p.session = $1 AND s.state = 0 FOR KEY SHARE OF p
)
UPDATE queue_worker.pending p SET owner = live.session FROM unnest($2::uuid[], $3::bigint[]) AS u (id, since), live
WHERE p.id = u.id AND p.since = u.since AND (p.owner = $1 OR p.owner IS NULL)
RETURNING p.id, p.crashes, p.rec, p.raw

-- name: give back
UPDATE queue_worker.pending SET owner = NULL WHERE id = ANY($2) AND owner = $1

-- name: load
SELECT crashes, rec, raw FROM queue_worker.pending WHERE id = $1 UNION ALL SELECT 0, rec, raw FROM queue_worker.dead WHERE id = $1

-- name: get
SELECT crashes, rec FROM queue_worker.pending WHERE id = $1 UNION ALL SELECT 0, rec FROM queue_worker.dead WHERE id = $1

-- name: call
(SELECT 0, id, crashes, rec FROM queue_worker.pending WHERE call = $1 ORDER BY id LIMIT $2)
UNION ALL (SELECT 1, id, 0, rec FROM queue_worker.dead WHERE call = $1 ORDER BY id LIMIT $2)
UNION ALL (SELECT 2, id, 0, rec FROM queue_worker.result WHERE call = $1 AND expires > $3 ORDER BY id DESC LIMIT $2)

-- name: result
SELECT rec FROM queue_worker.result WHERE id = $1 AND expires > $2

-- name: result with body
SELECT rec, body FROM queue_worker.result WHERE id = $1 AND expires > $2

-- name: end
SELECT rec FROM queue_worker.finished WHERE id = $1 AND at > $2 ORDER BY at DESC LIMIT 1

-- name: ends of call
SELECT rec FROM queue_worker.finished WHERE call = $1 AND at > $2 ORDER BY at DESC LIMIT $3

-- name: count pending
SELECT lane, delayed AND (since, id) > ($1, $2) AS later, count(*), sum(size), count(*) FILTER (WHERE mailbox) FROM queue_worker.pending GROUP BY 1, 2

-- name: count dead
SELECT lane, count(*), sum(size) FROM queue_worker.dead GROUP BY 1

-- name: count beside
SELECT (SELECT count(*) FROM queue_worker.idempotency_key), (SELECT count(*) FROM queue_worker.result), (SELECT coalesce(sum(size), 0) FROM queue_worker.result),
  (SELECT count(*) FROM queue_worker.finished), (SELECT coalesce(sum(length(rec)), 0) FROM queue_worker.finished),
  (SELECT coalesce(min(since), 9223372036854775807) FROM queue_worker.pending WHERE delayed AND (since, id) > ($1, $2)),
  (SELECT coalesce(min(deadline), 9223372036854775807) FROM queue_worker.pending WHERE deadline IS NOT NULL)

-- name: count lane
SELECT (SELECT count(*) FROM queue_worker.pending WHERE lane = $1 AND NOT (delayed AND (since, id) > ($2, $3))),
  (SELECT count(*) FROM queue_worker.pending WHERE lane = $1 AND delayed AND (since, id) > ($2, $3)),
  (SELECT count(*) FROM queue_worker.dead WHERE lane = $1), (SELECT coalesce(sum(size), 0) FROM queue_worker.dead WHERE lane = $1)

-- name: forget finished
DELETE FROM queue_worker.finished

-- name: in flight
SELECT p.id, p.delayed, p.crashes, p.rec, s.state IS DISTINCT FROM 1 AS crashed FROM queue_worker.pending p
LEFT JOIN queue_worker.session s ON s.id = p.owner WHERE p.owner IS NOT NULL AND p.owner <> $1 FOR UPDATE OF p

-- name: count crashes
UPDATE queue_worker.pending p SET owner = NULL, crashes = u.crashes FROM unnest($1::uuid[], $2::smallint[]) AS u (id, crashes) WHERE p.id = u.id

-- name: holder
SELECT name FROM queue_worker.session WHERE state = 0 ORDER BY id DESC LIMIT 1

-- name: remove presences
DELETE FROM queue_worker.presence

-- name: end sessions
UPDATE queue_worker.session SET state = 2 WHERE state = 0

-- name: begin session
WITH s AS (INSERT INTO queue_worker.session (name) VALUES ($1) RETURNING id)
INSERT INTO queue_worker.presence (session, beat, lock_pid) SELECT id, clock_timestamp(), $2 FROM s RETURNING session

-- name: beat
UPDATE queue_worker.presence SET beat = clock_timestamp(), lock_pid = pg_backend_pid() WHERE session = $1

-- name: rival
-- A server that has just started has no sign of life of any worker: its start counts as a sign of life.
SELECT s.name FROM queue_worker.session s JOIN queue_worker.presence p ON p.session = s.id
WHERE s.state = 0 AND s.id <> $1 AND s.name <> $2 AND greatest(p.beat, pg_postmaster_start_time()) >= clock_timestamp() - make_interval(secs => $3)
ORDER BY s.id DESC LIMIT 1

-- name: fence silent
WITH d AS (
  DELETE FROM queue_worker.presence WHERE greatest(beat, pg_postmaster_start_time()) < clock_timestamp() - make_interval(secs => $1)
  RETURNING session, beat, lock_pid
), f AS (
  UPDATE queue_worker.session s SET state = 2 FROM d WHERE s.id = d.session AND s.state = 0
  RETURNING s.name, d.lock_pid, extract(epoch FROM clock_timestamp() - d.beat)::float8 AS silent
)
SELECT name, silent, (
  SELECT bool_or(pg_terminate_backend(l.pid)) FROM pg_locks l WHERE l.locktype = 'advisory' AND l.granted AND l.pid = f.lock_pid
    AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database()) AND (l.classid::bigint << 32) + l.objid::bigint = $2
) IS TRUE FROM f

-- name: forget sessions
DELETE FROM queue_worker.session WHERE id <> $1

-- name: end session
WITH p AS (DELETE FROM queue_worker.presence WHERE session = $1)
UPDATE queue_worker.session SET state = 1 WHERE id = $1 AND state = 0

-- name: meta
SELECT secret, dedup_generation, dedup_began, due_since, due_id, latest FROM queue_worker.meta

-- name: turn dedup
UPDATE queue_worker.meta SET dedup_generation = $1, dedup_began = $2

-- name: size
SELECT coalesce(sum(pg_total_relation_size(c.oid)), 0)::bigint FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = 'queue_worker' AND c.relkind = 'r'

-- name: disown
UPDATE queue_worker.pending SET owner = NULL WHERE id = $1

-- name: name sources
INSERT INTO queue_worker.source (id, name) SELECT * FROM unnest($1::bigint[], $2::bytea[]) ON CONFLICT (id) DO NOTHING

-- name: put secret
UPDATE queue_worker.meta SET secret = $1

-- name: items: notes
SELECT name, value FROM queue_worker.note WHERE name > $1 ORDER BY name LIMIT $2

-- name: items: tallies
SELECT job, replayed, succeeded, failed_again, dropped, cancelled FROM queue_worker.tally WHERE job > $1 ORDER BY job LIMIT $2

-- name: items: sources
SELECT d.source, d.ts, d.seq, s.name FROM (
  (SELECT source, ts, seq FROM queue_worker.dedup_0 WHERE (source, ts, seq) > ($1, $2, $3) ORDER BY source, ts, seq LIMIT $4)
  UNION
  (SELECT source, ts, seq FROM queue_worker.dedup_1 WHERE (source, ts, seq) > ($1, $2, $3) ORDER BY source, ts, seq LIMIT $4)
) d LEFT JOIN queue_worker.source s ON s.id = d.source ORDER BY d.source, d.ts, d.seq LIMIT $4

-- name: items: invocations
-- The sizes decide first how many rows are read.
WITH n AS (
  (SELECT id, size FROM queue_worker.pending WHERE id > $1 ORDER BY id LIMIT $2)
  UNION ALL (SELECT id, size FROM queue_worker.dead WHERE id > $1 ORDER BY id LIMIT $2)
), p AS (
  SELECT id FROM (SELECT id, sum(size) OVER (ORDER BY id) - size AS before FROM (SELECT * FROM n ORDER BY id LIMIT $2) m) w WHERE before < $3
)
SELECT id, crashes, rec, raw FROM queue_worker.pending WHERE id IN (SELECT id FROM p)
UNION ALL SELECT id, 0, rec, raw FROM queue_worker.dead WHERE id IN (SELECT id FROM p)
ORDER BY id

-- name: items: keys
SELECT hash, fingerprint, id, call_id, expires FROM queue_worker.idempotency_key WHERE hash > $1 ORDER BY hash LIMIT $2

-- name: items: results
SELECT id, rec, body FROM queue_worker.result WHERE id IN (
  SELECT id FROM (
    SELECT id, sum(size) OVER (ORDER BY id) - size AS before FROM (SELECT id, size FROM queue_worker.result WHERE id > $1 ORDER BY id LIMIT $2) m
  ) w WHERE before < $3
) ORDER BY id

-- name: items: ends
SELECT at, id, rec FROM queue_worker.finished WHERE (at, id) > ($1, $2) ORDER BY at, id LIMIT $3
