-- Endpoints of tenants, what they subscribe to, and what they are organized by. All keys begin with the tenant, so that
-- a row never refers to one of another tenant.
CREATE TABLE router.environments (
    tenant_id uuid NOT NULL,
    -- UUIDv7; of the default one made of the tenant's (services/router/catalogs/check.py).
    id uuid NOT NULL,
    name text NOT NULL,
    slug text NOT NULL,
    is_default boolean NOT NULL DEFAULT false,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, id),
    UNIQUE (tenant_id, slug)
);

CREATE TABLE router.event_types (
    tenant_id uuid NOT NULL,
    -- Made of tenant and name (services/domain/endpoints.py).
    id uuid NOT NULL,
    -- Compared by bytes, so that the order of a list is the same in every database.
    name text COLLATE "C" NOT NULL,
    description text NOT NULL,
    -- The number of its rows in subscriptions, and the bytes of their filters.
    subscribers bigint NOT NULL DEFAULT 0,
    filter_bytes bigint NOT NULL DEFAULT 0,
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, id),
    -- Lists and publication follow it.
    UNIQUE (tenant_id, name)
);

-- The event types that an environment shows in the portal.
CREATE TABLE router.visible_event_types (
    tenant_id uuid NOT NULL,
    environment_id uuid NOT NULL,
    event_type_id uuid NOT NULL,
    PRIMARY KEY (tenant_id, environment_id, event_type_id),
    FOREIGN KEY (tenant_id, environment_id) REFERENCES router.environments (tenant_id, id) ON DELETE CASCADE,
    FOREIGN KEY (tenant_id, event_type_id) REFERENCES router.event_types (tenant_id, id) ON DELETE CASCADE
);

CREATE INDEX visible_event_types_of_type ON router.visible_event_types (tenant_id, event_type_id);

CREATE TABLE router.applications (
    tenant_id uuid NOT NULL,
    -- UUIDv7: an application that was created later sorts later.
    id uuid NOT NULL,
    -- Empty: it has none.
    external_id text NOT NULL,
    name text NOT NULL,
    -- A JSON object of texts.
    metadata json NOT NULL,
    -- Null: no limit.
    max_endpoints integer,
    show_event_types boolean NOT NULL,
    -- The number of its rows in endpoints.
    endpoints bigint NOT NULL DEFAULT 0,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, id)
);

CREATE UNIQUE INDEX applications_by_external_id ON router.applications (tenant_id, external_id) WHERE external_id <> '';

CREATE TABLE router.endpoints (
    tenant_id uuid NOT NULL,
    -- UUIDv7: an endpoint that was created later sorts later.
    id uuid NOT NULL,
    environment_id uuid NOT NULL,
    -- Null: it belongs to none.
    application_id uuid,
    -- clarion.router.v1.EndpointKind and EndpointMode
    kind smallint NOT NULL,
    mode smallint NOT NULL,
    -- Empty: nothing is sent to it.
    url text NOT NULL,
    description text NOT NULL,
    -- JSON objects.
    metadata json NOT NULL,
    config json NOT NULL,
    -- Of sealed_headers, an encrypted JSON object; empty: there are none.
    header_names text[] NOT NULL,
    sealed_headers bytea NOT NULL,
    -- Of sealed_auth, the encrypted "user:password"; empty: there is none.
    auth_username text NOT NULL,
    sealed_auth bytea NOT NULL,
    is_active boolean NOT NULL DEFAULT true,
    -- Empty and null while it is active.
    disabled_reason text NOT NULL DEFAULT '',
    disabled_at timestamptz,
    rate_per_s integer NOT NULL,
    batch_size smallint NOT NULL,
    retry_delays_s integer[] NOT NULL,
    revision bigint NOT NULL DEFAULT 1,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, id),
    FOREIGN KEY (tenant_id, environment_id) REFERENCES router.environments (tenant_id, id),
    FOREIGN KEY (tenant_id, application_id) REFERENCES router.applications (tenant_id, id)
);

-- Pages follow them, and so do the checks of the foreign keys.
CREATE INDEX endpoints_of_environment ON router.endpoints (tenant_id, environment_id, id);
CREATE INDEX endpoints_of_application ON router.endpoints (tenant_id, application_id, id)
    WHERE application_id IS NOT NULL;

CREATE TABLE router.endpoint_secrets (
    tenant_id uuid NOT NULL,
    endpoint_id uuid NOT NULL,
    id uuid NOT NULL,
    ciphertext bytea NOT NULL,
    last4 text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    -- Null: it is the newest.
    expires_at timestamptz,
    PRIMARY KEY (tenant_id, endpoint_id, id),
    FOREIGN KEY (tenant_id, endpoint_id) REFERENCES router.endpoints (tenant_id, id) ON DELETE CASCADE
);

CREATE UNIQUE INDEX endpoint_secrets_newest ON router.endpoint_secrets (tenant_id, endpoint_id)
    WHERE expires_at IS NULL;

CREATE TABLE router.subscriptions (
    tenant_id uuid NOT NULL,
    event_type_id uuid NOT NULL,
    endpoint_id uuid NOT NULL,
    -- UUIDv7: a subscription that was created later sorts later.
    id uuid NOT NULL,
    -- A JSON-Logic rule as JSON text; empty: all events.
    filter text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    -- Publication, and pages over the endpoints of a type, follow it.
    PRIMARY KEY (tenant_id, event_type_id, endpoint_id),
    FOREIGN KEY (tenant_id, event_type_id) REFERENCES router.event_types (tenant_id, id),
    FOREIGN KEY (tenant_id, endpoint_id) REFERENCES router.endpoints (tenant_id, id)
);

CREATE UNIQUE INDEX subscriptions_of_endpoint ON router.subscriptions (tenant_id, endpoint_id, id);

-- How much a tenant has: counting the rows would take too long.
CREATE TABLE router.endpoint_counts (
    tenant_id uuid PRIMARY KEY,
    endpoints bigint NOT NULL,
    event_types bigint NOT NULL,
    applications bigint NOT NULL,
    subscriptions bigint NOT NULL,
    -- Of all subscriptions' filters.
    filter_bytes bigint NOT NULL
);
