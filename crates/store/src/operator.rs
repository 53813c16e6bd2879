//! Operators, who sign in to the console.

mod session;
mod setup;

use std::fmt;

use tidings_core::clock::Timestamp;
use tidings_core::id::OperatorId;

use crate::app::{self, bits};
use crate::sql::{Row, Sql, Value, values};
use crate::{AuditEntry, Error, Result, Store, audit};

pub use session::{NewSession, OperatorSession};

/// What an operator may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Everything.
    Owner,
    /// Everything in every app; no operators, no owner keys.
    Admin,
    /// Look at everything but secrets.
    Viewer,
}

impl Role {
    /// All of them, the mightiest first.
    pub const ALL: [Self; 3] = [Self::Owner, Self::Admin, Self::Viewer];

    /// The name used in the store and in APIs.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Owner => "owner",
            Self::Admin => "admin",
            Self::Viewer => "viewer",
        }
    }

    /// The reverse of [`Role::as_str`].
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.as_str() == text)
    }
}

/// An operator, without what they sign in with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Operator {
    /// Store key.
    pub operator_no: i64,
    /// Its id.
    pub id: OperatorId,
    /// What they sign in as, in lower case; unique.
    pub email: String,
    /// What people call them.
    pub name: String,
    /// What they may do.
    pub role: Role,
    /// Whether signing in takes a code besides the password.
    pub has_totp: bool,
    /// When they were created.
    pub created_at: Timestamp,
    /// When they were last changed.
    pub updated_at: Timestamp,
    /// Since when they cannot sign in.
    pub disabled_at: Option<Timestamp>,
}

/// What an operator signs in with. `Debug` does not show it.
#[derive(Clone)]
pub struct OperatorSecrets {
    /// The password's hash, as a PHC string.
    pub password: String,
    /// The sealed secret of their codes.
    pub totp: Option<Vec<u8>>,
}

impl fmt::Debug for OperatorSecrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OperatorSecrets").finish_non_exhaustive()
    }
}

/// An operator to create. `Debug` does not show the password's hash.
#[derive(Clone)]
pub struct NewOperator {
    /// Its id.
    pub id: OperatorId,
    /// What they sign in as, in lower case.
    pub email: String,
    /// What people call them.
    pub name: String,
    /// What they may do.
    pub role: Role,
    /// The password's hash, as a PHC string.
    pub password: String,
}

impl fmt::Debug for NewOperator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NewOperator").field("id", &self.id).finish_non_exhaustive()
    }
}

/// What to change about an operator; what is absent stays.
#[derive(Clone, Default)]
pub struct OperatorUpdate {
    /// What people call them.
    pub name: Option<String>,
    /// What they may do.
    pub role: Option<Role>,
    /// Whether they cannot sign in from now on; then their sessions end.
    pub disabled: Option<bool>,
    /// Another password, hashed, as a PHC string.
    pub password: Option<String>,
    /// The sealed secret of their codes; an inner `None`: no code any more.
    pub totp: Option<Option<Vec<u8>>>,
    /// Whether their sessions end, all but the one with this store key.
    pub end_sessions_but: Option<Option<i64>>,
}

impl fmt::Debug for OperatorUpdate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OperatorUpdate").finish_non_exhaustive()
    }
}

const COLUMNS: &str = "o.operator_no, o.id, o.email, o.name, o.role,
    CASE WHEN o.totp IS NULL THEN 0 ELSE 1 END, o.created_at, o.updated_at, o.disabled_at";

fn from_row(row: &Row<'_>) -> Result<Operator> {
    Ok(Operator {
        operator_no: row.get(0)?,
        id: OperatorId(bits(row, 1)?),
        email: row.get(2)?,
        name: row.get(3)?,
        role: Role::parse(&row.get::<String>(4)?).ok_or(Error::corrupt("operator"))?,
        has_totp: row.get(5)?,
        created_at: Timestamp(row.get(6)?),
        updated_at: Timestamp(row.get(7)?),
        disabled_at: row.get::<Option<i64>>(8)?.map(Timestamp),
    })
}

fn find(sql: &Sql<'_>, condition: &str, values: &[Value<'_>]) -> Result<Option<Operator>> {
    sql.row(&format!("SELECT {COLUMNS} FROM operator o WHERE {condition}"), values, from_row)
}

/// Writes a new operator inside a job.
fn insert(sql: &Sql<'_>, new: &NewOperator, now: Timestamp) -> Result<Operator> {
    let inserted = sql.run(
        "INSERT INTO operator (id, email, name, role, password, created_at, updated_at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?6)",
        values![
            new.id.0.to_bytes(),
            &new.email,
            &new.name,
            new.role.as_str(),
            &new.password,
            now.0
        ],
    );
    inserted.map_err(|error| app::taken(error, "another operator has this e-mail address"))?;
    find(sql, "o.id = ?1", values![new.id.0.to_bytes()])?.ok_or(Error::failed())
}

/// Checks inside a job that somebody is left who may do everything.
fn must_have_owner(sql: &Sql<'_>) -> Result<()> {
    let text = "SELECT 1 FROM operator WHERE role = 'owner' AND disabled_at IS NULL LIMIT 1";
    let owner = sql.row(text, values![], |row| row.get::<i64>(0))?;
    owner.map(drop).ok_or(Error::conflict(
        "this is the last owner who can sign in; make another operator an owner first",
    ))
}

impl Store {
    /// Operators, oldest first.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn operators(&self, limit: usize) -> Result<Vec<Operator>> {
        self.read(move |sql| {
            let text = format!("SELECT {COLUMNS} FROM operator o ORDER BY o.operator_no LIMIT ?1");
            sql.rows(&text, values![limit], from_row)
        })
        .await
    }

    /// An operator by id.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn operator_by_id(&self, id: OperatorId) -> Result<Option<Operator>> {
        self.read(move |sql| find(sql, "o.id = ?1", values![id.0.to_bytes()])).await
    }

    /// An operator by e-mail address in lower case, and what they sign in with.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn operator_by_email(
        &self,
        email: String,
    ) -> Result<Option<(Operator, OperatorSecrets)>> {
        self.read(move |sql| with_secrets(sql, "o.email = ?1", values![email])).await
    }

    /// What an operator signs in with.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn operator_secrets(&self, operator_no: i64) -> Result<Option<OperatorSecrets>> {
        let found =
            self.read(move |sql| with_secrets(sql, "o.operator_no = ?1", values![operator_no]));
        Ok(found.await?.map(|(_, secrets)| secrets))
    }

    /// Creates an operator.
    ///
    /// # Errors
    /// Conflict when the e-mail address is taken.
    pub async fn create_operator(
        &self,
        new: NewOperator,
        entry: AuditEntry,
        now: Timestamp,
    ) -> Result<Operator> {
        self.write(2, move |tx| {
            let operator = insert(&tx.sql, &new, now)?;
            audit::insert(&tx.sql, None, &entry, now)?;
            Ok(operator)
        })
        .await
    }

    /// Changes an operator.
    ///
    /// # Errors
    /// Not found; conflict when no owner would be left who can sign in.
    pub async fn update_operator(
        &self,
        operator_no: i64,
        update: OperatorUpdate,
        entry: AuditEntry,
        now: Timestamp,
    ) -> Result<Operator> {
        self.write(4, move |tx| {
            let found = find(&tx.sql, "o.operator_no = ?1", values![operator_no])?;
            let operator = found.ok_or(Error::not_found("operator"))?;
            let disabled_at = match update.disabled {
                Some(true) => operator.disabled_at.or(Some(now)),
                Some(false) => None,
                None => operator.disabled_at,
            };
            tx.sql.run(
                "UPDATE operator SET name = ?2, role = ?3, disabled_at = ?4,
                   password = coalesce(?5, password), updated_at = ?6 WHERE operator_no = ?1",
                values![
                    operator_no,
                    update.name.unwrap_or(operator.name),
                    update.role.unwrap_or(operator.role).as_str(),
                    disabled_at.map(|at| at.0),
                    update.password,
                    now.0,
                ],
            )?;
            if let Some(totp) = update.totp {
                let text = "UPDATE operator SET totp = ?2, totp_step = 0 WHERE operator_no = ?1";
                tx.sql.run(text, values![operator_no, totp])?;
            }
            if operator.role == Role::Owner {
                must_have_owner(&tx.sql)?;
            }
            match (disabled_at, update.end_sessions_but) {
                (Some(_), _) => session::end_all(&tx.sql, operator_no, None, now)?,
                (None, Some(kept)) => session::end_all(&tx.sql, operator_no, kept, now)?,
                (None, None) => {}
            }
            audit::insert(&tx.sql, None, &entry, now)?;
            find(&tx.sql, "o.operator_no = ?1", values![operator_no])?.ok_or(Error::failed())
        })
        .await
    }

    /// Deletes an operator and their sessions; what they did stays in the audit log, under their id.
    ///
    /// # Errors
    /// Not found; conflict when no owner would be left who can sign in.
    pub async fn delete_operator(
        &self,
        operator_no: i64,
        entry: AuditEntry,
        now: Timestamp,
    ) -> Result<()> {
        self.write(4, move |tx| {
            let sessions = "DELETE FROM operator_session WHERE operator_no = ?1";
            tx.sql.run(sessions, values![operator_no])?;
            let own = "DELETE FROM operator WHERE operator_no = ?1";
            if tx.sql.run(own, values![operator_no])? == 0 {
                return Err(Error::not_found("operator"));
            }
            must_have_owner(&tx.sql)?;
            audit::insert(&tx.sql, None, &entry, now)
        })
        .await
    }

    /// Writes down that the code of this step was used; `false` when it or a later one was used already.
    ///
    /// # Errors
    /// When the commit fails.
    pub async fn use_totp_step(&self, operator_no: i64, step: u64) -> Result<bool> {
        self.write(1, move |tx| {
            let text =
                "UPDATE operator SET totp_step = ?2 WHERE operator_no = ?1 AND totp_step < ?2";
            Ok(tx.sql.run(text, values![operator_no, step])? == 1)
        })
        .await
    }
}

fn with_secrets(
    sql: &Sql<'_>,
    condition: &str,
    values: &[Value<'_>],
) -> Result<Option<(Operator, OperatorSecrets)>> {
    let text = format!("SELECT {COLUMNS}, o.password, o.totp FROM operator o WHERE {condition}");
    sql.row(&text, values, |row| {
        let secrets = OperatorSecrets { password: row.get(9)?, totp: row.get(10)? };
        Ok((from_row(row)?, secrets))
    })
}
