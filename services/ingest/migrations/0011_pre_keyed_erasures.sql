-- Erasures by keyed digests. Ingest brings ingest.erasures over, for the key is not known here, and empties it an hour
-- later (services/adoption.py); until then processes of the version before go on with it.
CREATE TABLE ingest.recipient_erasures (
    id uuid PRIMARY KEY,
    tenant_id uuid NOT NULL,
    -- services.pseudonyms: keyed BLAKE2b over a SHA-256 over tenant and user.
    recipient text NOT NULL,
    erased_at timestamptz NOT NULL,
    UNIQUE (tenant_id, recipient)
);

-- By which key the digests are made (services/pseudonyms.py): one row. copied: those of the version before are, too, so
-- it may be published.
CREATE TABLE ingest.pseudonym_key (
    only_one boolean PRIMARY KEY DEFAULT true CHECK (only_one),
    fingerprint text NOT NULL,
    copied boolean NOT NULL DEFAULT false
);

-- The files of the broker hold what was deleted until they are given up (services/ingest/privacy/clearing.py). One row.
CREATE TABLE ingest.clearing (
    only_one boolean PRIMARY KEY DEFAULT true CHECK (only_one),
    -- What was erased until then is in no file any more.
    cleared_until timestamptz NOT NULL,
    -- The clearing under way: of what was erased until then; null: none is.
    until timestamptz,
    -- When files were closed for it, and by each stream's name up to which message they go: what is still to be purged.
    closed_at timestamptz,
    sequences jsonb,
    made_at timestamptz NOT NULL DEFAULT now()
);
-- The version before wrote the plain names of users there: one clearing is due.
INSERT INTO ingest.clearing (cleared_until) VALUES ('-infinity');
