-- Providers that push and that are written to: subscriptions, OAuth, dirty collections, times of items.

-- Tokens are replaced by whoever read the credential last; the calendar list has a cursor of its own.
ALTER TABLE account ADD COLUMN credential_gen INTEGER NOT NULL DEFAULT 0;
ALTER TABLE account ADD COLUMN poll_at INTEGER;               -- when the next full look is due; absent: at once
ALTER TABLE account ADD COLUMN list_token TEXT;               -- the provider's cursor of the calendar list
ALTER TABLE account ADD COLUMN list_gen INTEGER NOT NULL DEFAULT 0;         -- raised by every push about the list
ALTER TABLE account ADD COLUMN list_synced_gen INTEGER NOT NULL DEFAULT 0;  -- list_gen read before the last look
ALTER TABLE account ADD COLUMN watch_at INTEGER;              -- when to watch the list; absent: watched, or never
ALTER TABLE account ADD COLUMN watch_error TEXT;              -- why the list is only polled, in plain words
CREATE INDEX account_external ON account (provider, external_id)
  WHERE external_id IS NOT NULL AND deleted_at IS NULL;
CREATE UNIQUE INDEX account_identity ON account (app_no, provider, external_id, coalesce(user_no, 0))
  WHERE provider IN ('google', 'microsoft', 'zoom') AND external_id IS NOT NULL AND deleted_at IS NULL;
CREATE INDEX account_unwatched ON account (watch_at) WHERE watch_at IS NOT NULL;

ALTER TABLE collection ADD COLUMN dirty_gen INTEGER NOT NULL DEFAULT 0;     -- raised by every push
ALTER TABLE collection ADD COLUMN synced_gen INTEGER NOT NULL DEFAULT 0;    -- dirty_gen read before the last pull
ALTER TABLE collection ADD COLUMN watch_at INTEGER;           -- when to watch it; absent: watched, or never
ALTER TABLE collection ADD COLUMN watch_error TEXT;           -- why it is only polled, in plain words
ALTER TABLE collection ADD COLUMN time_min INTEGER;           -- the window that its cursor stands for
ALTER TABLE collection ADD COLUMN time_max INTEGER;
CREATE INDEX collection_unwatched ON collection (watch_at) WHERE watch_at IS NOT NULL;

-- Times of items, so that a range can be read. Absent starts_at: not known, in every range. Absent
-- ends_at: no end.
ALTER TABLE item ADD COLUMN starts_at INTEGER;
ALTER TABLE item ADD COLUMN ends_at INTEGER;
CREATE INDEX item_time ON item (collection_no, coalesce(ends_at, 9223372036854775807),
  coalesce(starts_at, -9223372036854775807));
CREATE INDEX item_series ON item (collection_no, series) WHERE series IS NOT NULL;

-- Our watches at providers. A row is there before the provider is asked.
CREATE TABLE subscription (
  subscription_no INTEGER PRIMARY KEY,
  id              BLOB NOT NULL UNIQUE CHECK (length(id) = 12),
  app_no          INTEGER NOT NULL REFERENCES app,
  account_no      INTEGER NOT NULL REFERENCES account,
  collection_no   INTEGER REFERENCES collection,  -- absent: the account's calendar list
  provider        TEXT NOT NULL,
  external_id     TEXT,                           -- channel or subscription at the provider
  resource_id     TEXT,
  token_hash      BLOB CHECK (length(token_hash) = 32),  -- absent once it has ended
  status          TEXT NOT NULL CHECK (status IN ('registering', 'active', 'retiring', 'ended')),
  expires_at      INTEGER,
  renew_at        INTEGER,
  created_at      INTEGER NOT NULL,
  delivered_at    INTEGER,                        -- the last push
  ended_at        INTEGER,
  failures        INTEGER NOT NULL DEFAULT 0,
  next_try_at     INTEGER NOT NULL,               -- when it must be looked at
  error           TEXT                            -- plain words
) STRICT;
CREATE INDEX subscription_due ON subscription (next_try_at) WHERE status <> 'ended';
CREATE INDEX subscription_account ON subscription (account_no);
CREATE INDEX subscription_app ON subscription (app_no);
CREATE INDEX subscription_collection ON subscription (collection_no) WHERE status <> 'ended';
CREATE INDEX subscription_channel ON subscription (provider, external_id) WHERE status <> 'ended';
CREATE INDEX subscription_ended ON subscription (ended_at) WHERE status = 'ended';

-- OAuth flows under way.
CREATE TABLE oauth_state (
  state_hash BLOB PRIMARY KEY CHECK (length(state_hash) = 32),
  app_no     INTEGER NOT NULL REFERENCES app,
  user_no    INTEGER REFERENCES end_user,
  provider   TEXT NOT NULL,
  account_no INTEGER REFERENCES account,          -- the account to reconnect
  sealed     BLOB NOT NULL,
  created_at INTEGER NOT NULL,
  expires_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX oauth_state_age ON oauth_state (expires_at);
CREATE INDEX oauth_state_app ON oauth_state (app_no);
CREATE INDEX oauth_state_account ON oauth_state (account_no) WHERE account_no IS NOT NULL;

-- Creates that may be repeated.
CREATE TABLE write_key (
  app_no        INTEGER NOT NULL REFERENCES app,
  key_hash      BLOB NOT NULL CHECK (length(key_hash) = 32),
  request_hash  BLOB NOT NULL CHECK (length(request_hash) = 32),
  collection_no INTEGER NOT NULL REFERENCES collection,
  provider_key  TEXT NOT NULL,                    -- what makes it idempotent at the provider
  item_key      TEXT,                             -- absent until it is done
  created_at    INTEGER NOT NULL,
  PRIMARY KEY (app_no, key_hash)
) STRICT, WITHOUT ROWID;
CREATE INDEX write_key_age ON write_key (created_at);

-- Versions that our own writes replaced.
CREATE TABLE superseded (
  collection_no INTEGER NOT NULL REFERENCES collection,
  item_key      TEXT NOT NULL,
  etag          TEXT NOT NULL,
  expires_at    INTEGER NOT NULL,
  PRIMARY KEY (collection_no, item_key, etag)
) STRICT, WITHOUT ROWID;
CREATE INDEX superseded_age ON superseded (expires_at);
