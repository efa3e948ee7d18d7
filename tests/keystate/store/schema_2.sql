-- A store of schema 2 as a release of that schema left it. Frozen: never edited.
PRAGMA application_id = 1212960075;
PRAGMA user_version = 2;
CREATE TABLE access_key (
  access_key_id TEXT NOT NULL PRIMARY KEY,
  principal_id  TEXT NOT NULL,
  revision      INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
INSERT INTO "access_key" VALUES('HMAKABCDEFGHIJKLMNOP','HMIDABCDEFGHIJKLMNOP',2);
CREATE TABLE alias (
  account  TEXT NOT NULL,
  name     TEXT NOT NULL,
  target   TEXT NOT NULL,
  created  INTEGER NOT NULL,
  updated  INTEGER NOT NULL,
  revision INTEGER NOT NULL,
  PRIMARY KEY (account, name)
) STRICT, WITHOUT ROWID;
INSERT INTO "alias" VALUES('111122223333','alias/demo','11111111-2222-4333-8444-555555555555',1700000000001,1700000000002,4);
CREATE TABLE binding (
  key_id           TEXT NOT NULL,
  material_number  INTEGER NOT NULL,
  token_id         TEXT NOT NULL,
  cka_id           BLOB NOT NULL,
  owned            INTEGER NOT NULL,
  local            INTEGER NOT NULL,
  state            TEXT NOT NULL,
  creator_instance TEXT NOT NULL,
  verified_at      INTEGER NOT NULL,
  revision         INTEGER NOT NULL,
  PRIMARY KEY (key_id, material_number, token_id)
) STRICT, WITHOUT ROWID;
CREATE TABLE certificate (
  fingerprint  BLOB NOT NULL PRIMARY KEY,
  principal_id TEXT NOT NULL,
  added        INTEGER NOT NULL,
  revision     INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
INSERT INTO "certificate" VALUES(X'0000000000000000000000000000000000000000000000000000000000000007','HMIDABCDEFGHIJKLMNOP',1700000000004,2);
CREATE TABLE client_token (
  principal_id TEXT NOT NULL,
  client_token TEXT NOT NULL,
  request_hash TEXT NOT NULL,
  key_id       TEXT NOT NULL,
  revision     INTEGER NOT NULL,
  PRIMARY KEY (principal_id, client_token)
) STRICT, WITHOUT ROWID;
INSERT INTO "client_token" VALUES('HMIDABCDEFGHIJKLMNOP','once','beef','11111111-2222-4333-8444-555555555555',3);
CREATE TABLE key (
  key_id           TEXT NOT NULL PRIMARY KEY,
  account          TEXT NOT NULL,
  spec             TEXT NOT NULL,
  usage            TEXT NOT NULL,
  origin           TEXT NOT NULL,
  state            TEXT NOT NULL,
  description      TEXT NOT NULL,
  created          INTEGER NOT NULL,
  deletion_date    INTEGER,
  policy_hash      TEXT NOT NULL,
  current_material INTEGER NOT NULL,
  revision         INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
INSERT INTO "key" VALUES('11111111-2222-4333-8444-555555555555','111122223333','HMAC_256','GENERATE_VERIFY_MAC','AWS_KMS','Enabled','from schema 2',1700000000000,NULL,'',1,3);
CREATE TABLE last_usage (
  key_id     TEXT NOT NULL PRIMARY KEY,
  operation  TEXT NOT NULL,
  time       INTEGER NOT NULL,
  request_id TEXT NOT NULL,
  revision   INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE material (
  key_id      TEXT NOT NULL,
  number      INTEGER NOT NULL,
  check_value BLOB,
  origin      TEXT NOT NULL,
  valid_to    INTEGER,
  revision    INTEGER NOT NULL,
  PRIMARY KEY (key_id, number)
) STRICT, WITHOUT ROWID;
INSERT INTO "material" VALUES('11111111-2222-4333-8444-555555555555',1,NULL,'AWS_KMS',NULL,3);
CREATE TABLE meta (
  only_row  INTEGER PRIMARY KEY CHECK (only_row = 1),
  store_id  TEXT NOT NULL,
  partition TEXT NOT NULL,
  region    TEXT NOT NULL,
  revision  INTEGER NOT NULL
) STRICT;
INSERT INTO "meta" VALUES(1,'00112233445566778899aabbccddeeff','aws','us-west-2',9);
CREATE TABLE policy (
  hash     TEXT NOT NULL PRIMARY KEY,
  document TEXT NOT NULL,
  revision INTEGER NOT NULL
) STRICT;
INSERT INTO "policy" VALUES('cafe','{"Version":"2012-10-17"}',2);
CREATE TABLE principal (
  unique_id   TEXT NOT NULL PRIMARY KEY,
  arn         TEXT NOT NULL UNIQUE,
  policy_hash TEXT NOT NULL,
  created     INTEGER NOT NULL,
  revision    INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
INSERT INTO "principal" VALUES('HMIDABCDEFGHIJKLMNOP','arn:aws:iam::111122223333:user/admin','cafe',1700000000004,2);
INSERT INTO "principal" VALUES('HMIDQRSTUVWXYZ234567','arn:aws:sts::111122223333:assumed-role/Service/session','',1700000000005,9);
CREATE TABLE sweeper (
  only_row  INTEGER PRIMARY KEY CHECK (only_row = 1),
  time_seen INTEGER NOT NULL,
  halted    INTEGER NOT NULL,
  revision  INTEGER NOT NULL
) STRICT;
INSERT INTO "sweeper" VALUES(1,1700000000003,0,6);
CREATE TABLE tag (
  key_id    TEXT NOT NULL,
  tag_key   TEXT NOT NULL,
  tag_value TEXT NOT NULL,
  position  INTEGER NOT NULL,
  revision  INTEGER NOT NULL,
  PRIMARY KEY (key_id, tag_key)
) STRICT, WITHOUT ROWID;
INSERT INTO "tag" VALUES('11111111-2222-4333-8444-555555555555','team','keys',0,5);
CREATE TABLE token (
  token_id           TEXT NOT NULL PRIMARY KEY,
  label              TEXT NOT NULL,
  serial             TEXT NOT NULL,
  manufacturer       TEXT NOT NULL,
  anchor_cka_id      BLOB NOT NULL,
  anchor_check_value BLOB NOT NULL,
  revision           INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
