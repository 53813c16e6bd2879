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
ALTER TABLE app ADD COLUMN journal_bytes INTEGER NOT NULL DEFAULT 0;
