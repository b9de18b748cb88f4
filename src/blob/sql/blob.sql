CREATE TABLE container(
  id INTEGER PRIMARY KEY,
  account TEXT NOT NULL,
  name TEXT NOT NULL,
  modified INTEGER NOT NULL,    -- ns since 1970, UTC
  etag INTEGER NOT NULL,
  metadata TEXT NOT NULL,       -- JSON object
  UNIQUE(account, name)
);
CREATE TABLE blob(
  container INTEGER NOT NULL REFERENCES container(id),
  name TEXT NOT NULL,
  content INTEGER NOT NULL REFERENCES content(id),
  size INTEGER NOT NULL,
  created INTEGER NOT NULL,
  modified INTEGER NOT NULL,
  etag INTEGER NOT NULL,
  headers TEXT NOT NULL,        -- JSON object: Content-Type and the like
  metadata TEXT NOT NULL,
  PRIMARY KEY(container, name)
) WITHOUT ROWID;
-- The blocks of the present content, for Get Block List and for reuse by a later Put Block List.
CREATE TABLE committed_block(
  container INTEGER NOT NULL, blob TEXT NOT NULL, seq INTEGER NOT NULL,
  id TEXT NOT NULL, content INTEGER NOT NULL, size INTEGER NOT NULL,
  PRIMARY KEY(container, blob, seq)
) WITHOUT ROWID;
CREATE TABLE uncommitted_block(
  container INTEGER NOT NULL, blob TEXT NOT NULL,
  id TEXT NOT NULL, content INTEGER NOT NULL, size INTEGER NOT NULL, created INTEGER NOT NULL,
  PRIMARY KEY(container, blob, id)
) WITHOUT ROWID;
CREATE INDEX uncommitted_block_age ON uncommitted_block(created);
