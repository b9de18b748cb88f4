CREATE TABLE message(
  sequence INTEGER PRIMARY KEY AUTOINCREMENT,
  target TEXT NOT NULL,         -- "$upstream" or a module
  input TEXT NOT NULL,          -- of a module
  priority INTEGER NOT NULL,    -- 0 first
  expires INTEGER NOT NULL,     -- ns since 1970, UTC
  module TEXT NOT NULL,         -- the sender
  output TEXT NOT NULL,
  event TEXT,                   -- of a file event: its id, so that it is queued once
  properties TEXT NOT NULL,     -- as a topic carries them
  body BLOB NOT NULL,
  size INTEGER NOT NULL
);
CREATE INDEX message_order ON message(target, priority, sequence);
CREATE UNIQUE INDEX message_event ON message(event, target, input) WHERE event IS NOT NULL;
CREATE TABLE subscription(      -- of clients with CleanSession=0
  client TEXT NOT NULL,
  filter TEXT NOT NULL,
  qos INTEGER NOT NULL,
  PRIMARY KEY(client, filter)
) WITHOUT ROWID;
CREATE TABLE module_twin(
  module TEXT PRIMARY KEY,
  desired TEXT NOT NULL,
  reported TEXT NOT NULL,
  pending TEXT NOT NULL         -- a patch of `reported` that the hub does not have yet
) WITHOUT ROWID;
CREATE TABLE hub_document(
  name TEXT PRIMARY KEY,        -- "desired": the last usable desired properties of $edgeHub, as JSON
  body TEXT NOT NULL
) WITHOUT ROWID;
