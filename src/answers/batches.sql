CREATE TABLE transform_row (
  number INTEGER PRIMARY KEY AUTOINCREMENT,
  transform TEXT NOT NULL,
  event TEXT NOT NULL,
  file TEXT NOT NULL,
  sha256 TEXT NOT NULL,
  width INTEGER NOT NULL,
  height INTEGER NOT NULL,
  kind TEXT NOT NULL,           -- recipe, type and shape: rows of one batch have the same
  added INTEGER NOT NULL,       -- nanoseconds since 1970
  sequence INTEGER,             -- of its batch; NULL: waits; -1: written, kept to know the event
  data BLOB NOT NULL,
  UNIQUE (transform, event)
);
CREATE INDEX transform_row_batch ON transform_row (transform, sequence, number);
CREATE TABLE transform_batch (
  transform TEXT NOT NULL,
  sequence INTEGER NOT NULL,
  created INTEGER NOT NULL,     -- nanoseconds since 1970
  rows INTEGER NOT NULL,
  finished INTEGER NOT NULL DEFAULT 0,
  PRIMARY KEY (transform, sequence)
);
CREATE INDEX transform_batch_open ON transform_batch (transform, sequence) WHERE finished = 0;
