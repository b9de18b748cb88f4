CREATE TABLE data_asset(
  id INTEGER PRIMARY KEY,
  name TEXT NOT NULL UNIQUE,
  last INTEGER NOT NULL          -- the highest number that was ever given
);
CREATE TABLE data_version(
  asset INTEGER NOT NULL REFERENCES data_asset(id),
  number INTEGER NOT NULL,
  created INTEGER NOT NULL,      -- ns since 1970, UTC
  account TEXT NOT NULL, container TEXT NOT NULL, prefix TEXT NOT NULL,
  digest TEXT NOT NULL,          -- SHA-256 of the manifest
  files INTEGER NOT NULL, bytes INTEGER NOT NULL,
  PRIMARY KEY(asset, number)
) WITHOUT ROWID;
CREATE TABLE data_file(
  asset INTEGER NOT NULL, number INTEGER NOT NULL,
  path TEXT NOT NULL,            -- below the prefix
  content INTEGER NOT NULL REFERENCES content(id),
  size INTEGER NOT NULL, etag INTEGER NOT NULL,
  PRIMARY KEY(asset, number, path)
) WITHOUT ROWID;
CREATE INDEX data_file_content ON data_file(content);
