//! A settle row by row: what the embedded store does fastest.

use tidings_core::clock::Timestamp;
use tidings_core::fault;

use super::{AttemptRecord, CursorWrite, HookCount, ParkedWrite, Settle};
use crate::Result;
use crate::sql::{Sql, values};

pub(super) fn write(sql: &Sql<'_>, settle: &Settle, now: Timestamp) -> Result<()> {
    for attempt in &settle.attempts {
        insert_attempt(sql, attempt)?;
    }
    fault::point("settle.attempts");
    for (hook_no, write) in &settle.parked {
        if fault::planted("forget-parked") {
            continue;
        }
        write_parked(sql, *hook_no, write, now)?;
    }
    fault::point("settle.parked");
    for cursor in &settle.cursors {
        write_cursor(sql, cursor, now)?;
    }
    fault::point("settle.cursors");
    for (app_no, matched_seq) in &settle.matched {
        sql.run(
            "INSERT INTO matched (app_no, shard, matched_seq) VALUES (?1, 0, ?2)
             ON CONFLICT (app_no, shard) DO UPDATE SET matched_seq = excluded.matched_seq
             WHERE excluded.matched_seq > matched.matched_seq",
            values![app_no, matched_seq],
        )?;
    }
    fault::point("settle.matched");
    for count in &settle.counts {
        add_count(sql, count, now)?;
    }
    fault::point("settle.counts");
    Ok(())
}

fn insert_attempt(sql: &Sql<'_>, attempt: &AttemptRecord) -> Result<()> {
    let (class, detail) = attempt.error.as_ref().map(|(c, d)| (c, d)).unzip();
    sql.run(
        "INSERT INTO attempt (hook_no, cursor_no, first_seq, last_seq, members, group_key, n, outcome,
           started_at, dns_us, connect_us, tls_us, first_byte_us, total_us, url, address, status,
           error_class, error_detail, request_headers, response_headers, response_body)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19,
           ?20, ?21, ?22)",
        values![
            attempt.hook_no,
            attempt.cursor_no,
            attempt.members.first_seq,
            attempt.members.last_seq,
            attempt.members.count,
            &attempt.members.group,
            attempt.n,
            attempt.outcome(),
            attempt.started_at.0,
            attempt.dns_us,
            attempt.connect_us,
            attempt.tls_us,
            attempt.first_byte_us,
            attempt.total_us,
            &attempt.url,
            &attempt.address,
            attempt.status,
            class,
            detail,
            &attempt.request_headers,
            &attempt.response_headers,
            &attempt.response_body,
        ],
    )?;
    Ok(())
}

fn write_parked(sql: &Sql<'_>, hook_no: i64, write: &ParkedWrite, now: Timestamp) -> Result<()> {
    match write {
        ParkedWrite::Put {
            cursor_no,
            members,
            attempts,
            due_at,
            reason,
            key_hash,
            waits,
        } => sql.run(
            "INSERT INTO parked (hook_no, cursor_no, first_seq, last_seq, members, group_key,
               attempts, due_at, reason, parked_at, key_hash, waits)
             SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12
             FROM hook WHERE hook_no = ?1 AND deleted_at IS NULL
             ON CONFLICT (hook_no, cursor_no, first_seq, group_key) DO UPDATE SET
               last_seq = excluded.last_seq, members = excluded.members,
               attempts = excluded.attempts, due_at = excluded.due_at, reason = excluded.reason,
               parked_at = excluded.parked_at, key_hash = excluded.key_hash, waits = excluded.waits",
            values![
                hook_no,
                cursor_no,
                members.first_seq,
                members.last_seq,
                members.count,
                &members.group,
                attempts,
                due_at.map(|at| at.0),
                reason,
                now.0,
                *key_hash,
                *waits,
            ],
        )?,
        ParkedWrite::Remove { cursor_no, members } => sql.run(
            "DELETE FROM parked WHERE hook_no = ?1 AND cursor_no = ?2 AND first_seq = ?3
               AND group_key = ?4",
            values![hook_no, cursor_no, members.first_seq, &members.group],
        )?,
    };
    Ok(())
}

/// A cursor only ever moves forward: a row that someone moved further in the meantime stays.
fn write_cursor(sql: &Sql<'_>, write: &CursorWrite, now: Timestamp) -> Result<()> {
    match write {
        CursorWrite::Current { hook_no, settled_seq } => sql.run(
            "DELETE FROM cursor WHERE hook_no = ?1 AND cursor_no = 0 AND settled_seq <= ?2",
            values![hook_no, settled_seq],
        )?,
        CursorWrite::Lagging { hook_no, cursor_no, settled_seq, delivered, sent } => {
            // By far the most have a row already; one statement for both would cost each a journal of its own.
            let moved = sql.run(
                "UPDATE cursor SET settled_seq = ?3, delivered = ?4, sent = ?5
                 WHERE hook_no = ?1 AND cursor_no = ?2 AND settled_seq <= ?3",
                values![hook_no, cursor_no, settled_seq, delivered, sent],
            )?;
            if moved > 0 {
                return Ok(());
            }
            sql.run(
                "INSERT INTO cursor (hook_no, cursor_no, kind, settled_seq, delivered, created_at, sent)
                 SELECT ?1, ?2, CASE WHEN ?2 = 0 THEN 'live' ELSE 'replay' END, ?3, ?4, ?5, ?6
                 FROM hook WHERE hook_no = ?1 AND deleted_at IS NULL
                 ON CONFLICT (hook_no, cursor_no) DO NOTHING",
                values![hook_no, cursor_no, settled_seq, delivered, now.0, sent],
            )?
        }
    };
    Ok(())
}

fn add_count(sql: &Sql<'_>, count: &HookCount, now: Timestamp) -> Result<()> {
    sql.run(
        "UPDATE hook SET runs = runs + ?2, failures = failures + ?3,
           consecutive_failures = ?4 + CASE WHEN ?5 THEN 0 ELSE consecutive_failures END,
           failing_since = CASE WHEN ?4 = 0 THEN CASE WHEN ?5 THEN NULL ELSE failing_since END
             WHEN ?5 THEN ?6 ELSE coalesce(failing_since, ?6) END
         WHERE hook_no = ?1",
        values![
            count.hook_no,
            count.runs,
            count.failures,
            count.failures_in_a_row,
            count.succeeded,
            now.0,
        ],
    )?;
    Ok(())
}
