-- Raised epochs by keyed digests, and only for as long as tokens of before may live. Realtime brings realtime.epochs
-- over, for the key is not known here, and empties it an hour later (services/adoption.py); until then processes of the
-- version before go on with it.
CREATE TABLE realtime.revocations (
    tenant_id text NOT NULL,
    -- services.pseudonyms: keyed BLAKE2b over tenant and user. Empty: the whole tenant's.
    recipient text NOT NULL,
    epoch bigint NOT NULL,
    raised_at timestamptz NOT NULL DEFAULT now(),
    -- When a token of this epoch was last issued, or an hour less.
    used_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, recipient)
);
CREATE INDEX revocations_age ON realtime.revocations (used_at) WHERE recipient <> '';

-- By which key the digests are made (services/pseudonyms.py): one row. copied: those of the version before are, too, so
-- it may be published.
CREATE TABLE realtime.pseudonym_key (
    only_one boolean PRIMARY KEY DEFAULT true CHECK (only_one),
    fingerprint text NOT NULL,
    copied boolean NOT NULL DEFAULT false
);
