-- Page blobs (type 2): their content is a map of pages.
ALTER TABLE blob ADD COLUMN sequence INTEGER NOT NULL DEFAULT 0;
