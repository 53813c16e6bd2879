-- The console: operators and their sessions; the audit log's chain; counts for charts.

-- Operators, who sign in to the console

CREATE TABLE operator (
  operator_no INTEGER PRIMARY KEY,
  id          BLOB NOT NULL UNIQUE CHECK (length(id) = 12),
  email       TEXT NOT NULL UNIQUE,                  -- in lower case
  name        TEXT NOT NULL,
  role        TEXT NOT NULL CHECK (role IN ('owner', 'admin', 'viewer')),
  password    TEXT NOT NULL,                         -- argon2id, as a PHC string
  totp        BLOB,                                  -- sealed; absent: no second factor
  totp_step   INTEGER NOT NULL DEFAULT 0,            -- the last step whose code was used: no code works twice
  created_at  INTEGER NOT NULL,
  updated_at  INTEGER NOT NULL,
  disabled_at INTEGER
) STRICT;

CREATE TABLE operator_session (
  session_no       INTEGER PRIMARY KEY,
  id               BLOB NOT NULL UNIQUE CHECK (length(id) = 12),
  operator_no      INTEGER NOT NULL REFERENCES operator,
  token_hash       BLOB NOT NULL UNIQUE CHECK (length(token_hash) = 32),
  csrf             TEXT NOT NULL,                    -- random; what a form of this session carries
  created_at       INTEGER NOT NULL,
  last_used_at     INTEGER NOT NULL,
  expires_at       INTEGER NOT NULL,                 -- whatever its use
  authenticated_at INTEGER NOT NULL,                 -- when the password was last given
  address          TEXT,
  agent            TEXT NOT NULL,
  ended_at         INTEGER
) STRICT;
CREATE INDEX operator_session_operator ON operator_session (operator_no, session_no);

-- The one-time link that makes the first operator; at most one row.
CREATE TABLE operator_setup (
  setup_no   INTEGER PRIMARY KEY CHECK (setup_no = 1),
  token_hash BLOB NOT NULL CHECK (length(token_hash) = 32),
  expires_at INTEGER NOT NULL
) STRICT;

-- The audit log's chain: each line's hash is over the hash before it, in its app, and over the line. Lines from
-- before this migration have none.

ALTER TABLE audit ADD COLUMN address TEXT;              -- whence the request came
ALTER TABLE audit ADD COLUMN hash BLOB CHECK (length(hash) = 32);

-- The last line of each chain, so that one that lost its end is told from one that ends there.
CREATE TABLE audit_head (
  app_no   INTEGER PRIMARY KEY,                         -- 0: the installation
  audit_no INTEGER NOT NULL,
  hash     BLOB NOT NULL CHECK (length(hash) = 32),
  lines    INTEGER NOT NULL
) STRICT;

-- Charts: counts per hook and minute (table hook_minute)

-- One row per hook and minute in which it made an attempt, and one per app and minute, whose hook_no is 0. A minute
-- without an attempt has no row. `le_…`: those delivered within so many ms, and not within the fewer before it.
CREATE TABLE hook_minute (
  app_no     INTEGER NOT NULL,
  hook_no    INTEGER NOT NULL,
  minute     INTEGER NOT NULL,                            -- since 1970
  delivered  INTEGER NOT NULL,
  failed     INTEGER NOT NULL,
  latency_us INTEGER NOT NULL,                            -- of those delivered, added up
  le_5       INTEGER NOT NULL,
  le_10      INTEGER NOT NULL,
  le_25      INTEGER NOT NULL,
  le_50      INTEGER NOT NULL,
  le_100     INTEGER NOT NULL,
  le_250     INTEGER NOT NULL,
  le_500     INTEGER NOT NULL,
  le_1000    INTEGER NOT NULL,
  le_2500    INTEGER NOT NULL,
  le_5000    INTEGER NOT NULL,
  le_10000   INTEGER NOT NULL,
  longer     INTEGER NOT NULL,
  PRIMARY KEY (app_no, hook_no, minute)
) STRICT, WITHOUT ROWID;
CREATE INDEX hook_minute_age ON hook_minute (minute);
