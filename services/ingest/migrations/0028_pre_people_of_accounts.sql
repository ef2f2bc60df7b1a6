-- The account whose owners manage this person, who has roles nowhere else; null: the owners of the installation do.
ALTER TABLE ingest.console_users ADD COLUMN account_id uuid REFERENCES ingest.accounts (id) ON DELETE CASCADE;
CREATE INDEX console_users_account ON ingest.console_users (account_id) WHERE account_id IS NOT NULL;
