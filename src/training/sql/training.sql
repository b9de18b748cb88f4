CREATE TABLE model_image(               -- of every model version that was looked at
  model TEXT NOT NULL, version INTEGER NOT NULL,
  reference TEXT NOT NULL DEFAULT '',   -- REPOSITORY@DIGEST; empty: it has none, for the reason in error
  manifest TEXT NOT NULL DEFAULT '', layer TEXT NOT NULL DEFAULT '', onnx TEXT NOT NULL DEFAULT '',
  layer_size INTEGER NOT NULL DEFAULT 0, pushed INTEGER NOT NULL DEFAULT 0,
  error TEXT NOT NULL DEFAULT '',
  built INTEGER NOT NULL,               -- ns since 1970, UTC, as all times here
  PRIMARY KEY(model, version)
);
CREATE INDEX model_image_manifest ON model_image(manifest);
CREATE INDEX model_image_layer ON model_image(layer);
CREATE INDEX model_image_onnx ON model_image(onnx);
CREATE TABLE build_cursor(sequence INTEGER NOT NULL);  -- model versions up to this one were looked at
INSERT INTO build_cursor VALUES(0);

CREATE TABLE trigger_rule(
  name TEXT PRIMARY KEY,
  yaml TEXT NOT NULL, job TEXT NOT NULL, code TEXT NOT NULL,
  created INTEGER NOT NULL,
  seen INTEGER NOT NULL                 -- what fired last: of data an ETag or a version, of models a sequence
);
CREATE TABLE firing(
  id INTEGER PRIMARY KEY AUTOINCREMENT, -- names its job; never used twice
  rule TEXT NOT NULL,
  subject TEXT NOT NULL,                -- asset or model
  version INTEGER NOT NULL,
  turn INTEGER NOT NULL DEFAULT 0,      -- 0: by itself; more: asked for again
  state TEXT NOT NULL,
  job TEXT NOT NULL DEFAULT '',
  verdict TEXT NOT NULL DEFAULT '',     -- JSON
  error TEXT NOT NULL DEFAULT '',
  created INTEGER NOT NULL, updated INTEGER NOT NULL,
  UNIQUE(rule, subject, version, turn)
);
CREATE INDEX firing_open ON firing(id) WHERE state IN ('waiting', 'running', 'building', 'evaluating', 'deploying');
