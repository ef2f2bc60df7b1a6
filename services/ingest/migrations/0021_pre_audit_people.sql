-- Who an actor was when the entry was written: the e-mail address of a console user.
ALTER TABLE ingest.audit ADD COLUMN actor_email text NOT NULL DEFAULT '';
