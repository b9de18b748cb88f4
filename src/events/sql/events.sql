-- What happened and has not been told to everybody. The newest row stays, so that numbers are never
-- given twice.
CREATE TABLE event_outbox(
  seq INTEGER PRIMARY KEY,
  id BLOB NOT NULL,             -- 16 bytes
  at INTEGER NOT NULL,          -- ns since 1970, UTC
  account TEXT NOT NULL, type TEXT NOT NULL, subject TEXT NOT NULL,
  data TEXT NOT NULL            -- JSON object
);
-- How far each consumer is.
CREATE TABLE event_consumer(
  name TEXT PRIMARY KEY,
  seq INTEGER NOT NULL,         -- the last that it is done with
  validated TEXT NOT NULL DEFAULT ''   -- the URL that has agreed to be told
) WITHOUT ROWID;
-- What could not be delivered yet.
CREATE TABLE event_retry(
  consumer TEXT NOT NULL, seq INTEGER NOT NULL,
  attempts INTEGER NOT NULL, due INTEGER NOT NULL, tried INTEGER NOT NULL, outcome TEXT NOT NULL,
  id BLOB NOT NULL, at INTEGER NOT NULL, account TEXT NOT NULL, type TEXT NOT NULL,
  subject TEXT NOT NULL, data TEXT NOT NULL,
  PRIMARY KEY(consumer, seq)
) WITHOUT ROWID;
CREATE INDEX event_retry_due ON event_retry(consumer, due);
