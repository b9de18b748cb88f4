CREATE TABLE revision(             -- of the registry: counts its changes in the order of their commits
  only INTEGER PRIMARY KEY CHECK(only = 1),
  value INTEGER NOT NULL
);
INSERT INTO revision VALUES(1, 0);
