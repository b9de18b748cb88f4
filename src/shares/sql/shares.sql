CREATE TABLE file_event(
  sequence INTEGER PRIMARY KEY AUTOINCREMENT,
  id TEXT NOT NULL UNIQUE,
  share TEXT NOT NULL,
  path TEXT NOT NULL,
  size INTEGER NOT NULL,
  modified INTEGER NOT NULL,    -- ns since 1970, UTC
  closed INTEGER NOT NULL
);
CREATE INDEX file_event_share ON file_event(share, sequence);
CREATE TABLE delivery(
  consumer TEXT NOT NULL,
  sequence INTEGER NOT NULL REFERENCES file_event(sequence),
  state INTEGER NOT NULL,       -- 0 pending, 1 done, 2 failed
  reason TEXT NOT NULL,
  PRIMARY KEY(consumer, sequence)
) WITHOUT ROWID;
CREATE INDEX delivery_open ON delivery(consumer, state, sequence);
