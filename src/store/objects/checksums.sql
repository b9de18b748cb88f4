-- sum 0: crc is the CRC-32 of the whole content (the first format); 1: CRC-64/NVME, of the whole
-- content in a segment, of the table of its blocks for a file.
ALTER TABLE content ADD COLUMN sum INTEGER NOT NULL DEFAULT 0;
CREATE TABLE content_damage(
  content INTEGER NOT NULL,
  place INTEGER NOT NULL,
  found INTEGER NOT NULL,
  what TEXT NOT NULL,
  PRIMARY KEY(content, place)
) WITHOUT ROWID;
-- Whose bytes a segment and a file are: for what moves segments together, and for what looks for
-- files that no row names.
CREATE INDEX content_segment ON content(segment) WHERE kind = 1;
CREATE INDEX content_file ON content(file) WHERE kind = 2;
CREATE INDEX segment_dead ON segment(number) WHERE live = 0;
-- Of the contents that a segment still holds.
ALTER TABLE segment ADD COLUMN bytes INTEGER NOT NULL DEFAULT 0;
UPDATE segment SET bytes = held.bytes
  FROM (SELECT segment AS number, sum(size) AS bytes FROM content WHERE kind = 1 GROUP BY segment) AS held
  WHERE held.number = segment.number;
-- How far the scrub is. Times in milliseconds since 1970; ended 0: under way.
CREATE TABLE content_scrub(
  one INTEGER PRIMARY KEY CHECK(one = 1),
  cursor INTEGER NOT NULL,
  bytes INTEGER NOT NULL,
  started INTEGER NOT NULL,
  ended INTEGER NOT NULL
);
INSERT INTO content_scrub VALUES(1, 0, 0, 0, 0);
