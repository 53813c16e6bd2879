-- The engine at its limit: order, replays with a filter, catalogue, access to receivers, signing keys,
-- retention.

-- An ordered delivery: the hash of its key, and whether it waits behind an earlier one of that key
-- rather than for its own time.
ALTER TABLE parked ADD COLUMN key_hash INTEGER;
ALTER TABLE parked ADD COLUMN waits INTEGER NOT NULL DEFAULT 0 CHECK (waits IN (0, 1));
CREATE INDEX parked_key ON parked (hook_no, key_hash, first_seq) WHERE key_hash IS NOT NULL;

-- What a replay takes, at which rate, and where it was ended.
ALTER TABLE cursor ADD COLUMN selects TEXT;       -- JSON; absent: everything the hook selects
ALTER TABLE cursor ADD COLUMN rate INTEGER;       -- attempts a second; absent: the hook's own
ALTER TABLE cursor ADD COLUMN sent INTEGER NOT NULL DEFAULT 0;
ALTER TABLE cursor ADD COLUMN cancelled_at INTEGER;
ALTER TABLE cursor ADD COLUMN total INTEGER;           -- changes it takes; absent: not counted

-- The ledger finds what was parked, and ranges that begin before a page.
CREATE INDEX parked_place ON parked (hook_no, first_seq);
CREATE INDEX parked_range ON parked (hook_no, first_seq) WHERE last_seq > first_seq;
CREATE INDEX attempt_range ON attempt (hook_no, first_seq) WHERE last_seq > first_seq;

-- Its owner was told that the hook fails: only then is recovery told of.
ALTER TABLE hook ADD COLUMN failing_told INTEGER NOT NULL DEFAULT 0 CHECK (failing_told IN (0, 1));

-- The catalogue of event types.
ALTER TABLE app ADD COLUMN validation TEXT NOT NULL DEFAULT 'off'
  CHECK (validation IN ('off', 'warn', 'enforce'));
CREATE TABLE event_type (
  type_no     INTEGER PRIMARY KEY,
  app_no      INTEGER NOT NULL REFERENCES app,
  name        TEXT NOT NULL,
  description TEXT NOT NULL DEFAULT '',
  schema      TEXT,                               -- JSON Schema of the data
  example     TEXT,                               -- JSON
  deprecated  INTEGER NOT NULL DEFAULT 0 CHECK (deprecated IN (0, 1)),
  created_at  INTEGER NOT NULL,
  updated_at  INTEGER NOT NULL,
  UNIQUE (app_no, name)
) STRICT;

-- How a hook gets in at its receiver: headers, credentials, a client certificate, as sealed JSON.
CREATE TABLE hook_access (
  hook_no    INTEGER PRIMARY KEY REFERENCES hook,
  id         BLOB NOT NULL CHECK (length(id) = 12),
  sealed     BLOB NOT NULL,
  updated_at INTEGER NOT NULL
) STRICT;

-- Ed25519 keys of an app; the current one has no end.
CREATE TABLE signing_key (
  key_no     INTEGER PRIMARY KEY,
  id         BLOB NOT NULL UNIQUE CHECK (length(id) = 12),
  app_no     INTEGER NOT NULL REFERENCES app,
  public     BLOB NOT NULL CHECK (length(public) = 32),
  sealed     BLOB NOT NULL,
  created_at INTEGER NOT NULL,
  expires_at INTEGER
) STRICT;
CREATE INDEX signing_key_app ON signing_key (app_no, key_no);

-- Retention: what an app keeps, and what its journal weighs.
ALTER TABLE app ADD COLUMN retention TEXT;        -- JSON; absent: the installation's
ALTER TABLE app ADD COLUMN journal_bytes INTEGER NOT NULL DEFAULT 0;  -- of bodies
UPDATE app SET journal_bytes =
  (SELECT coalesce(sum(length(b.body)), 0) FROM change_body b WHERE b.app_no = app.app_no);

-- The attempt log without AUTOINCREMENT, which cost each insert a second row and a statement journal. A
-- number may be used again when the newest attempts went with their app; an attempt's id holds its time too.
CREATE TABLE attempt_2 (
  attempt_no       INTEGER PRIMARY KEY,
  hook_no          INTEGER NOT NULL,
  cursor_no        INTEGER NOT NULL,
  first_seq        INTEGER NOT NULL,
  last_seq         INTEGER NOT NULL,
  members          INTEGER NOT NULL,
  group_key        TEXT NOT NULL DEFAULT '',
  n                INTEGER NOT NULL,              -- 1, 2, 3 … of this delivery; a probe repeats the last n
  outcome          TEXT NOT NULL CHECK (outcome IN ('delivered', 'failed')),
  started_at       INTEGER NOT NULL,
  dns_us           INTEGER,
  connect_us       INTEGER,
  tls_us           INTEGER,
  first_byte_us    INTEGER,
  total_us         INTEGER NOT NULL,
  url              TEXT NOT NULL,
  address          TEXT,
  status           INTEGER,
  error_class      TEXT,
  error_detail     TEXT,
  request_headers  TEXT,
  response_headers TEXT,
  response_body    BLOB
) STRICT;
INSERT INTO attempt_2 SELECT * FROM attempt;
DROP TABLE attempt;
ALTER TABLE attempt_2 RENAME TO attempt;
CREATE INDEX attempt_delivery ON attempt (hook_no, first_seq);
