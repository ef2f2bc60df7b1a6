-- The people who sign in to the console, their memberships, sessions and links.

CREATE TABLE ingest.console_users (
    id uuid PRIMARY KEY,
    email text NOT NULL,
    -- The address in the form in which addresses are compared.
    email_key text NOT NULL UNIQUE,
    name text NOT NULL DEFAULT '',
    -- An Argon2id hash with its parameters; null: none is set yet.
    password text,
    disabled boolean NOT NULL DEFAULT false,
    -- Whom an identity provider means; null: not bound to one.
    issuer text,
    subject text,
    created_at timestamptz NOT NULL DEFAULT now(),
    last_sign_in_at timestamptz,
    UNIQUE (issuer, subject),
    CHECK ((issuer IS NULL) = (subject IS NULL))
);

CREATE TABLE ingest.console_memberships (
    user_id uuid NOT NULL REFERENCES ingest.console_users (id) ON DELETE CASCADE,
    -- Both null: in the whole installation.
    account_id uuid REFERENCES ingest.accounts (id) ON DELETE CASCADE,
    tenant_id uuid REFERENCES ingest.tenants (id) ON DELETE CASCADE,
    -- clarion.ingest.v1.ConsoleRole
    role smallint NOT NULL CHECK (role BETWEEN 1 AND 4),
    CHECK (account_id IS NULL OR tenant_id IS NULL)
);
CREATE UNIQUE INDEX console_memberships_place ON ingest.console_memberships (
    user_id,
    coalesce(account_id, '00000000-0000-0000-0000-000000000000'),
    coalesce(tenant_id, '00000000-0000-0000-0000-000000000000')
);
CREATE INDEX console_memberships_account ON ingest.console_memberships (account_id) WHERE account_id IS NOT NULL;
CREATE INDEX console_memberships_tenant ON ingest.console_memberships (tenant_id) WHERE tenant_id IS NOT NULL;
CREATE INDEX tenants_account ON ingest.tenants (account_id);

CREATE TABLE ingest.console_sessions (
    id uuid PRIMARY KEY,
    -- SHA-256 of the token: 256 random bits need no salt.
    digest bytea NOT NULL UNIQUE,
    user_id uuid NOT NULL REFERENCES ingest.console_users (id) ON DELETE CASCADE,
    user_agent text NOT NULL,
    address text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    last_seen_at timestamptz NOT NULL DEFAULT now(),
    -- However much it is used.
    ends_at timestamptz NOT NULL
);
CREATE INDEX console_sessions_user ON ingest.console_sessions (user_id);
CREATE INDEX console_sessions_ends ON ingest.console_sessions (ends_at);

CREATE TABLE ingest.console_links (
    digest bytea PRIMARY KEY,
    -- clarion.ingest.v1.ConsoleLinkKind
    kind smallint NOT NULL,
    -- Null: the first owner's, who is nobody yet.
    user_id uuid REFERENCES ingest.console_users (id) ON DELETE CASCADE,
    created_at timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz NOT NULL
);
CREATE INDEX console_links_user ON ingest.console_links (user_id);
CREATE INDEX console_links_expires ON ingest.console_links (expires_at);

-- Failed sign-ins, by a digest of the address that was typed, whether or not somebody has it.
CREATE TABLE ingest.console_failures (
    digest bytea PRIMARY KEY,
    failures integer NOT NULL,
    began_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX console_failures_began ON ingest.console_failures (began_at);
