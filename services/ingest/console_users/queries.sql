-- name: lock_owners
SELECT pg_advisory_xact_lock(hashtextextended('ingest.console_users/owners', 0))

-- An owner of the installation who can sign in.
-- name: owner_exists
SELECT EXISTS (
    SELECT 1
    FROM ingest.console_users u
    JOIN ingest.console_memberships m ON m.user_id = u.id
    WHERE m.role = 4 AND m.account_id IS NULL AND m.tenant_id IS NULL
        AND NOT u.disabled AND (u.password IS NOT NULL OR u.subject IS NOT NULL)
)

-- name: count
SELECT count(*) FROM ingest.console_users

-- $5: the account that the person belongs to, or null.
-- name: insert
INSERT INTO ingest.console_users (id, email, email_key, name, account_id) VALUES ($1, $2, $3, $4, $5)

-- name: count_of_account
SELECT count(*) FROM ingest.console_users WHERE account_id = $1

-- The accounts of places, in their order; null: of the whole installation, or of a tenant that does not exist.
-- name: accounts_of
SELECT coalesce(p.account_id, t.account_id) AS account_id
FROM unnest($1::uuid[], $2::uuid[]) WITH ORDINALITY AS p (account_id, tenant_id, number)
LEFT JOIN ingest.tenants t ON t.id = p.tenant_id
ORDER BY p.number

-- Whether a person who belongs to an account has a role outside it.
-- name: has_role_outside
SELECT EXISTS (
    SELECT 1
    FROM ingest.console_users u
    JOIN ingest.console_memberships m ON m.user_id = u.id
    LEFT JOIN ingest.tenants t ON t.id = m.tenant_id
    WHERE u.id = $1 AND u.account_id IS NOT NULL AND coalesce(m.account_id, t.account_id) IS DISTINCT FROM u.account_id
)

-- An invited person may be the first owner, and belongs to no account then.
-- name: make_owner
INSERT INTO ingest.console_users AS u (id, email, email_key, name, password)
VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (email_key) DO UPDATE SET
    email = EXCLUDED.email, name = EXCLUDED.name, password = EXCLUDED.password, disabled = false, account_id = NULL
RETURNING id

-- name: insert_memberships
INSERT INTO ingest.console_memberships (user_id, account_id, tenant_id, role)
SELECT $1, m.account_id, m.tenant_id, m.role
FROM unnest($2::uuid[], $3::uuid[], $4::smallint[]) AS m (account_id, tenant_id, role)

-- $2: only those within these accounts; null: all.
-- name: delete_memberships
DELETE FROM ingest.console_memberships m
WHERE m.user_id = $1 AND (
    $2::uuid[] IS NULL OR m.account_id = ANY ($2)
    OR m.tenant_id IN (SELECT t.id FROM ingest.tenants t WHERE t.account_id = ANY ($2))
)

-- name: count_memberships
SELECT count(*) FROM ingest.console_memberships WHERE user_id = $1

-- name: delete_installation_membership
DELETE FROM ingest.console_memberships WHERE user_id = $1 AND account_id IS NULL AND tenant_id IS NULL

-- What is null stays.
-- name: update
UPDATE ingest.console_users SET
    name = coalesce($2, name),
    email = coalesce($3, email),
    email_key = coalesce($4, email_key),
    -- Whoever signed in with the former address at an identity provider is somebody else.
    issuer = CASE WHEN $4::text IS NULL OR $4 = email_key THEN issuer END,
    subject = CASE WHEN $4::text IS NULL OR $4 = email_key THEN subject END,
    disabled = coalesce($5, disabled)
WHERE id = $1
RETURNING id

-- name: delete
DELETE FROM ingest.console_users WHERE id = $1 RETURNING id

-- name: users
SELECT u.id, u.email, u.name, u.disabled, u.password IS NOT NULL AS has_password, u.subject IS NOT NULL AS has_provider,
    u.created_at, u.last_sign_in_at, u.account_id,
    (SELECT max(l.expires_at) FROM ingest.console_links l WHERE l.user_id = u.id AND l.expires_at > now())
        AS link_expires_at
FROM ingest.console_users u
WHERE u.id = ANY ($1::uuid[])
ORDER BY u.id DESC

-- $4: only people who belong to these accounts, or have a role within them; null: all.
-- name: page
SELECT u.id
FROM ingest.console_users u
WHERE ($1::uuid IS NULL OR u.id < $1)
    AND ($2::text IS NULL OR strpos(u.email_key, $2) > 0 OR strpos(lower(u.name), $2) > 0)
    AND ($4::uuid[] IS NULL OR u.account_id = ANY ($4) OR EXISTS (
        SELECT 1
        FROM ingest.console_memberships m
        LEFT JOIN ingest.tenants t ON t.id = m.tenant_id
        WHERE m.user_id = u.id AND coalesce(m.account_id, t.account_id) = ANY ($4)
    ))
ORDER BY u.id DESC
LIMIT $3

-- $2: only those within these accounts; null: all.
-- name: memberships
SELECT m.user_id, m.account_id, m.tenant_id, m.role
FROM ingest.console_memberships m
LEFT JOIN ingest.tenants t ON t.id = m.tenant_id
WHERE m.user_id = ANY ($1::uuid[]) AND ($2::uuid[] IS NULL OR coalesce(m.account_id, t.account_id) = ANY ($2))
ORDER BY m.account_id NULLS FIRST, m.tenant_id NULLS FIRST

-- The tenants that a person's memberships in tenants and accounts reach, with their greatest role in each.
-- name: tenant_roles
SELECT r.tenant_id, max(r.role) AS role
FROM (
    SELECT m.tenant_id, m.role
    FROM ingest.console_memberships m
    WHERE m.user_id = $1 AND m.tenant_id IS NOT NULL
    UNION ALL
    SELECT t.id, m.role
    FROM ingest.console_memberships m
    JOIN ingest.tenants t ON t.account_id = m.account_id
    WHERE m.user_id = $1 AND m.account_id IS NOT NULL
) AS r
GROUP BY r.tenant_id
ORDER BY r.tenant_id
LIMIT $2

-- name: credentials
SELECT u.id, u.email, u.password, u.disabled FROM ingest.console_users u WHERE u.email_key = $1

-- name: set_password
UPDATE ingest.console_users SET password = $2 WHERE id = $1

-- Only while the password is still the one that was verified.
-- name: renew_hash
UPDATE ingest.console_users SET password = $3 WHERE id = $1 AND password = $2

-- name: accept_invitation
UPDATE ingest.console_users SET password = $2, name = coalesce(nullif($3::text, ''), name)
WHERE id = $1 AND NOT disabled
RETURNING id

-- name: of_subject
SELECT u.id, u.email, u.password, u.disabled FROM ingest.console_users u WHERE u.issuer = $1 AND u.subject = $2

-- Nothing changes for one that is bound to it already, by another sign-in at the same time.
-- name: bind_subject
UPDATE ingest.console_users SET issuer = $2, subject = $3, name = coalesce(nullif(name, ''), $4)
WHERE id = $1 AND NOT disabled AND (subject IS NULL OR issuer = $2 AND subject = $3)
RETURNING id
