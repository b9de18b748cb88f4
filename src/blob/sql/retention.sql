-- When a blob is gone by itself, and until when it must not change.
ALTER TABLE blob ADD COLUMN expiry INTEGER NOT NULL DEFAULT 0;           -- ns since 1970; 0 never
ALTER TABLE blob ADD COLUMN policy INTEGER NOT NULL DEFAULT 0;           -- 1 unlocked, 2 locked
ALTER TABLE blob ADD COLUMN policy_until INTEGER NOT NULL DEFAULT 0;
ALTER TABLE blob ADD COLUMN legal_hold INTEGER NOT NULL DEFAULT 0;
ALTER TABLE blob_history ADD COLUMN expiry INTEGER NOT NULL DEFAULT 0;   -- always 0
ALTER TABLE blob_history ADD COLUMN policy INTEGER NOT NULL DEFAULT 0;
ALTER TABLE blob_history ADD COLUMN policy_until INTEGER NOT NULL DEFAULT 0;
ALTER TABLE blob_history ADD COLUMN legal_hold INTEGER NOT NULL DEFAULT 0;
CREATE INDEX blob_expiry ON blob(expiry) WHERE expiry > 0;
CREATE INDEX blob_immutable ON blob(container) WHERE policy > 0 OR legal_hold > 0;
CREATE INDEX blob_history_immutable ON blob_history(container) WHERE policy > 0 OR legal_hold > 0;
