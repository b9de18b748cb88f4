-- Contents by id. kind 1: in a segment, 2: a file of its own, 3: other contents in order.
CREATE TABLE content(
  id INTEGER PRIMARY KEY,
  kind INTEGER NOT NULL,
  segment INTEGER NOT NULL,
  offset INTEGER NOT NULL,
  size INTEGER NOT NULL,
  crc INTEGER NOT NULL,
  file TEXT NOT NULL,
  refs INTEGER NOT NULL CHECK(refs >= 0)
);
CREATE INDEX content_free ON content(id) WHERE refs = 0;
CREATE TABLE content_part(
  parent INTEGER NOT NULL REFERENCES content(id),
  seq INTEGER NOT NULL,
  child INTEGER NOT NULL REFERENCES content(id),
  PRIMARY KEY(parent, seq)
) WITHOUT ROWID;
CREATE INDEX content_part_child ON content_part(child);
-- How many contents a segment still holds: at none, its file can go.
CREATE TABLE segment(number INTEGER PRIMARY KEY, live INTEGER NOT NULL);
