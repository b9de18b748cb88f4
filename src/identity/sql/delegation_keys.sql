-- What the user delegation keys of an account are derived from; a new one revokes them all.
CREATE TABLE delegation_secret(
  account TEXT PRIMARY KEY,
  secret TEXT NOT NULL        -- 32 bytes in base64
) WITHOUT ROWID;
