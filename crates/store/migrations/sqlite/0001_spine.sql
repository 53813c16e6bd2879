-- The spine. Every key that fans out begins with app_no or hook_no, so that the schema can be
-- distributed by app. Times are milliseconds since the Unix epoch. Ids are 12 bytes.

CREATE TABLE app (
  app_no        INTEGER PRIMARY KEY,
  id            BLOB NOT NULL UNIQUE CHECK (length(id) = 12),
  name          TEXT NOT NULL,
  external_id   TEXT UNIQUE,
  webhook_url   TEXT,
  seq           INTEGER NOT NULL DEFAULT 0 CHECK (seq >= 0),
  floor_seq     INTEGER NOT NULL DEFAULT 0 CHECK (floor_seq BETWEEN 0 AND seq),
  hooks_version INTEGER NOT NULL DEFAULT 0,
  created_at    INTEGER NOT NULL,
  updated_at    INTEGER NOT NULL,
  deleted_at    INTEGER
) STRICT;

-- How far each shard of an app is matched durably. A hook without a cursor row is settled up to here.
CREATE TABLE matched (
  app_no      INTEGER NOT NULL REFERENCES app,
  shard       INTEGER NOT NULL,
  matched_seq INTEGER NOT NULL,
  PRIMARY KEY (app_no, shard)
) STRICT, WITHOUT ROWID;

CREATE TABLE end_user (
  user_no     INTEGER PRIMARY KEY,
  id          BLOB NOT NULL UNIQUE CHECK (length(id) = 12),
  app_no      INTEGER NOT NULL REFERENCES app,
  external_id TEXT NOT NULL,
  created_at  INTEGER NOT NULL,
  UNIQUE (app_no, external_id)
) STRICT;

-- A token of a user or app: API key, Connect bearer, and what later dialects need.
CREATE TABLE access_grant (
  grant_no     INTEGER PRIMARY KEY,
  id           BLOB NOT NULL UNIQUE CHECK (length(id) = 12),
  app_no       INTEGER REFERENCES app,            -- absent: an owner key of the whole installation
  user_no      INTEGER REFERENCES end_user,
  parent_no    INTEGER REFERENCES access_grant,
  kind         TEXT NOT NULL,                     -- owner | app | connect
  name         TEXT NOT NULL,
  scopes       TEXT NOT NULL,                     -- JSON array
  token_hash   BLOB NOT NULL UNIQUE CHECK (length(token_hash) = 32),
  hint         TEXT NOT NULL,
  created_at   INTEGER NOT NULL,
  expires_at   INTEGER,
  last_used_at INTEGER,
  revoked_at   INTEGER
) STRICT;
CREATE INDEX access_grant_app ON access_grant (app_no, grant_no);

CREATE TABLE account (
  account_no     INTEGER PRIMARY KEY,
  id             BLOB NOT NULL UNIQUE CHECK (length(id) = 12),
  app_no         INTEGER NOT NULL REFERENCES app,
  user_no        INTEGER REFERENCES end_user,
  provider       TEXT NOT NULL,
  external_id    TEXT,
  name           TEXT NOT NULL,
  server_url     TEXT,
  username       TEXT,
  credential     BLOB,                            -- sealed; see tidings_core::seal
  home_url       TEXT,                            -- discovered calendar home
  status         TEXT NOT NULL CHECK (status IN ('active', 'inactive', 'deleted')),
  status_reason  TEXT,                            -- plain words
  baseline_done  INTEGER NOT NULL DEFAULT 0,
  dirty_gen      INTEGER NOT NULL DEFAULT 0,      -- raised by every wake-up
  synced_gen     INTEGER NOT NULL DEFAULT 0,      -- dirty_gen that the last pass read before it began
  next_sync_at   INTEGER NOT NULL,
  last_sync_at   INTEGER,
  last_change_at INTEGER,
  failures       INTEGER NOT NULL DEFAULT 0,
  last_error     TEXT,
  created_at     INTEGER NOT NULL,
  updated_at     INTEGER NOT NULL,
  deleted_at     INTEGER,
  erase_below    INTEGER                          -- content to erase: the mirror, bodies of changes below this seq
) STRICT;
CREATE INDEX account_app ON account (app_no, account_no);
CREATE INDEX account_due ON account (next_sync_at) WHERE status = 'active';

CREATE TABLE collection (
  collection_no INTEGER PRIMARY KEY,
  id            BLOB NOT NULL UNIQUE CHECK (length(id) = 12),
  app_no        INTEGER NOT NULL REFERENCES app,
  account_no    INTEGER NOT NULL REFERENCES account,
  external_id   TEXT NOT NULL,                    -- the provider's id; for CalDAV the path of the calendar
  name          TEXT,
  details       TEXT NOT NULL DEFAULT '{}',       -- colour, time zone … as JSON
  ctag          TEXT,
  sync_token    TEXT,
  baseline_done INTEGER NOT NULL DEFAULT 0,
  error         TEXT,                             -- why it is not watched, in plain words
  synced_at     INTEGER,
  created_at    INTEGER NOT NULL,
  deleted_at    INTEGER
) STRICT;
CREATE INDEX collection_account ON collection (account_no);
CREATE UNIQUE INDEX collection_external ON collection (account_no, external_id) WHERE deleted_at IS NULL;

-- The mirror.
CREATE TABLE item (
  collection_no INTEGER NOT NULL REFERENCES collection,
  item_key      TEXT NOT NULL,
  resource      TEXT NOT NULL,                    -- what the provider lists: one resource may hold several items
  etag          TEXT NOT NULL,
  version       BLOB NOT NULL,                    -- hash of the visible content
  series        TEXT,
  recurrence_id TEXT,
  body          BLOB NOT NULL,
  PRIMARY KEY (collection_no, item_key)
) STRICT, WITHOUT ROWID;
CREATE INDEX item_resource ON item (collection_no, resource);

-- The journal. The body is apart, so that content can be erased while seq stays gapless.
CREATE TABLE change (
  app_no        INTEGER NOT NULL REFERENCES app,
  seq           INTEGER NOT NULL CHECK (seq > 0),
  id            BLOB NOT NULL CHECK (length(id) = 12),
  type          TEXT NOT NULL,
  user_no       INTEGER,
  account_no    INTEGER,
  collection_no INTEGER,
  provider      TEXT,
  item          TEXT,
  hook_no       INTEGER,
  order_key     TEXT,
  occurred_at   INTEGER NOT NULL,
  recorded_at   INTEGER NOT NULL,
  origin        TEXT NOT NULL CHECK (origin IN ('provider', 'api', 'import')),
  actor         TEXT,
  traceparent   TEXT,
  PRIMARY KEY (app_no, seq)
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX change_id ON change (app_no, id);
CREATE INDEX change_account ON change (account_no, seq) WHERE account_no IS NOT NULL;

CREATE TABLE change_body (
  app_no INTEGER NOT NULL,
  seq    INTEGER NOT NULL,
  body   BLOB NOT NULL,
  PRIMARY KEY (app_no, seq)
) STRICT, WITHOUT ROWID;

CREATE TABLE idempotency (
  app_no       INTEGER NOT NULL REFERENCES app,
  key_hash     BLOB NOT NULL CHECK (length(key_hash) = 32),
  request_hash BLOB NOT NULL CHECK (length(request_hash) = 32),
  first_seq    INTEGER NOT NULL,
  last_seq     INTEGER NOT NULL,
  created_at   INTEGER NOT NULL,
  PRIMARY KEY (app_no, key_hash)
) STRICT, WITHOUT ROWID;
CREATE INDEX idempotency_age ON idempotency (created_at);

CREATE TABLE hook (
  hook_no              INTEGER PRIMARY KEY AUTOINCREMENT,
  id                   BLOB NOT NULL UNIQUE CHECK (length(id) = 12),
  app_no               INTEGER NOT NULL REFERENCES app,
  owner_grant_no       INTEGER REFERENCES access_grant,
  user_no              INTEGER REFERENCES end_user,
  external_id          TEXT,                      -- its id in its dialect
  description          TEXT NOT NULL DEFAULT '',
  url                  TEXT,                      -- absent: the app's webhook_url
  service              TEXT NOT NULL,             -- retry, concurrency, timeout as JSON
  status               TEXT NOT NULL CHECK (status IN ('active', 'paused', 'disabled')),
  status_reason        TEXT,
  expires_at           INTEGER,
  runs                 INTEGER NOT NULL DEFAULT 0,
  failures             INTEGER NOT NULL DEFAULT 0,
  consecutive_failures INTEGER NOT NULL DEFAULT 0,
  failing_since        INTEGER,
  created_at           INTEGER NOT NULL,
  updated_at           INTEGER NOT NULL,
  deleted_at           INTEGER
) STRICT;
CREATE INDEX hook_app ON hook (app_no, hook_no);
CREATE INDEX hook_external ON hook (app_no, external_id) WHERE external_id IS NOT NULL AND deleted_at IS NULL;

-- What a hook selects from each seq on. The ledger judges a change by the version in force at its seq.
CREATE TABLE hook_version (
  hook_no   INTEGER NOT NULL REFERENCES hook,
  from_seq  INTEGER NOT NULL,
  selection TEXT NOT NULL,
  PRIMARY KEY (hook_no, from_seq)
) STRICT, WITHOUT ROWID;

CREATE TABLE hook_secret (
  secret_no  INTEGER PRIMARY KEY,
  hook_no    INTEGER NOT NULL REFERENCES hook,
  id         BLOB NOT NULL CHECK (length(id) = 12),
  sealed     BLOB NOT NULL,
  created_at INTEGER NOT NULL,
  expires_at INTEGER                              -- absent: the current secret
) STRICT;
CREATE INDEX hook_secret_hook ON hook_secret (hook_no);

-- A live cursor has cursor_no 0 and a row only while its hook lags behind `matched`.
CREATE TABLE cursor (
  hook_no     INTEGER NOT NULL REFERENCES hook,
  cursor_no   INTEGER NOT NULL,
  kind        TEXT NOT NULL CHECK (kind IN ('live', 'replay')),
  id          BLOB,
  settled_seq INTEGER NOT NULL,
  until_seq   INTEGER,                            -- absent: no end
  delivered   BLOB NOT NULL DEFAULT x'',          -- bit i: settled_seq + 1 + i is settled too
  created_at  INTEGER NOT NULL,
  PRIMARY KEY (hook_no, cursor_no),
  CHECK ((kind = 'live') = (cursor_no = 0))
) STRICT, WITHOUT ROWID;

-- Trouble: deliveries that wait for their retry, and those given up.
CREATE TABLE parked (
  hook_no    INTEGER NOT NULL REFERENCES hook,
  cursor_no  INTEGER NOT NULL,
  first_seq  INTEGER NOT NULL,
  last_seq   INTEGER NOT NULL CHECK (last_seq >= first_seq),
  members    INTEGER NOT NULL CHECK (members > 0),
  group_key  TEXT NOT NULL DEFAULT '',
  attempts   INTEGER NOT NULL CHECK (attempts >= 0),
  due_at     INTEGER,                             -- absent: exhausted
  reason     TEXT NOT NULL,
  parked_at  INTEGER NOT NULL,
  PRIMARY KEY (hook_no, cursor_no, first_seq, group_key)
) STRICT, WITHOUT ROWID;
CREATE INDEX parked_due ON parked (hook_no, due_at) WHERE due_at IS NOT NULL;

-- What a cursor jumped.
CREATE TABLE skipped (
  hook_no  INTEGER NOT NULL REFERENCES hook,
  from_seq INTEGER NOT NULL,
  to_seq   INTEGER NOT NULL CHECK (to_seq >= from_seq),
  reason   TEXT NOT NULL,
  at       INTEGER NOT NULL,
  PRIMARY KEY (hook_no, from_seq)
) STRICT, WITHOUT ROWID;

CREATE TABLE attempt (
  attempt_no       INTEGER PRIMARY KEY AUTOINCREMENT,
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
CREATE INDEX attempt_delivery ON attempt (hook_no, first_seq);

-- Counts of what was purged, so that the ledger still adds up.
CREATE TABLE ledger_sum (
  hook_no INTEGER NOT NULL REFERENCES hook,
  outcome TEXT NOT NULL,
  until_seq INTEGER NOT NULL,
  count   INTEGER NOT NULL,
  PRIMARY KEY (hook_no, outcome)
) STRICT, WITHOUT ROWID;

CREATE TABLE audit (
  audit_no INTEGER PRIMARY KEY AUTOINCREMENT,
  app_no   INTEGER,
  at       INTEGER NOT NULL,
  actor    TEXT NOT NULL,                         -- a grant's id, or system
  action   TEXT NOT NULL,                         -- hook.create, …
  object   TEXT NOT NULL,
  outcome  TEXT NOT NULL CHECK (outcome IN ('done', 'denied')),
  detail   TEXT NOT NULL DEFAULT '{}'             -- JSON, secrets masked
) STRICT;
CREATE INDEX audit_app ON audit (app_no, audit_no);
