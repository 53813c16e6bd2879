//! A settle column by column: on PostgreSQL each kind of row is one statement, however many they are.
//!
//! A statement cannot write a row twice, so what a settle says twice about a row is first made one: the
//! last word of a parked delivery, the furthest of a cursor, the sum of counts.

use std::collections::BTreeMap;

use tidings_core::clock::Timestamp;
use tidings_core::fault;

use super::{AttemptRecord, CursorWrite, HookCount, ParkedWrite, Settle};
use crate::Result;
use crate::sql::{Sql, Value, values};

pub(super) fn write(sql: &Sql<'_>, settle: &Settle, now: Timestamp) -> Result<()> {
    insert_attempts(sql, &settle.attempts)?;
    fault::point("settle.attempts");
    if !fault::planted("forget-parked") {
        write_parked(sql, &settle.parked, now)?;
    }
    fault::point("settle.parked");
    write_cursors(sql, &settle.cursors, now)?;
    fault::point("settle.cursors");
    write_matched(sql, &settle.matched)?;
    fault::point("settle.matched");
    add_counts(sql, &settle.counts, now)?;
    fault::point("settle.counts");
    Ok(())
}

fn ints<'a, R>(rows: &'a [R], of: impl Fn(&'a R) -> Value<'a>) -> Value<'a> {
    Value::ints(rows.iter().map(of))
}

fn texts<'a, R>(rows: &'a [R], of: impl Fn(&'a R) -> Option<&'a str>) -> Value<'a> {
    Value::Texts(rows.iter().map(of).collect())
}

fn insert_attempts(sql: &Sql<'_>, attempts: &[AttemptRecord]) -> Result<()> {
    if attempts.is_empty() {
        return Ok(());
    }
    sql.run(
        "INSERT INTO attempt (hook_no, cursor_no, first_seq, last_seq, members, group_key, n, outcome,
           started_at, dns_us, connect_us, tls_us, first_byte_us, total_us, url, address, status,
           error_class, error_detail, request_headers, response_headers, response_body)
         SELECT * FROM unnest(CAST(?1 AS BIGINT[]), CAST(?2 AS BIGINT[]), CAST(?3 AS BIGINT[]),
           CAST(?4 AS BIGINT[]), CAST(?5 AS BIGINT[]), CAST(?6 AS TEXT[]), CAST(?7 AS BIGINT[]),
           CAST(?8 AS TEXT[]), CAST(?9 AS BIGINT[]), CAST(?10 AS BIGINT[]), CAST(?11 AS BIGINT[]),
           CAST(?12 AS BIGINT[]), CAST(?13 AS BIGINT[]), CAST(?14 AS BIGINT[]), CAST(?15 AS TEXT[]),
           CAST(?16 AS TEXT[]), CAST(?17 AS BIGINT[]), CAST(?18 AS TEXT[]), CAST(?19 AS TEXT[]),
           CAST(?20 AS TEXT[]), CAST(?21 AS TEXT[]), CAST(?22 AS BYTEA[]))",
        &[
            ints(attempts, |a| a.hook_no.into()),
            ints(attempts, |a| a.cursor_no.into()),
            ints(attempts, |a| a.members.first_seq.into()),
            ints(attempts, |a| a.members.last_seq.into()),
            ints(attempts, |a| a.members.count.into()),
            texts(attempts, |a| Some(&a.members.group)),
            ints(attempts, |a| a.n.into()),
            texts(attempts, |a| Some(a.outcome())),
            ints(attempts, |a| a.started_at.0.into()),
            ints(attempts, |a| a.dns_us.into()),
            ints(attempts, |a| a.connect_us.into()),
            ints(attempts, |a| a.tls_us.into()),
            ints(attempts, |a| a.first_byte_us.into()),
            ints(attempts, |a| a.total_us.into()),
            texts(attempts, |a| Some(&a.url)),
            texts(attempts, |a| a.address.as_deref()),
            ints(attempts, |a| a.status.into()),
            texts(attempts, |a| a.error.as_ref().map(|(class, _)| class.as_str())),
            texts(attempts, |a| a.error.as_ref().map(|(_, detail)| detail.as_str())),
            texts(attempts, |a| a.request_headers.as_deref()),
            texts(attempts, |a| a.response_headers.as_deref()),
            Value::Blobs(attempts.iter().map(|a| a.response_body.as_deref()).collect()),
        ],
    )?;
    Ok(())
}

/// A parked row's key: hook, cursor, first change, group.
type ParkedKey<'a> = (i64, i64, u64, &'a str);

fn write_parked(sql: &Sql<'_>, parked: &[(i64, ParkedWrite)], now: Timestamp) -> Result<()> {
    let mut last: BTreeMap<ParkedKey<'_>, &ParkedWrite> = BTreeMap::new();
    for (hook_no, write) in parked {
        let (ParkedWrite::Put { cursor_no, members, .. }
        | ParkedWrite::Remove { cursor_no, members }) = write;
        last.insert((*hook_no, *cursor_no, members.first_seq, &members.group), write);
    }
    let (mut puts, mut removes) = (Vec::new(), Vec::new());
    for (key, write) in last {
        match write {
            ParkedWrite::Put { members, attempts, due_at, reason, key_hash, waits, .. } => {
                puts.push((key, members, attempts, due_at, reason, (key_hash, waits)));
            }
            ParkedWrite::Remove { .. } => removes.push(key),
        }
    }
    if !removes.is_empty() {
        sql.run(
            "DELETE FROM parked p USING unnest(CAST(?1 AS BIGINT[]), CAST(?2 AS BIGINT[]),
               CAST(?3 AS BIGINT[]), CAST(?4 AS TEXT[])) AS w (hook_no, cursor_no, first_seq, group_key)
             WHERE p.hook_no = w.hook_no AND p.cursor_no = w.cursor_no AND p.first_seq = w.first_seq
               AND p.group_key = w.group_key",
            &[
                ints(&removes, |key| key.0.into()),
                ints(&removes, |key| key.1.into()),
                ints(&removes, |key| key.2.into()),
                texts(&removes, |key| Some(key.3)),
            ],
        )?;
    }
    if puts.is_empty() {
        return Ok(());
    }
    sql.run(
        "INSERT INTO parked (hook_no, cursor_no, first_seq, last_seq, members, group_key, attempts,
           due_at, reason, key_hash, waits, parked_at)
         SELECT w.*, CAST(?12 AS BIGINT) FROM unnest(CAST(?1 AS BIGINT[]), CAST(?2 AS BIGINT[]),
           CAST(?3 AS BIGINT[]), CAST(?4 AS BIGINT[]), CAST(?5 AS BIGINT[]), CAST(?6 AS TEXT[]),
           CAST(?7 AS BIGINT[]), CAST(?8 AS BIGINT[]), CAST(?9 AS TEXT[]), CAST(?10 AS BIGINT[]),
           CAST(?11 AS BIGINT[]))
           AS w (hook_no, cursor_no, first_seq, last_seq, members, group_key, attempts, due_at, reason,
             key_hash, waits)
         WHERE EXISTS (SELECT 1 FROM hook h WHERE h.hook_no = w.hook_no AND h.deleted_at IS NULL)
         ON CONFLICT (hook_no, cursor_no, first_seq, group_key) DO UPDATE SET
           last_seq = excluded.last_seq, members = excluded.members, attempts = excluded.attempts,
           due_at = excluded.due_at, reason = excluded.reason, parked_at = excluded.parked_at,
           key_hash = excluded.key_hash, waits = excluded.waits",
        &[
            ints(&puts, |(key, ..)| key.0.into()),
            ints(&puts, |(key, ..)| key.1.into()),
            ints(&puts, |(key, ..)| key.2.into()),
            ints(&puts, |(_, members, ..)| members.last_seq.into()),
            ints(&puts, |(_, members, ..)| members.count.into()),
            texts(&puts, |(key, ..)| Some(key.3)),
            ints(&puts, |(_, _, attempts, ..)| (*attempts).into()),
            ints(&puts, |(_, _, _, due_at, ..)| due_at.map(|at| at.0).into()),
            texts(&puts, |(_, _, _, _, reason, _)| Some(reason)),
            ints(&puts, |(.., (key_hash, _))| (**key_hash).into()),
            ints(&puts, |(.., (_, waits))| (**waits).into()),
            now.0.into(),
        ],
    )?;
    Ok(())
}

/// Up to where a cursor is settled, what above that and how much was sent; absent: it is current.
type Settled<'a> = (u64, Option<(&'a [u8], u64)>);

/// A cursor only ever moves forward: a row that someone moved further in the meantime stays.
fn write_cursors(sql: &Sql<'_>, cursors: &[CursorWrite], now: Timestamp) -> Result<()> {
    let mut furthest: BTreeMap<(i64, i64), Settled<'_>> = BTreeMap::new();
    for write in cursors {
        let (key, settled) = match write {
            CursorWrite::Current { hook_no, settled_seq } => ((*hook_no, 0), (*settled_seq, None)),
            CursorWrite::Lagging { hook_no, cursor_no, settled_seq, delivered, sent } => {
                ((*hook_no, *cursor_no), (*settled_seq, Some((&delivered[..], *sent))))
            }
        };
        if furthest.get(&key).is_none_or(|(before, _)| *before <= settled.0) {
            furthest.insert(key, settled);
        }
    }
    let (mut current, mut lagging) = (Vec::new(), Vec::new());
    for ((hook_no, cursor_no), (settled_seq, delivered)) in furthest {
        match delivered {
            None => current.push((hook_no, settled_seq)),
            Some((delivered, sent)) => {
                lagging.push((hook_no, cursor_no, settled_seq, delivered, sent));
            }
        }
    }
    if !current.is_empty() {
        sql.run(
            "DELETE FROM cursor c USING unnest(CAST(?1 AS BIGINT[]), CAST(?2 AS BIGINT[]))
               AS w (hook_no, settled_seq)
             WHERE c.hook_no = w.hook_no AND c.cursor_no = 0 AND c.settled_seq <= w.settled_seq",
            &[ints(&current, |row| row.0.into()), ints(&current, |row| row.1.into())],
        )?;
    }
    if lagging.is_empty() {
        return Ok(());
    }
    sql.run(
        "INSERT INTO cursor (hook_no, cursor_no, kind, settled_seq, delivered, created_at, sent)
         SELECT w.hook_no, w.cursor_no, CASE WHEN w.cursor_no = 0 THEN 'live' ELSE 'replay' END,
           w.settled_seq, w.delivered, CAST(?5 AS BIGINT), w.sent
         FROM unnest(CAST(?1 AS BIGINT[]), CAST(?2 AS BIGINT[]), CAST(?3 AS BIGINT[]),
           CAST(?4 AS BYTEA[]), CAST(?6 AS BIGINT[]))
           AS w (hook_no, cursor_no, settled_seq, delivered, sent)
         WHERE EXISTS (SELECT 1 FROM hook h WHERE h.hook_no = w.hook_no AND h.deleted_at IS NULL)
         ON CONFLICT (hook_no, cursor_no) DO UPDATE SET settled_seq = excluded.settled_seq,
           delivered = excluded.delivered, sent = excluded.sent
         WHERE excluded.settled_seq >= cursor.settled_seq",
        &[
            ints(&lagging, |row| row.0.into()),
            ints(&lagging, |row| row.1.into()),
            ints(&lagging, |row| row.2.into()),
            Value::Blobs(lagging.iter().map(|row| Some(row.3)).collect()),
            now.0.into(),
            ints(&lagging, |row| row.4.into()),
        ],
    )?;
    Ok(())
}

fn write_matched(sql: &Sql<'_>, matched: &[(i64, u64)]) -> Result<()> {
    let mut furthest: BTreeMap<i64, u64> = BTreeMap::new();
    for (app_no, matched_seq) in matched {
        let seq = furthest.entry(*app_no).or_default();
        *seq = (*seq).max(*matched_seq);
    }
    if furthest.is_empty() {
        return Ok(());
    }
    sql.run(
        "INSERT INTO matched (app_no, shard, matched_seq)
         SELECT w.app_no, 0, w.seq FROM unnest(CAST(?1 AS BIGINT[]), CAST(?2 AS BIGINT[])) AS w (app_no, seq)
         ON CONFLICT (app_no, shard) DO UPDATE SET matched_seq = excluded.matched_seq
         WHERE excluded.matched_seq > matched.matched_seq",
        &[Value::ints(furthest.keys()), Value::ints(furthest.values())],
    )?;
    Ok(())
}

fn add_counts(sql: &Sql<'_>, counts: &[HookCount], now: Timestamp) -> Result<()> {
    let mut sums: BTreeMap<i64, HookCount> = BTreeMap::new();
    for count in counts {
        sums.entry(count.hook_no).and_modify(|sum| sum.add(count)).or_insert(*count);
    }
    if sums.is_empty() {
        return Ok(());
    }
    let sums: Vec<HookCount> = sums.into_values().collect();
    sql.run(
        "UPDATE hook SET runs = hook.runs + w.runs, failures = hook.failures + w.failures,
           consecutive_failures = w.in_a_row
             + CASE WHEN w.succeeded = 1 THEN 0 ELSE hook.consecutive_failures END,
           failing_since = CASE WHEN w.in_a_row = 0
             THEN CASE WHEN w.succeeded = 1 THEN NULL ELSE hook.failing_since END
             WHEN w.succeeded = 1 THEN ?6
             ELSE coalesce(hook.failing_since, ?6) END
         FROM unnest(CAST(?1 AS BIGINT[]), CAST(?2 AS BIGINT[]), CAST(?3 AS BIGINT[]),
           CAST(?4 AS BIGINT[]), CAST(?5 AS BIGINT[])) AS w (hook_no, runs, failures, in_a_row, succeeded)
         WHERE hook.hook_no = w.hook_no",
        values![
            ints(&sums, |sum| sum.hook_no.into()),
            ints(&sums, |sum| sum.runs.into()),
            ints(&sums, |sum| sum.failures.into()),
            ints(&sums, |sum| sum.failures_in_a_row.into()),
            ints(&sums, |sum| sum.succeeded.into()),
            now.0,
        ],
    )?;
    Ok(())
}
