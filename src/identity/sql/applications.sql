-- Rows stay when an application is revoked: what was signed for it must be refused by name.
CREATE TABLE application(
  id TEXT PRIMARY KEY,        -- a UUID: the client's and the object's id
  name TEXT NOT NULL,
  role TEXT NOT NULL,
  account TEXT NOT NULL,      -- '': every storage account
  secret TEXT NOT NULL,       -- SHA-256 in hex; '': it has none, and stands for a token's subject
  created INTEGER NOT NULL,   -- ns since 1970, UTC
  revoked INTEGER NOT NULL
) WITHOUT ROWID;
