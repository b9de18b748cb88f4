-- The tags of present blobs by key and value, for Find Blobs by Tags. Triggers keep it, so that
-- whoever writes a blob's row need not know of it.
CREATE TABLE blob_tag(
  container INTEGER NOT NULL, key TEXT NOT NULL, value TEXT NOT NULL, blob TEXT NOT NULL,
  account TEXT NOT NULL,
  PRIMARY KEY(container, key, value, blob)
) WITHOUT ROWID;
CREATE INDEX blob_tag_of_account ON blob_tag(account, key, value, container, blob);
INSERT INTO blob_tag
  SELECT blob.container, tag.key, tag.value, blob.name, container.account
  FROM blob JOIN container ON container.id = blob.container, json_each(blob.tags) AS tag
  WHERE blob.tags <> '{}';
CREATE TRIGGER blob_tags_made AFTER INSERT ON blob WHEN new.tags <> '{}' BEGIN
  INSERT INTO blob_tag
    SELECT new.container, tag.key, tag.value, new.name, container.account
    FROM container, json_each(new.tags) AS tag WHERE container.id = new.container;
END;
CREATE TRIGGER blob_tags_changed AFTER UPDATE OF tags ON blob WHEN old.tags <> new.tags BEGIN
  DELETE FROM blob_tag WHERE (container, key, value, blob) IN
    (SELECT old.container, tag.key, tag.value, old.name FROM json_each(old.tags) AS tag);
  INSERT INTO blob_tag
    SELECT new.container, tag.key, tag.value, new.name, container.account
    FROM container, json_each(new.tags) AS tag WHERE container.id = new.container;
END;
CREATE TRIGGER blob_tags_gone AFTER DELETE ON blob WHEN old.tags <> '{}' BEGIN
  DELETE FROM blob_tag WHERE (container, key, value, blob) IN
    (SELECT old.container, tag.key, tag.value, old.name FROM json_each(old.tags) AS tag);
END;
