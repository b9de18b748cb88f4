-- Archived blobs on their way to another tier. A row goes with the blob, or once it is there, by itself.
CREATE TABLE rehydration(
  container INTEGER NOT NULL, blob TEXT NOT NULL,
  tier TEXT NOT NULL,           -- that it will have
  high INTEGER NOT NULL,        -- 1: its priority
  due INTEGER NOT NULL,         -- ns since 1970, UTC: not before
  PRIMARY KEY(container, blob)
) WITHOUT ROWID;
CREATE INDEX rehydration_due ON rehydration(due);
CREATE TRIGGER blob_rehydrated AFTER UPDATE OF tier ON blob
WHEN old.tier = 'Archive' AND new.tier <> 'Archive' BEGIN
  DELETE FROM rehydration WHERE container = old.container AND blob = old.name;
END;
CREATE TRIGGER blob_archived_gone AFTER DELETE ON blob WHEN old.tier = 'Archive' BEGIN
  DELETE FROM rehydration WHERE container = old.container AND blob = old.name;
END;
