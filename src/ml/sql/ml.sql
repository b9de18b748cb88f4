-- Times are ms since 1970, UTC; 0: none. A tag, parameter or metric belongs to its `owner`.
CREATE TABLE experiment(
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  name TEXT NOT NULL UNIQUE,
  deleted INTEGER NOT NULL DEFAULT 0,
  created INTEGER NOT NULL, updated INTEGER NOT NULL
);
CREATE TABLE experiment_tag(
  owner INTEGER NOT NULL, key TEXT NOT NULL, value TEXT NOT NULL, PRIMARY KEY(owner, key)
) WITHOUT ROWID;

CREATE TABLE run(
  seq INTEGER PRIMARY KEY,
  id TEXT NOT NULL UNIQUE,
  experiment INTEGER NOT NULL REFERENCES experiment(id),
  name TEXT NOT NULL, user TEXT NOT NULL,
  status INTEGER NOT NULL,
  started INTEGER NOT NULL, ended INTEGER NOT NULL DEFAULT 0,
  deleted INTEGER NOT NULL DEFAULT 0
);
CREATE INDEX run_listed ON run(experiment, started DESC, id);
CREATE TABLE run_tag(
  owner INTEGER NOT NULL, key TEXT NOT NULL, value TEXT NOT NULL, PRIMARY KEY(owner, key)
) WITHOUT ROWID;
CREATE TABLE run_param(
  owner INTEGER NOT NULL, key TEXT NOT NULL, value TEXT NOT NULL, PRIMARY KEY(owner, key)
) WITHOUT ROWID;
-- The latest of each key, so that a list of runs never reads the points.
CREATE TABLE run_metric(
  id INTEGER PRIMARY KEY,
  owner INTEGER NOT NULL, key TEXT NOT NULL,
  value REAL NOT NULL, nan INTEGER NOT NULL,    -- not a number: value 0, nan 1
  step INTEGER NOT NULL, time INTEGER NOT NULL,
  UNIQUE(owner, key)
);
CREATE TABLE metric_point(
  metric INTEGER NOT NULL,
  step INTEGER NOT NULL, time INTEGER NOT NULL, value REAL NOT NULL, nan INTEGER NOT NULL,
  PRIMARY KEY(metric, step, time, value, nan)
) WITHOUT ROWID;

CREATE TABLE dataset(
  id INTEGER PRIMARY KEY,
  experiment INTEGER NOT NULL, name TEXT NOT NULL, digest TEXT NOT NULL,
  source_type TEXT NOT NULL, source TEXT NOT NULL, schema TEXT NOT NULL, profile TEXT NOT NULL,
  UNIQUE(experiment, name, digest)
);
CREATE TABLE run_dataset(
  owner INTEGER NOT NULL, dataset INTEGER NOT NULL REFERENCES dataset(id),
  context TEXT NOT NULL,                        -- the tag mlflow.data.context
  tags TEXT NOT NULL,                           -- JSON: [[key, value], …]
  PRIMARY KEY(owner, dataset)
) WITHOUT ROWID;
CREATE TABLE run_model(
  owner INTEGER NOT NULL, output INTEGER NOT NULL, model TEXT NOT NULL, step INTEGER NOT NULL,
  PRIMARY KEY(owner, output, model)
) WITHOUT ROWID;

CREATE TABLE logged_model(
  seq INTEGER PRIMARY KEY,
  id TEXT NOT NULL UNIQUE,
  experiment INTEGER NOT NULL REFERENCES experiment(id),
  name TEXT NOT NULL, type TEXT NOT NULL, run TEXT NOT NULL,
  created INTEGER NOT NULL, updated INTEGER NOT NULL,
  status INTEGER NOT NULL, deleted INTEGER NOT NULL DEFAULT 0
);
CREATE INDEX logged_model_listed ON logged_model(experiment, created DESC, id);
CREATE TABLE logged_tag(
  owner INTEGER NOT NULL, key TEXT NOT NULL, value TEXT NOT NULL, PRIMARY KEY(owner, key)
) WITHOUT ROWID;
CREATE TABLE logged_param(
  owner INTEGER NOT NULL, key TEXT NOT NULL, value TEXT NOT NULL, PRIMARY KEY(owner, key)
) WITHOUT ROWID;
CREATE TABLE logged_metric(
  owner INTEGER NOT NULL, key TEXT NOT NULL,
  dataset_name TEXT NOT NULL, dataset_digest TEXT NOT NULL, run TEXT NOT NULL,
  value REAL NOT NULL, nan INTEGER NOT NULL, step INTEGER NOT NULL, time INTEGER NOT NULL,
  PRIMARY KEY(owner, key, dataset_name, dataset_digest, run)
) WITHOUT ROWID;

CREATE TABLE model(
  id INTEGER PRIMARY KEY,
  name TEXT NOT NULL UNIQUE,
  description TEXT NOT NULL,
  created INTEGER NOT NULL, updated INTEGER NOT NULL,
  last INTEGER NOT NULL DEFAULT 0               -- the highest number that was ever given
);
CREATE TABLE model_tag(
  owner INTEGER NOT NULL, key TEXT NOT NULL, value TEXT NOT NULL, PRIMARY KEY(owner, key)
) WITHOUT ROWID;
CREATE TABLE model_alias(
  owner INTEGER NOT NULL, alias TEXT NOT NULL, number INTEGER NOT NULL, PRIMARY KEY(owner, alias)
) WITHOUT ROWID;
CREATE TABLE model_version(
  sequence INTEGER PRIMARY KEY AUTOINCREMENT,
  model INTEGER NOT NULL REFERENCES model(id), number INTEGER NOT NULL,
  created INTEGER NOT NULL, updated INTEGER NOT NULL,
  stage TEXT NOT NULL DEFAULT 'None', status INTEGER NOT NULL,
  status_message TEXT NOT NULL DEFAULT '', description TEXT NOT NULL, user TEXT NOT NULL,
  source TEXT NOT NULL, root TEXT NOT NULL, run TEXT NOT NULL, logged_model TEXT NOT NULL,
  run_link TEXT NOT NULL, source_key TEXT NOT NULL,
  UNIQUE(model, number)
);
CREATE UNIQUE INDEX model_version_key ON model_version(source_key) WHERE source_key <> '';
CREATE INDEX model_version_run ON model_version(run) WHERE run <> '';
CREATE INDEX model_version_root ON model_version(root) WHERE root <> '';
CREATE INDEX model_version_logged ON model_version(logged_model) WHERE logged_model <> '';
CREATE TABLE version_tag(
  owner INTEGER NOT NULL, key TEXT NOT NULL, value TEXT NOT NULL, PRIMARY KEY(owner, key)
) WITHOUT ROWID;
