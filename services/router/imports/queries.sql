-- The number of a tenant's imports that have not ended is bounded: whoever begins one holds the lock.
-- name: lock
SELECT pg_advisory_xact_lock(hashtextextended('router.imports/' || $1, 0))

-- name: number_under_way
SELECT count(*) FROM router.imports i WHERE i.tenant_id = $1 AND i.wake_at IS NOT NULL

-- name: insert
INSERT INTO router.imports (tenant_id, id, file_name, columns, tags, unique_email, created_by, state, wake_at)
VALUES ($1, $2, $3, $4::json, $5, $6, $7, $8, now() + $9 * interval '1 second')

-- name: get
SELECT i.tenant_id, i.id, i.file_name, i.columns, i.tags, i.unique_email, i.created_by, i.state, i.size, i.delimiter,
    i.headers, i.fields, i.position, i.line, i.created, i.updated, i.faults, i.detail, i.erased, i.crashes, i.created_at,
    i.finished_at
FROM router.imports i
WHERE i.tenant_id = $1 AND i.id = $2

-- name: lock_one
SELECT i.state, i.size FROM router.imports i WHERE i.tenant_id = $1 AND i.id = $2 FOR UPDATE

-- name: page
SELECT i.tenant_id, i.id, i.file_name, i.columns, i.tags, i.unique_email, i.created_by, i.state, i.size, i.delimiter,
    i.headers, i.fields, i.position, i.line, i.created, i.updated, i.faults, i.detail, i.erased, i.crashes, i.created_at,
    i.finished_at
FROM router.imports i
WHERE i.tenant_id = $1 AND i.id < $2
ORDER BY i.id DESC
LIMIT $3

-- name: add_chunk
INSERT INTO router.import_chunks (tenant_id, import_id, position, body) VALUES ($1, $2, $3, $4)

-- name: has_chunk
SELECT EXISTS (
    SELECT FROM router.import_chunks c WHERE c.tenant_id = $1 AND c.import_id = $2 AND c.position = $3 AND c.body = $4
)

-- name: grow
UPDATE router.imports i SET size = $3, wake_at = now() + $4 * interval '1 second' WHERE i.tenant_id = $1 AND i.id = $2

-- name: start
UPDATE router.imports i SET
    state = $3, delimiter = $4, headers = $5, fields = $6, position = $7, line = $8, wake_at = now()
WHERE i.tenant_id = $1 AND i.id = $2

-- name: delete
DELETE FROM router.imports i WHERE i.tenant_id = $1 AND i.id = $2

-- The next bytes of a file: at most $4 of each chunk from byte $3 on. A chunk has at most $5.
-- name: part
SELECT substring(c.body FROM greatest($3 - c.position, 0)::integer + 1 FOR $4) AS body
FROM router.import_chunks c
WHERE c.tenant_id = $1 AND c.import_id = $2 AND c.position > $3::bigint - $5::bigint AND c.position < $3::bigint + $4
ORDER BY c.position

-- One that is worked on next. Its row is locked while a step is taken, and so nobody else works on it.
-- name: claim
SELECT i.tenant_id, i.id, i.file_name, i.columns, i.tags, i.unique_email, i.created_by, i.state, i.size, i.delimiter,
    i.headers, i.fields, i.position, i.line, i.created, i.updated, i.faults, i.detail, i.erased, i.crashes, i.created_at,
    i.finished_at
FROM router.imports i
WHERE i.wake_at <= now()
ORDER BY i.wake_at
LIMIT 1
FOR UPDATE SKIP LOCKED

-- name: progress
UPDATE router.imports i SET
    position = $3, line = $4, created = i.created + $5, updated = i.updated + $6, faults = i.faults + $7, crashes = 0,
    -- Behind the others that are due: they take turns.
    wake_at = clock_timestamp()
WHERE i.tenant_id = $1 AND i.id = $2

-- name: end
UPDATE router.imports i SET state = $3, detail = $4, wake_at = NULL, erased = '{}', finished_at = now()
WHERE i.tenant_id = $1 AND i.id = $2 AND i.wake_at IS NOT NULL

-- name: delete_chunks
DELETE FROM router.import_chunks c WHERE c.tenant_id = $1 AND c.import_id = $2

-- name: crashed
UPDATE router.imports i SET crashes = i.crashes + 1, wake_at = now() + $3 * interval '1 second'
WHERE i.tenant_id = $1 AND i.id = $2 AND i.wake_at IS NOT NULL
RETURNING i.crashes

-- name: add_faults
INSERT INTO router.import_faults (tenant_id, import_id, line, number, header, description)
SELECT $1, $2, wanted.line, wanted.number, wanted.header, wanted.description
FROM unnest($3::bigint[], $4::integer[], $5::text[], $6::text[]) AS wanted (line, number, header, description)

-- name: faults
SELECT f.line, f.number, f.header, f.description
FROM router.import_faults f
WHERE f.tenant_id = $1 AND f.import_id = $2 AND (f.line, f.number) > ($3::bigint, $4::integer)
ORDER BY f.line, f.number
LIMIT $5

-- name: add_erased
UPDATE router.imports i SET erased = i.erased || $2::text[] WHERE i.tenant_id = $1 AND i.wake_at IS NOT NULL

-- name: delete_old
DELETE FROM router.imports i
WHERE (i.tenant_id, i.id) IN (
    SELECT o.tenant_id, o.id
    FROM router.imports o
    WHERE o.created_at < now() - $1 * interval '1 second' AND o.wake_at IS NULL
    ORDER BY o.created_at
    LIMIT $2
)
