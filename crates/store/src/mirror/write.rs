//! Writing a [`MirrorCommit`].

use tidings_core::change::NewChange;
use tidings_core::clock::Timestamp;

use super::read::supersede;
use super::{CollectionWrite, ItemWrite, MirrorCommit};
use crate::account::PUSHING;
use crate::sql::{Sql, values};
use crate::writer::Tx;
use crate::{Result, journal, subscription};

pub(super) fn apply(tx: &mut Tx<'_>, commit: MirrorCommit, now: Timestamp) -> Result<()> {
    let mut changes = Vec::new();
    for write in commit.collections {
        if let Some(change) =
            write_collection(&tx.sql, commit.app_no, commit.account_no, write, now)?
        {
            changes.push(change);
        }
    }
    for (collection_no, write) in &commit.items {
        write_item(&tx.sql, *collection_no, write)?;
    }
    for superseded in &commit.superseded {
        supersede(&tx.sql, superseded, now)?;
    }
    changes.extend(commit.changes);
    if changes.is_empty() {
        return Ok(());
    }
    tx.sql.run(
        "UPDATE account SET last_change_at = ?2 WHERE account_no = ?1",
        values![commit.account_no, now.0],
    )?;
    journal::append(tx, commit.app_no, changes, now)?;
    Ok(())
}

fn write_collection(
    sql: &Sql<'_>,
    app_no: i64,
    account_no: i64,
    write: CollectionWrite,
    now: Timestamp,
) -> Result<Option<NewChange>> {
    match write {
        CollectionWrite::Create { id, external_id, name, details, announce } => {
            let collection_no = sql.row(
                &format!(
                    "INSERT INTO collection (id, app_no, account_no, external_id, name, details,
                       created_at, watch_at)
                     VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7,
                       (SELECT CAST(?7 AS BIGINT) FROM account
                        WHERE account_no = ?3 AND provider IN {PUSHING}))
                     RETURNING collection_no"
                ),
                values![id.0.to_bytes(), app_no, account_no, external_id, name, details, now.0],
                |row| row.get(0),
            )?;
            return Ok(announce.map(|mut change| {
                change.subject.collection_no = collection_no;
                *change
            }));
        }
        CollectionWrite::Describe { collection_no, name, details } => {
            sql.run(
                "UPDATE collection SET name = ?2, details = ?3 WHERE collection_no = ?1",
                values![collection_no, name, details],
            )?;
        }
        CollectionWrite::Synced { collection_no, ctag, sync_token, synced_gen, window } => {
            sql.run(
                "UPDATE collection SET ctag = ?2, sync_token = ?3, baseline_done = 1, error = NULL,
                   synced_at = ?4, synced_gen = coalesce(?5, synced_gen),
                   time_min = coalesce(?6, time_min), time_max = coalesce(?7, time_max)
                 WHERE collection_no = ?1",
                values![
                    collection_no,
                    ctag,
                    sync_token,
                    now.0,
                    synced_gen,
                    window.map(|(from, _)| from.0),
                    window.map(|(_, to)| to.0)
                ],
            )?;
        }
        CollectionWrite::Failed { collection_no, error } => {
            sql.run(
                "UPDATE collection SET error = ?2 WHERE collection_no = ?1",
                values![collection_no, error],
            )?;
        }
        CollectionWrite::Delete { collection_no } => {
            sql.run(
                "UPDATE collection SET deleted_at = ?2, watch_at = NULL WHERE collection_no = ?1",
                values![collection_no, now.0],
            )?;
            subscription::retire_all(sql, collection_no, now)?;
        }
    }
    Ok(None)
}

fn write_item(sql: &Sql<'_>, collection_no: i64, write: &ItemWrite) -> Result<()> {
    match write {
        ItemWrite::Put(item) => sql.run(
            "INSERT INTO item (collection_no, item_key, resource, etag, version, series,
               recurrence_id, body, starts_at, ends_at)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)
             ON CONFLICT (collection_no, item_key) DO UPDATE SET resource = excluded.resource,
               etag = excluded.etag, version = excluded.version, series = excluded.series,
               recurrence_id = excluded.recurrence_id, body = excluded.body,
               starts_at = excluded.starts_at, ends_at = excluded.ends_at",
            values![
                collection_no,
                &item.key,
                &item.resource,
                &item.etag,
                &item.version,
                &item.series,
                &item.recurrence_id,
                &item.body,
                item.starts_at,
                item.starts_at.and(item.ends_at)
            ],
        )?,
        ItemWrite::Touch { resource, etag } => sql.run(
            "UPDATE item SET etag = ?3 WHERE collection_no = ?1 AND resource = ?2",
            values![collection_no, resource, etag],
        )?,
        ItemWrite::Remove { key } => sql.run(
            "DELETE FROM item WHERE collection_no = ?1 AND item_key = ?2",
            values![collection_no, key],
        )?,
    };
    Ok(())
}
