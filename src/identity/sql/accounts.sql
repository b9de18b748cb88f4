CREATE TABLE account(
  name TEXT PRIMARY KEY,
  created INTEGER NOT NULL,   -- ns since 1970, UTC
  key1 TEXT NOT NULL,         -- 64 bytes in base64
  key2 TEXT NOT NULL
) WITHOUT ROWID;
