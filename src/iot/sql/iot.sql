CREATE TABLE identity(
  device TEXT NOT NULL,
  module TEXT NOT NULL,            -- '': the device itself
  generation TEXT NOT NULL,
  etag TEXT NOT NULL,
  created INTEGER NOT NULL,        -- ns since 1970, UTC, as all times here
  enabled INTEGER NOT NULL,
  status_reason TEXT NOT NULL,
  status_changed INTEGER NOT NULL,
  key1 TEXT NOT NULL,              -- base64
  key2 TEXT NOT NULL,
  edge INTEGER NOT NULL,
  managed_by TEXT NOT NULL,
  connection_changed INTEGER NOT NULL DEFAULT 0,
  last_activity INTEGER NOT NULL DEFAULT 0,
  PRIMARY KEY(device, module)
) WITHOUT ROWID;
CREATE TABLE twin(
  device TEXT NOT NULL,
  module TEXT NOT NULL,
  etag TEXT NOT NULL,
  version INTEGER NOT NULL,
  tags TEXT NOT NULL,              -- JSON objects
  desired TEXT NOT NULL,
  desired_metadata TEXT NOT NULL,
  desired_version INTEGER NOT NULL,
  reported TEXT NOT NULL,
  reported_metadata TEXT NOT NULL,
  reported_version INTEGER NOT NULL,
  PRIMARY KEY(device, module),
  FOREIGN KEY(device, module) REFERENCES identity(device, module) ON DELETE CASCADE
) WITHOUT ROWID;
CREATE TABLE subscription(         -- of sessions that outlive their connections
  device TEXT NOT NULL,
  module TEXT NOT NULL,
  filter TEXT NOT NULL,
  qos INTEGER NOT NULL,
  PRIMARY KEY(device, module, filter),
  FOREIGN KEY(device, module) REFERENCES identity(device, module) ON DELETE CASCADE
) WITHOUT ROWID;
CREATE TABLE telemetry(
  sequence INTEGER PRIMARY KEY AUTOINCREMENT,
  device TEXT NOT NULL,
  module TEXT NOT NULL,
  enqueued INTEGER NOT NULL,
  properties TEXT NOT NULL,        -- a property bag
  body BLOB NOT NULL,
  running INTEGER NOT NULL         -- bytes of this and all earlier rows, dropped ones too
);
CREATE INDEX telemetry_device ON telemetry(device, sequence);
CREATE TABLE policy(
  name TEXT PRIMARY KEY,
  key1 TEXT NOT NULL,              -- base64
  key2 TEXT NOT NULL
) WITHOUT ROWID;
