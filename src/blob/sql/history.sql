-- Snapshots, previous versions, and what soft delete keeps. A row holds a reference on its content;
-- the rows of its making are beside it, as the present blob's are.
DROP TABLE snapshot;
CREATE TABLE blob_history(
  container INTEGER NOT NULL REFERENCES container(id),
  name TEXT NOT NULL,
  at INTEGER NOT NULL,                  -- the snapshot's time or the version's id, in ns
  state INTEGER NOT NULL,               -- KeptState
  deleted INTEGER NOT NULL DEFAULT 0,   -- when, of what soft delete keeps
  expires INTEGER NOT NULL DEFAULT 0,   -- and until when; 0: it stays
  content INTEGER NOT NULL REFERENCES content(id),
  size INTEGER NOT NULL, created INTEGER NOT NULL, modified INTEGER NOT NULL,
  etag INTEGER NOT NULL, headers TEXT NOT NULL, metadata TEXT NOT NULL, type INTEGER NOT NULL,
  blocks INTEGER NOT NULL, sealed INTEGER NOT NULL, lease_id TEXT NOT NULL,
  lease_seconds INTEGER NOT NULL, lease_until INTEGER NOT NULL, lease_breaking INTEGER NOT NULL,
  copy TEXT NOT NULL, tags TEXT NOT NULL, tier TEXT NOT NULL, tier_changed INTEGER NOT NULL,
  sequence INTEGER NOT NULL, version INTEGER NOT NULL,
  PRIMARY KEY(container, name, at)
) WITHOUT ROWID;
-- A listing walks each state that it asks for, and nothing else.
CREATE INDEX blob_history_by_state ON blob_history(container, state, name, at);
CREATE INDEX blob_history_expiry ON blob_history(expires) WHERE expires <> 0;
CREATE TABLE history_block(
  container INTEGER NOT NULL, blob TEXT NOT NULL, at INTEGER NOT NULL, seq INTEGER NOT NULL,
  id TEXT NOT NULL, content INTEGER NOT NULL, size INTEGER NOT NULL,
  PRIMARY KEY(container, blob, at, seq)
) WITHOUT ROWID;
CREATE TABLE history_part(
  container INTEGER NOT NULL, blob TEXT NOT NULL, at INTEGER NOT NULL, seq INTEGER NOT NULL,
  content INTEGER NOT NULL,
  PRIMARY KEY(container, blob, at, seq)
) WITHOUT ROWID;
ALTER TABLE blob ADD COLUMN version INTEGER NOT NULL DEFAULT 0;   -- its id; 0: none was given
-- The retention that the document asks for.
ALTER TABLE service_properties ADD COLUMN kept_days INTEGER NOT NULL DEFAULT 0;
ALTER TABLE service_properties ADD COLUMN permanent_delete INTEGER NOT NULL DEFAULT 0;
-- A deleted container keeps its row and all that is under it; the row's account is then '', so that
-- nobody finds it and its name is free.
CREATE TABLE deleted_container(
  id INTEGER PRIMARY KEY REFERENCES container(id),
  account TEXT NOT NULL, name TEXT NOT NULL, at INTEGER NOT NULL, expires INTEGER NOT NULL,
  UNIQUE(account, name, at)
);
CREATE INDEX deleted_container_expiry ON deleted_container(expires);
