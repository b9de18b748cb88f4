-- Repositories, and which blobs each holds. One content per digest, however many repositories have it.
CREATE TABLE registry_repository(id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE);
CREATE TABLE registry_blob(
  digest TEXT PRIMARY KEY,
  content INTEGER NOT NULL REFERENCES content(id),
  size INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE registry_member(
  repository INTEGER NOT NULL REFERENCES registry_repository(id),
  digest TEXT NOT NULL REFERENCES registry_blob(digest),
  used INTEGER NOT NULL DEFAULT 0,   -- manifests of the repository that need it
  touched INTEGER NOT NULL,          -- ns since 1970: pushed, asked for, or last needed
  PRIMARY KEY(repository, digest)
) WITHOUT ROWID;
CREATE INDEX registry_member_digest ON registry_member(digest);
CREATE INDEX registry_member_free ON registry_member(touched) WHERE used = 0;
CREATE TABLE registry_manifest(
  repository INTEGER NOT NULL REFERENCES registry_repository(id),
  digest TEXT NOT NULL,
  media_type TEXT NOT NULL,
  subject TEXT NOT NULL,             -- '' for none
  body BLOB NOT NULL,                -- as it was pushed
  PRIMARY KEY(repository, digest)
);
CREATE INDEX registry_manifest_subject ON registry_manifest(repository, subject, digest) WHERE subject <> '';
-- The blobs that a manifest needs.
CREATE TABLE registry_link(
  repository INTEGER NOT NULL, manifest TEXT NOT NULL, digest TEXT NOT NULL,
  PRIMARY KEY(repository, manifest, digest)
) WITHOUT ROWID;
CREATE TABLE registry_tag(
  repository INTEGER NOT NULL, name TEXT NOT NULL, digest TEXT NOT NULL,
  PRIMARY KEY(repository, name)
) WITHOUT ROWID;
CREATE INDEX registry_tag_digest ON registry_tag(repository, digest);
-- Uploads under way. A part is durable before it is a row, so that an upload goes on after a restart.
CREATE TABLE registry_upload(
  id TEXT PRIMARY KEY,
  repository INTEGER NOT NULL REFERENCES registry_repository(id),
  received INTEGER NOT NULL,
  touched INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX registry_upload_age ON registry_upload(touched);
CREATE TABLE registry_upload_part(
  upload TEXT NOT NULL, seq INTEGER NOT NULL,
  content INTEGER NOT NULL REFERENCES content(id), size INTEGER NOT NULL,
  PRIMARY KEY(upload, seq)
) WITHOUT ROWID;
