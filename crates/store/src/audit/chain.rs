//! The audit log's chain: each line carries the SHA-256 of the line before it in its app and of itself, so that
//! a line that is changed, left out or put in later does not fit.
//!
//! There is one writer, and the head of a chain is locked by whoever appends to it, so a chain does not fork.
//! Lines are never deleted, not even with their app. Whoever can write to the database and knows how a line is
//! hashed can make the whole chain anew: then only a head that was kept elsewhere tells.

use std::path::Path;

use sha2::{Digest, Sha256};
use tidings_core::id::{AppId, Bits96};
use tidings_core::limits::AUDIT_READ_MAX;

use crate::database::Database;
use crate::migrate::Schema;
use crate::read::Readers;
use crate::sql::{Row, Sql, values};
use crate::{Error, Result, STORE_FILE, Store, app};

/// What the first line of a chain follows.
const BEGINNING: [u8; 32] = [0; 32];

/// What a line's hash is over.
#[derive(Debug)]
pub(super) struct Line<'a> {
    pub(super) app_no: Option<i64>,
    pub(super) at: i64,
    pub(super) actor: &'a str,
    pub(super) action: &'a str,
    pub(super) object: &'a str,
    pub(super) outcome: &'a str,
    pub(super) detail: &'a str,
    pub(super) address: Option<&'a str>,
}

impl Line<'_> {
    /// The hash of this line after the one with the hash `previous`. Every text is preceded by its length, so
    /// that no two lines have the same bytes.
    pub(super) fn hash_after(&self, previous: &[u8; 32]) -> [u8; 32] {
        let mut digest = Sha256::new();
        digest.update(b"tidings audit 1\0");
        digest.update(previous);
        digest.update(self.app_no.unwrap_or(0).to_be_bytes());
        digest.update(self.at.to_be_bytes());
        for text in [self.actor, self.action, self.object, self.outcome, self.detail] {
            digest.update((text.len() as u64).to_be_bytes());
            digest.update(text);
        }
        digest.update([u8::from(self.address.is_some())]);
        digest.update(self.address.unwrap_or_default());
        digest.finalize().into()
    }
}

/// The hash that the next line of a chain follows. Locks the chain until the commit.
pub(super) fn take_head(sql: &Sql<'_>, app_no: Option<i64>) -> Result<[u8; 32]> {
    let head = sql.row(
        "INSERT INTO audit_head (app_no, audit_no, hash, lines) VALUES (?1, 0, ?2, 1)
         ON CONFLICT (app_no) DO UPDATE SET lines = audit_head.lines + 1 RETURNING hash",
        values![app_no.unwrap_or(0), BEGINNING],
        |row| row.get(0),
    )?;
    head.ok_or(Error::failed())
}

/// Makes a line the last one of its chain.
pub(super) fn put_head(
    sql: &Sql<'_>,
    app_no: Option<i64>,
    audit_no: i64,
    hash: [u8; 32],
) -> Result<()> {
    sql.run(
        "UPDATE audit_head SET audit_no = ?2, hash = ?3 WHERE app_no = ?1",
        values![app_no.unwrap_or(0), audit_no, hash],
    )?;
    Ok(())
}

/// What a verification of the audit log found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AuditVerdict {
    /// Apps that have a log, deleted ones too, the installation itself not counted.
    pub apps: u64,
    /// Lines in all.
    pub lines: u64,
    /// Those of them that are older than the chain: nothing can be said of them.
    pub before_chain: u64,
    /// The first break of the first chain that has one; absent: every line of a chain is as it was written.
    pub broken: Option<AuditBreak>,
}

/// Where a chain breaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AuditBreak {
    /// Whose log it is; absent: the installation's.
    pub app: Option<AppId>,
    /// Number of the first line that was changed, that stands after one that was taken out or put in, or that is
    /// missing at the end.
    pub audit_no: i64,
}

/// The audit log of a store, to be checked; a server may write to it meanwhile.
#[derive(Clone, Debug)]
pub struct AuditLog(Readers);

impl Store {
    /// The audit log of this store.
    pub fn audit_log(&self) -> AuditLog {
        AuditLog(self.readers.clone())
    }
}

impl AuditLog {
    /// The audit log of the embedded store of a directory. Blocks.
    ///
    /// # Errors
    /// There is no store, it cannot be read, or it is of another version.
    pub fn open(directory: &Path) -> Result<Self> {
        must_be_current(&Store::schema_in(directory)?)?;
        Ok(Self(Readers::sqlite(directory.join(STORE_FILE))))
    }

    /// The audit log of the PostgreSQL database of a URL. Blocks.
    ///
    /// # Errors
    /// As of [`Store::connect`]; when the database is of another version.
    pub fn connect(database_url: &str) -> Result<Self> {
        must_be_current(&Store::schema_at(database_url)?)?;
        let database = Database::parse(database_url)
            .map_err(|why| Error::schema(format!("database_url {why}")))?;
        Ok(Self(Readers::postgres(database)))
    }

    /// Follows the chain of each app, and of the installation, from its first line to the one that is the last
    /// one now.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn verify(&self) -> Result<AuditVerdict> {
        let mut verdict = AuditVerdict::default();
        for app_no in self.0.read(chains).await? {
            let (app, walk) = self.walk(app_no).await?;
            verdict.apps += u64::from(app_no.is_some());
            verdict.lines += walk.lines;
            verdict.before_chain += walk.before_chain;
            let broken = walk.broken.map(|audit_no| AuditBreak { app, audit_no });
            verdict.broken = verdict.broken.or(broken);
        }
        Ok(verdict)
    }

    /// Follows one chain.
    async fn walk(&self, app_no: Option<i64>) -> Result<(Option<AppId>, Walk)> {
        let begin = move |sql: &Sql<'_>| Ok((app_id(sql, app_no)?, head(sql, app_no)?));
        let (app, head) = self.0.read(begin).await?;
        let mut walk = Walk::default();
        while walk.at < head.last {
            let before = walk.at;
            walk = self.0.read(move |sql| follow(sql, app_no, walk, head.last)).await?;
            if walk.at == before {
                break;
            }
        }
        walk.arrive(&head);
        Ok((app, walk))
    }
}

fn must_be_current(schema: &Schema) -> Result<()> {
    if schema.applied.is_empty() {
        return Err(Error::schema("there is no store"));
    }
    match schema.pending.first() {
        None => Ok(()),
        Some(missing) => Err(Error::schema(format!(
            "the store has not got migration {missing} yet; start the server, or run tidings migrate"
        ))),
    }
}

/// The end of a chain, as it is written down beside it.
#[derive(Clone, Copy, Debug)]
struct Head {
    audit_no: i64,
    hash: [u8; 32],
    lines: u64,
    /// The last line that there is: the same one, unless somebody tampered.
    last: i64,
}

/// How far a chain was followed, and what was found.
#[derive(Clone, Copy, Debug)]
struct Walk {
    at: i64,
    hash: [u8; 32],
    chained: u64,
    lines: u64,
    before_chain: u64,
    broken: Option<i64>,
}

impl Default for Walk {
    fn default() -> Self {
        Self { at: 0, hash: BEGINNING, chained: 0, lines: 0, before_chain: 0, broken: None }
    }
}

impl Walk {
    /// Takes the next line; `stored` is the hash that it carries. Only the first lines may have none.
    fn take(&mut self, audit_no: i64, stored: Option<[u8; 32]>, line: &Line<'_>) {
        self.at = audit_no;
        self.lines += 1;
        match stored {
            None if self.chained == 0 => self.before_chain += 1,
            None => self.breaks_at(audit_no),
            Some(stored) => {
                if line.hash_after(&self.hash) != stored {
                    self.breaks_at(audit_no);
                }
                self.hash = stored;
                self.chained += 1;
            }
        }
    }

    /// Compares what was found with the end that was written down.
    fn arrive(&mut self, head: &Head) {
        let same = (self.chained, self.hash) == (head.lines, head.hash);
        if !same || (head.lines > 0 && head.last != head.audit_no) {
            self.breaks_at(head.audit_no.max(head.last));
        }
    }

    fn breaks_at(&mut self, audit_no: i64) {
        self.broken = self.broken.or(Some(audit_no));
    }
}

/// The apps that have an audit log; none stands for the installation.
fn chains(sql: &Sql<'_>) -> Result<Vec<Option<i64>>> {
    let text = "SELECT DISTINCT coalesce(app_no, 0) FROM audit
                UNION SELECT app_no FROM audit_head ORDER BY 1";
    sql.rows(text, values![], |row| {
        let app_no: i64 = row.get(0)?;
        Ok((app_no != 0).then_some(app_no))
    })
}

fn app_id(sql: &Sql<'_>, app_no: Option<i64>) -> Result<Option<AppId>> {
    let text = "SELECT id FROM app WHERE app_no = ?1";
    let id = sql.row(text, values![app_no], |row| row.get::<Vec<u8>>(0))?;
    Ok(id.and_then(|id| Bits96::from_bytes(&id)).map(AppId))
}

/// The end of a chain, in one statement: appending goes on meanwhile.
fn head(sql: &Sql<'_>, app_no: Option<i64>) -> Result<Head> {
    let of_app = app::of(app_no);
    let found = sql.row(
        &format!(
            "SELECT coalesce(max(audit_no), 0), (SELECT h.audit_no FROM audit_head h WHERE h.app_no = ?2),
               (SELECT h.hash FROM audit_head h WHERE h.app_no = ?2),
               (SELECT h.lines FROM audit_head h WHERE h.app_no = ?2)
             FROM audit t WHERE {of_app}"
        ),
        values![app_no, app_no.unwrap_or(0)],
        |row| {
            Ok(Head {
                last: row.get(0)?,
                audit_no: row.get::<Option<i64>>(1)?.unwrap_or(0),
                hash: row.get::<Option<[u8; 32]>>(2)?.unwrap_or(BEGINNING),
                lines: row.get::<Option<u64>>(3)?.unwrap_or(0),
            })
        },
    )?;
    found.ok_or(Error::failed())
}

/// Follows a chain over some more lines.
fn follow(sql: &Sql<'_>, app_no: Option<i64>, mut walk: Walk, until: i64) -> Result<Walk> {
    let of_app = app::of(app_no);
    let after = walk.at;
    sql.rows(
        &format!(
            "SELECT audit_no, at, actor, action, object, outcome, detail, address, hash FROM audit t
             WHERE {of_app} AND audit_no > ?2 AND audit_no <= ?3 ORDER BY audit_no LIMIT ?4"
        ),
        values![app_no, after, until, AUDIT_READ_MAX],
        |row| take(&mut walk, app_no, row),
    )?;
    Ok(walk)
}

fn take(walk: &mut Walk, app_no: Option<i64>, row: &Row<'_>) -> Result<()> {
    let [actor, action, object, outcome, detail]: [String; 5] =
        [row.get(2)?, row.get(3)?, row.get(4)?, row.get(5)?, row.get(6)?];
    let address: Option<String> = row.get(7)?;
    let line = Line {
        app_no,
        at: row.get(1)?,
        actor: &actor,
        action: &action,
        object: &object,
        outcome: &outcome,
        detail: &detail,
        address: address.as_deref(),
    };
    walk.take(row.get(0)?, row.get(8)?, &line);
    Ok(())
}
