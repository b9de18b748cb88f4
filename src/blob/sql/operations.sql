-- Append blobs, leases, access, copies, tags, tiers and snapshots.
ALTER TABLE blob ADD COLUMN type INTEGER NOT NULL DEFAULT 0;             -- 0 block, 1 append
ALTER TABLE blob ADD COLUMN blocks INTEGER NOT NULL DEFAULT 0;           -- that were appended
ALTER TABLE blob ADD COLUMN sealed INTEGER NOT NULL DEFAULT 0;
ALTER TABLE blob ADD COLUMN lease_id TEXT NOT NULL DEFAULT '';           -- '' none
ALTER TABLE blob ADD COLUMN lease_seconds INTEGER NOT NULL DEFAULT 0;    -- -1 without end
ALTER TABLE blob ADD COLUMN lease_until INTEGER NOT NULL DEFAULT 0;      -- ns since 1970, UTC
ALTER TABLE blob ADD COLUMN lease_breaking INTEGER NOT NULL DEFAULT 0;
ALTER TABLE blob ADD COLUMN copy TEXT NOT NULL DEFAULT '{}';             -- JSON object: id, source, …
ALTER TABLE blob ADD COLUMN tags TEXT NOT NULL DEFAULT '{}';             -- JSON object
ALTER TABLE blob ADD COLUMN tier TEXT NOT NULL DEFAULT '';               -- '' the account's
ALTER TABLE blob ADD COLUMN tier_changed INTEGER NOT NULL DEFAULT 0;
ALTER TABLE container ADD COLUMN lease_id TEXT NOT NULL DEFAULT '';
ALTER TABLE container ADD COLUMN lease_seconds INTEGER NOT NULL DEFAULT 0;
ALTER TABLE container ADD COLUMN lease_until INTEGER NOT NULL DEFAULT 0;
ALTER TABLE container ADD COLUMN lease_breaking INTEGER NOT NULL DEFAULT 0;
ALTER TABLE container ADD COLUMN access TEXT NOT NULL DEFAULT '';        -- '', blob, container
CREATE INDEX blob_tagged ON blob(container, name) WHERE tags <> '{}';
-- Of what an append blob's present content was concatenated, in order.
CREATE TABLE append_part(
  container INTEGER NOT NULL, blob TEXT NOT NULL, seq INTEGER NOT NULL, content INTEGER NOT NULL,
  PRIMARY KEY(container, blob, seq)
) WITHOUT ROWID;
CREATE TABLE access_policy(
  container INTEGER NOT NULL, seq INTEGER NOT NULL, id TEXT NOT NULL,
  start TEXT NOT NULL, expiry TEXT NOT NULL, permissions TEXT NOT NULL,   -- as the client sent them
  PRIMARY KEY(container, seq)
) WITHOUT ROWID;
CREATE TABLE snapshot(
  container INTEGER NOT NULL REFERENCES container(id), name TEXT NOT NULL, at INTEGER NOT NULL,
  content INTEGER NOT NULL REFERENCES content(id), size INTEGER NOT NULL,
  created INTEGER NOT NULL, modified INTEGER NOT NULL, etag INTEGER NOT NULL,
  headers TEXT NOT NULL, metadata TEXT NOT NULL, type INTEGER NOT NULL, blocks INTEGER NOT NULL,
  sealed INTEGER NOT NULL, copy TEXT NOT NULL, tags TEXT NOT NULL, tier TEXT NOT NULL,
  tier_changed INTEGER NOT NULL,
  PRIMARY KEY(container, name, at)
) WITHOUT ROWID;
