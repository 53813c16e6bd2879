-- Records: the application's own data, kept in accounts of the provider `record`; then what the dialects need.

-- A generation is what one bulk job wrote. A reader takes for each ordinal the row of the greatest generation
-- that is not above the account's visible one.
ALTER TABLE account ADD COLUMN details TEXT NOT NULL DEFAULT '{}';      -- JSON object
ALTER TABLE account ADD COLUMN visible_gen INTEGER NOT NULL DEFAULT 0;
ALTER TABLE account ADD COLUMN swept_gen INTEGER NOT NULL DEFAULT 0;    -- nothing below it is superseded any more
ALTER TABLE account ADD COLUMN last_gen INTEGER NOT NULL DEFAULT 0;     -- the last one given to a job
ALTER TABLE account ADD COLUMN staging_gen INTEGER;                     -- of the open job; absent: none is open
ALTER TABLE account ADD COLUMN staged_at INTEGER;                       -- when a job began; absent: nothing staged is left
CREATE UNIQUE INDEX account_record ON account (app_no, external_id)
  WHERE provider = 'record' AND external_id IS NOT NULL AND deleted_at IS NULL;
CREATE INDEX account_user ON account (app_no, user_no, account_no)
  WHERE user_no IS NOT NULL AND deleted_at IS NULL;
CREATE INDEX account_live ON account (app_no, deleted_at) WHERE deleted_at IS NULL;
CREATE INDEX account_staged ON account (account_no) WHERE staged_at IS NOT NULL;
CREATE INDEX account_unswept ON account (account_no) WHERE swept_gen < visible_gen;

ALTER TABLE collection ADD COLUMN given_ordinal INTEGER NOT NULL DEFAULT 0;  -- the last one given, staged or not
ALTER TABLE collection ADD COLUMN shown_ordinal INTEGER NOT NULL DEFAULT 0;  -- the greatest that readers see

CREATE TABLE record (
  collection_no INTEGER NOT NULL REFERENCES collection,
  ordinal       INTEGER NOT NULL CHECK (ordinal > 0),   -- 1, 2, 3 … by first appearance
  gen           INTEGER NOT NULL,
  item_key      TEXT NOT NULL,
  version       INTEGER NOT NULL,
  hash          BLOB NOT NULL CHECK (length(hash) = 32),
  starts_at     INTEGER,
  created_at    INTEGER NOT NULL,
  modified_at   INTEGER,                             -- absent: when its generation was shown
  deleted_at    INTEGER,
  body          BLOB NOT NULL,
  PRIMARY KEY (collection_no, ordinal, gen)
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX record_key ON record (collection_no, item_key, gen);
CREATE INDEX record_gen ON record (collection_no, gen, ordinal);
CREATE INDEX record_modified ON record (collection_no, modified_at, ordinal) WHERE modified_at IS NOT NULL;
CREATE INDEX record_start ON record (collection_no, starts_at, ordinal) WHERE starts_at IS NOT NULL;

-- When readers began to see what a job wrote into a collection; it grows with the generation.
CREATE TABLE record_shown (
  collection_no INTEGER NOT NULL REFERENCES collection,
  gen           INTEGER NOT NULL,
  shown_at      INTEGER NOT NULL,
  PRIMARY KEY (collection_no, gen)
) STRICT, WITHOUT ROWID;

-- Grants, users, settings

ALTER TABLE access_grant ADD COLUMN details TEXT NOT NULL DEFAULT '{}';  -- JSON object of its dialect
CREATE INDEX access_grant_parent ON access_grant (parent_no) WHERE parent_no IS NOT NULL;
CREATE INDEX access_grant_user ON access_grant (user_no, app_no, grant_no) WHERE user_no IS NOT NULL;
CREATE INDEX access_grant_ended ON access_grant (coalesce(revoked_at, expires_at))
  WHERE kind IN ('code', 'refresh', 'session', 'connect');

-- A user without an external id, also a deleted one, keeps a text there that no external id can be: the
-- character 1 and its store key.
ALTER TABLE end_user ADD COLUMN name TEXT;
ALTER TABLE end_user ADD COLUMN details TEXT NOT NULL DEFAULT '{}';      -- JSON object
ALTER TABLE end_user ADD COLUMN password TEXT;                            -- argon2id, as a PHC string
ALTER TABLE end_user ADD COLUMN updated_at INTEGER;                        -- absent: since its creation
ALTER TABLE end_user ADD COLUMN deleted_at INTEGER;

ALTER TABLE app ADD COLUMN settings TEXT NOT NULL DEFAULT '{}';          -- JSON, see tidings_core::settings

CREATE INDEX hook_owner ON hook (owner_grant_no, app_no, hook_no) WHERE owner_grant_no IS NOT NULL;
CREATE INDEX hook_user ON hook (user_no, app_no, hook_no) WHERE user_no IS NOT NULL;
CREATE INDEX hook_live ON hook (app_no, deleted_at) WHERE deleted_at IS NULL;

-- What is told of a user and of no account of theirs, which is erased with the user.
CREATE INDEX change_user ON change (user_no, seq) WHERE user_no IS NOT NULL AND account_no IS NULL;

-- Hooks
