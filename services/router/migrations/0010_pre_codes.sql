-- One-time codes that were sent to somebody and wait to be entered; see services/router/codes. A row is deleted an hour
-- after its code has expired.
CREATE TABLE router.codes (
    id uuid PRIMARY KEY,
    tenant_id uuid NOT NULL,
    -- SHA-256 of the session's token, which is not stored.
    token_hash bytea NOT NULL UNIQUE,
    scope text NOT NULL,
    subject text NOT NULL,
    -- The keyed hash of token and code; the code is not stored.
    code_hash bytea NOT NULL,
    digits smallint NOT NULL,
    ttl interval NOT NULL,
    resend_after interval NOT NULL,
    max_attempts smallint NOT NULL,
    -- With the current code.
    attempts smallint NOT NULL DEFAULT 0,
    renewals smallint NOT NULL DEFAULT 0,
    memo bytea NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    -- When the current code was made, and until when it is good.
    made_at timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz NOT NULL,
    verified_at timestamptz
);

-- How many were made for one subject lately.
CREATE INDEX codes_of_subject ON router.codes (tenant_id, scope, subject, created_at);
-- What is old is deleted.
CREATE INDEX codes_by_end ON router.codes (expires_at);
