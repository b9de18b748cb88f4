-- How often the blob has been made anew since a snapshot of it; told of page blobs alone.
ALTER TABLE blob_history ADD COLUMN overwrites INTEGER NOT NULL DEFAULT 0;
