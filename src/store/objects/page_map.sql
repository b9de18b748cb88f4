-- kind 4: a map of stretches over other contents, of which it holds one reference a row; what no
-- row covers is zeroes. Its own size is 0.
CREATE TABLE content_stretch(
  map INTEGER NOT NULL REFERENCES content(id), first INTEGER NOT NULL, size INTEGER NOT NULL,
  child INTEGER NOT NULL REFERENCES content(id), child_first INTEGER NOT NULL,
  PRIMARY KEY(map, first)
) WITHOUT ROWID;
CREATE INDEX content_stretch_child ON content_stretch(child);
