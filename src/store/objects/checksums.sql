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
