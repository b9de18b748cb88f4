CREATE TABLE job(
  id INTEGER PRIMARY KEY,
  name TEXT NOT NULL UNIQUE,
  digest TEXT NOT NULL,                 -- SHA-256 of yaml and code
  yaml TEXT NOT NULL, code TEXT NOT NULL,
  status TEXT NOT NULL,                 -- Queued, Preparing, Running, Completed, Failed, Canceled
  outcome TEXT NOT NULL DEFAULT '',     -- what it will be once finish() succeeded; then it never runs again
  attempt INTEGER NOT NULL DEFAULT 0,
  created INTEGER NOT NULL,             -- ns since 1970, UTC; 0: not yet
  started INTEGER NOT NULL DEFAULT 0, ended INTEGER NOT NULL DEFAULT 0,
  exit_code INTEGER NOT NULL DEFAULT -1,
  error TEXT NOT NULL DEFAULT '',
  lineage TEXT NOT NULL DEFAULT '',     -- JSON: the data versions that were read
  cancel INTEGER NOT NULL DEFAULT 0,
  pid INTEGER NOT NULL DEFAULT 0, pid_started INTEGER NOT NULL DEFAULT 0,
  mark TEXT NOT NULL DEFAULT ''         -- in the environment of every process of the attempt
);
CREATE INDEX job_open ON job(status) WHERE status NOT IN ('Completed', 'Failed', 'Canceled');
