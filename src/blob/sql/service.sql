CREATE TABLE service_properties(
  account TEXT PRIMARY KEY,
  document TEXT NOT NULL        -- XML, as Set Blob Service Properties has it
) WITHOUT ROWID;
