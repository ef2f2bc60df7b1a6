-- What is stored of recipients besides: which addresses are unique, what they want of single categories, their devices.
ALTER TABLE router.recipients
    -- The address in lower case, of those who are stored so that nobody else may have it; null: of others.
    ADD COLUMN unique_email text,
    -- [{"channel": n, "category": "…", "wanted": false}, …], at most 200.
    ADD COLUMN category_preferences json NOT NULL DEFAULT '[]',
    -- [{"kind": "fcm", "token": "…"}, …], at most 10.
    ADD COLUMN device_tokens json NOT NULL DEFAULT '[]';

CREATE UNIQUE INDEX recipients_by_unique_email ON router.recipients (tenant_id, unique_email)
    WHERE unique_email IS NOT NULL;

-- Saved filters over the recipients of a tenant.
CREATE TABLE router.segments (
    tenant_id uuid NOT NULL,
    -- UUIDv7
    id uuid NOT NULL,
    key text NOT NULL,
    name text NOT NULL,
    -- See services/router/segments/filter.py. Not jsonb, which would change its numbers.
    filter json NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, id),
    UNIQUE (tenant_id, key)
);

CREATE INDEX segments_by_name ON router.segments (tenant_id, name, id);

-- CSV files of recipients, which are worked off in the background.
CREATE TABLE router.imports (
    tenant_id uuid NOT NULL,
    -- UUIDv7
    id uuid NOT NULL,
    file_name text NOT NULL,
    -- What each column of the file is, by its header, as it was asked for; empty: by their headers.
    columns json NOT NULL,
    tags text[] NOT NULL,
    unique_email boolean NOT NULL,
    created_by text NOT NULL,
    -- clarion.router.v1.ImportState
    state smallint NOT NULL,
    -- Bytes of the file, so far.
    size bigint NOT NULL DEFAULT 0,
    -- Once it is started: how the file is separated, its headers, and what each column is; empty: it is left out.
    delimiter text NOT NULL DEFAULT '',
    headers text[] NOT NULL DEFAULT '{}',
    fields text[] NOT NULL DEFAULT '{}',
    -- The byte and the line at which the next row begins.
    position bigint NOT NULL DEFAULT 0,
    line bigint NOT NULL DEFAULT 1,
    created bigint NOT NULL DEFAULT 0,
    updated bigint NOT NULL DEFAULT 0,
    faults bigint NOT NULL DEFAULT 0,
    detail text NOT NULL DEFAULT '',
    -- Identifiers of people who were erased since; rows with one of them are not stored.
    erased text[] NOT NULL DEFAULT '{}',
    -- How often in a row it could not be worked on because of our own fault.
    crashes integer NOT NULL DEFAULT 0,
    -- When it is worked on next, by whichever router; null: it has ended. While it is uploaded: when it is given up.
    wake_at timestamptz,
    created_at timestamptz NOT NULL DEFAULT now(),
    finished_at timestamptz,
    PRIMARY KEY (tenant_id, id)
);

CREATE INDEX imports_due ON router.imports (wake_at) WHERE wake_at IS NOT NULL;
CREATE INDEX imports_of_time ON router.imports (created_at);

-- The file of an import that has not ended.
CREATE TABLE router.import_chunks (
    tenant_id uuid NOT NULL,
    import_id uuid NOT NULL,
    -- Of its first byte.
    position bigint NOT NULL,
    body bytea NOT NULL,
    PRIMARY KEY (tenant_id, import_id, position),
    FOREIGN KEY (tenant_id, import_id) REFERENCES router.imports (tenant_id, id) ON DELETE CASCADE
);

-- Parts of it are read, which takes the whole where it is compressed.
ALTER TABLE router.import_chunks ALTER COLUMN body SET STORAGE EXTERNAL;

-- Rows of a file that were not stored.
CREATE TABLE router.import_faults (
    tenant_id uuid NOT NULL,
    import_id uuid NOT NULL,
    -- Of the file; the header is line 1.
    line bigint NOT NULL,
    -- Among those of its line.
    number integer NOT NULL,
    header text NOT NULL,
    description text NOT NULL,
    PRIMARY KEY (tenant_id, import_id, line, number),
    FOREIGN KEY (tenant_id, import_id) REFERENCES router.imports (tenant_id, id) ON DELETE CASCADE
);
