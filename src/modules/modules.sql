CREATE TABLE agent_document(
  name TEXT PRIMARY KEY,        -- "desired": the last desired properties that came, as JSON
  body TEXT NOT NULL
) WITHOUT ROWID;
CREATE TABLE module_life(
  name TEXT PRIMARY KEY,
  fingerprint TEXT NOT NULL,
  restarts INTEGER NOT NULL,
  failures INTEGER NOT NULL,
  attempted INTEGER NOT NULL,
  last_start INTEGER NOT NULL,  -- ns since 1970, UTC; 0: never
  last_exit INTEGER NOT NULL,
  last_restart INTEGER NOT NULL,
  exit_code INTEGER NOT NULL,
  problem TEXT NOT NULL
) WITHOUT ROWID;
CREATE TABLE module_model(      -- models that a deployment brought
  name TEXT PRIMARY KEY,
  fingerprint TEXT NOT NULL,
  version INTEGER NOT NULL,
  digest TEXT NOT NULL          -- of model.onnx
) WITHOUT ROWID;
