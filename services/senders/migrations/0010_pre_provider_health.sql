-- How providers are doing; see services/senders/health. Times are Unix microseconds, by the clocks of the senders.

-- The circuit breakers that are not closed: each process has its own.
CREATE TABLE senders.provider_breakers (
    provider_id text NOT NULL,
    process_id uuid NOT NULL,
    tenant_id text NOT NULL,
    -- A word of services.domain.reasons.
    reason text NOT NULL,
    since_us bigint NOT NULL,
    next_try_us bigint NOT NULL,
    -- Raised every ten seconds: a row that is older belongs to a process that has ended.
    seen_at timestamptz NOT NULL,
    PRIMARY KEY (provider_id, process_id)
);

CREATE INDEX provider_breakers_of_process ON senders.provider_breakers (process_id);

-- Calls in steps of five minutes, kept for two hours.
CREATE TABLE senders.provider_calls (
    provider_id text NOT NULL,
    step_us bigint NOT NULL,
    calls bigint NOT NULL,
    failures bigint NOT NULL,
    refusals bigint NOT NULL,
    PRIMARY KEY (provider_id, step_us)
);

CREATE INDEX provider_calls_by_age ON senders.provider_calls (step_us);

-- The last call that failed because of the provider, kept for seven days.
CREATE TABLE senders.provider_failures (
    provider_id text PRIMARY KEY,
    at_us bigint NOT NULL,
    reason text NOT NULL,
    -- The provider's words, without addresses and numbers.
    detail text NOT NULL
);

CREATE INDEX provider_failures_by_age ON senders.provider_failures (at_us);

-- Test messages, for their limit; kept for a day.
CREATE TABLE senders.provider_tests (
    id bigserial PRIMARY KEY,
    tenant_id text NOT NULL,
    provider_id text NOT NULL,
    tested_at timestamptz NOT NULL DEFAULT now()
);

CREATE INDEX provider_tests_of_tenant ON senders.provider_tests (tenant_id, tested_at);
CREATE INDEX provider_tests_by_age ON senders.provider_tests (tested_at);
