-- Copies from other servers that are under way, by their ids. The destination is there already, empty
-- and with the status "pending"; what has been fetched of the source is held by the parts.
CREATE TABLE pending_copy(
  id TEXT PRIMARY KEY,
  container INTEGER NOT NULL, blob TEXT NOT NULL,
  url TEXT NOT NULL,            -- of the source, with its query
  headers TEXT NOT NULL,        -- JSON object: of the requests to the source
  etag TEXT NOT NULL,           -- the source's, as it was first seen; '' it has none
  modified TEXT NOT NULL,       -- its Last-Modified, likewise
  sums TEXT NOT NULL,           -- JSON object: Content-MD5, x-ms-content-crc64 that are wanted
  size INTEGER NOT NULL,
  done INTEGER NOT NULL,        -- bytes in parts
  started INTEGER NOT NULL,     -- ns since 1970, UTC
  moved INTEGER NOT NULL,       -- when `done` last grew
  UNIQUE(container, blob)
) WITHOUT ROWID;
CREATE INDEX pending_copy_order ON pending_copy(started);
CREATE TABLE pending_copy_part(
  copy TEXT NOT NULL, seq INTEGER NOT NULL, content INTEGER NOT NULL REFERENCES content(id),
  PRIMARY KEY(copy, seq)
) WITHOUT ROWID;
