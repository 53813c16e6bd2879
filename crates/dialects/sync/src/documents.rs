//! Documents: announced when the application says that a job's are all there, then read by the announcement's
//! UUID as a list, as their contents, or as one archive.

use std::collections::BTreeSet;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use serde_json::{Value, json};
use tidings_core::id::{AccountId, Bits96};
use tidings_core::limits;
use tidings_service::{Announcement, Record, RecordAccount};

use crate::Desk;
use crate::answer::{Answer, File};
use crate::auth::Acting;
use crate::call::{Call, Verb};
use crate::holdings::{self, Details, DocumentEvent, Holding};
use crate::listing::{Shown, held};
use crate::objects::{Kind, Object, size};
use crate::params::Params;
use crate::query::{Filters, Window};
use crate::reading::{Narrow, Reading, Span};
use crate::refusal::Refusal;
use crate::route::nothing_here;
use crate::wire::{of_uuid, uuid};
use crate::zip;

/// Announces that the documents of a job are there. The call is ours, not the vendor's: its documents were
/// fetched by itself.
pub(crate) async fn completed(desk: &Desk, call: &Call) -> Result<Answer, Refusal> {
    let acting = call.presented.reader(&desk.service, &call.params).await?;
    if call.method != Verb::Post {
        return Err(nothing_here());
    }
    let id_job = id_job(&call.params)?;
    let failed = call.params.number("failed")?.unwrap_or(0);
    let id_credential = call.params.text("id_credential")?;
    let holding = holdings::one(desk, &acting, &id_credential).await?;
    let brought = brought(desk, &acting, &holding, &id_job).await?;
    let mut tag = [0; 4];
    desk.service.ids().fill(&mut tag);
    let uuid = uuid(holding.account.id.0, u32::from_be_bytes(tag));
    let turn = desk.upserting.lock().await;
    let Holding { account, mut details } = holdings::one(desk, &acting, &id_credential).await?;
    let mut data = told(&account, &details, &id_job);
    let Brought { total, first, last, largest } = brought;
    // So many of them are within what one answer shows, whatever they are.
    let page = (limits::SYNC_ANSWER_BYTES_MAX / largest.max(1)) as u64;
    let page = page.clamp(1, limits::SYNC_DOCUMENTS_PAGE);
    data["documents"] = json!({ "uuid": uuid, "total": total, "failed": failed, "page": page });
    details.remember_documents(DocumentEvent { uuid: uuid.clone(), id_job, total, first, last });
    let outcome = if failed == 0 { "documents.success" } else { "documents.failed" };
    let announced = ["documents.completed", outcome].map(|kind| Announcement {
        kind: kind.to_owned(),
        collection: Some(Kind::Document.collection().to_owned()),
        item: None,
        order_key: Some(account.id.to_string()),
        data: data.clone(),
    });
    let details = Some(details.to_value());
    desk.service
        .update_record_account(&acting.caller, account.id, None, details, announced.to_vec())
        .await?;
    drop(turn);
    Answer::of(&json!({ "uuid": uuid, "count": total }))
}

/// What the formats write of the credential and the job.
fn told(account: &RecordAccount, details: &Details, id_job: &str) -> Value {
    let job = details.jobs.iter().find(|job| job.id_job == id_job);
    let mut data = json!({
        "account": account.told(),
        "credential": {
            "id_site": details.id_site,
            "id_site_organization": details.id_site_organization,
            "id_site_organization_type": details.id_site_organization_type,
        },
        "job": { "id_job": id_job, "id_job_uuid": job.map_or(id_job, |job| &job.id_job_uuid) },
    });
    if let Some(user) = account.user_told() {
        data["user"] = user;
    }
    data
}

/// The documents of an announcement.
pub(crate) async fn of_event(
    desk: &Desk,
    call: &Call,
    uuid: &str,
    rest: &[&str],
) -> Result<Answer, Refusal> {
    let acting = call.presented.reader(&desk.service, &call.params).await?;
    let (Verb::Get, ["documents", shape @ ..]) = (call.method, rest) else {
        return Err(nothing_here());
    };
    let window = Window::read(&call.params)?;
    let unknown = || Refusal::not_found("webhook event");
    let (account, _): (Bits96, u32) = of_uuid(uuid).ok_or_else(unknown)?;
    let id = AccountId(account).0.to_hex24();
    let holding = holdings::one(desk, &acting, &id).await.map_err(|refusal| {
        if refusal.status == http::StatusCode::NOT_FOUND { unknown() } else { refusal }
    })?;
    let uuid = uuid.to_ascii_lowercase();
    let event = holding.details.document_events.iter().find(|event| event.uuid == uuid);
    let event = event.ok_or_else(unknown)?;
    let whole = window.clone().whole();
    let window = if shape.is_empty() { &window } else { &whole };
    let found = of_page(desk, &acting, &holding, event, window).await?;
    match shape {
        [] => Answer::of(&found),
        ["json"] => Answer::of(&found.iter().map(parsed).collect::<Vec<_>>()),
        ["zip"] => archive(found),
        _ => Err(nothing_here()),
    }
}

/// The id of a job: of one of ours, or one that the application made up. It is written into URLs.
fn id_job(params: &Params) -> Result<String, Refusal> {
    let id = params.text("id_job")?;
    let most = limits::SYNC_ID_JOB_CHARS_MAX;
    let is_good = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    if id.len() <= most && id.bytes().all(is_good) {
        return Ok(id);
    }
    let why = format!("must have at most {most} letters, digits, hyphens and underscores");
    Err(Refusal::field("id_job", why))
}

/// What a job brought.
#[derive(Default)]
struct Brought {
    total: u64,
    /// The least and the greatest ordinal.
    first: u64,
    last: u64,
    /// Bytes of the largest.
    largest: usize,
}

async fn brought(
    desk: &Desk,
    acting: &Acting,
    holding: &Holding,
    id_job: &str,
) -> Result<Brought, Refusal> {
    let filters = of_job(id_job)?;
    let mut brought = Brought::default();
    for (holding, held) in held(desk, acting, Kind::Document, std::slice::from_ref(holding)).await?
    {
        let count = |record: Record| {
            let object = Kind::Document.listed(holding, &record);
            if filters.hold(&object) {
                let Brought { total, first, last, largest } = &mut brought;
                *first = if *total == 0 { record.ordinal } else { record.ordinal.min(*first) };
                *last = record.ordinal.max(*last);
                *largest = size(&object).max(*largest);
                *total += 1;
            }
            Ok(true)
        };
        let narrow = filters.narrow(Kind::Document, holding, held);
        let span = Span { after: 0, until: held };
        Reading::new(desk, acting, Kind::Document).each(holding, span, narrow, count).await?;
    }
    Ok(brought)
}

/// The documents of an announcement that a window shows.
async fn of_page(
    desk: &Desk,
    acting: &Acting,
    holding: &Holding,
    event: &DocumentEvent,
    window: &Window,
) -> Result<Vec<Object>, Refusal> {
    let filters = of_job(&event.id_job)?;
    let mut span = Span { after: event.first.saturating_sub(1), until: event.last };
    let mut shown = Shown::new(window, window.skip);
    if span.until - span.after == event.total {
        // Nothing else is among them: the page begins where it is counted to.
        span.after = span.after.saturating_add(window.skip);
        shown = Shown::new(window, 0);
    }
    let take = |record: Record| {
        let object = Kind::Document.listed(holding, &record);
        if filters.hold(&object) { shown.take(object) } else { Ok(true) }
    };
    Reading::new(desk, acting, Kind::Document).each(holding, span, Narrow::default(), take).await?;
    Ok(shown.listed)
}

fn of_job(id_job: &str) -> Result<Filters, Refusal> {
    let mut wanted = Params::default();
    wanted.0.insert("id_job".into(), id_job.into());
    Filters::read(Kind::Document, &wanted)
}

fn text(object: &Object, name: &str) -> Option<String> {
    object.get(name).and_then(|raw| serde_json::from_str(raw.get()).ok())
}

/// The bytes of a document: its `content`, in base 64; as it is when it is not.
fn content(object: &Object) -> Vec<u8> {
    let content = text(object, "content").unwrap_or_default();
    STANDARD.decode(content.trim()).unwrap_or_else(|_| content.into_bytes())
}

/// A document whose content is JSON shows it as such.
fn parsed(object: &Object) -> Value {
    let mut shown = serde_json::to_value(object).unwrap_or_default();
    if let Ok(content) = serde_json::from_slice::<Value>(&content(object)) {
        shown["content"] = content;
    }
    shown
}

/// All contents in one archive, each under the document's file name, or its id where that is missing or taken.
fn archive(found: Vec<Object>) -> Result<Answer, Refusal> {
    let mut taken = BTreeSet::new();
    let mut entries = Vec::with_capacity(found.len());
    for object in found {
        let id = text(&object, Kind::Document.id_name()).unwrap_or_default();
        let file = text(&object, "file").unwrap_or_default();
        entries.push((free_name(&mut taken, [plain(&file), plain(&id)]), content(&object)));
    }
    let archive = zip::stored(&entries)
        .ok_or_else(|| Refusal::bad_request("the archive is too large; ask for a smaller limit"))?;
    let content_type = "application/zip".to_owned();
    Ok(Answer::File(File { content_type, content: Bytes::from(archive) }))
}

/// The first of these names that is one and is not taken, else the last with a number in front.
fn free_name(taken: &mut BTreeSet<String>, names: [String; 2]) -> String {
    let last = names[1].clone();
    let numbered = (2..).map(|number: u32| format!("{number}-{last}"));
    let mut names = names.into_iter().filter(|name| !name.is_empty()).chain(numbered);
    let free = names.find(|name| !taken.contains(name)).unwrap_or(last);
    taken.insert(free.clone());
    free
}

/// A file name that stays in the folder in which it is unpacked.
fn plain(name: &str) -> String {
    let last = name.rsplit(['/', '\\']).next().unwrap_or_default();
    let good = |letter: &char| !letter.is_control() && !matches!(letter, ':');
    let cleaned: String = last.chars().filter(good).collect();
    if cleaned.trim_matches('.').is_empty() { String::new() } else { cleaned }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_files_of_an_archive_have_one_name() {
        let mut taken = BTreeSet::new();
        for (file, id, name) in [
            ("a.xml", "d1", "a.xml"),
            ("a.xml", "d2", "d2"),
            ("d3", "d4", "d3"),
            ("a.xml", "d3", "2-d3"),
            ("2-d3", "d3", "3-d3"),
            ("", "d5", "d5"),
            ("", "", "2-"),
            ("", "", "3-"),
        ] {
            let found = free_name(&mut taken, [file.to_owned(), id.to_owned()]);
            assert_eq!(found, name, "{file} {id}");
        }
    }

    #[test]
    fn the_id_of_a_job_is_short_and_fits_into_a_url() {
        let long = "a".repeat(limits::SYNC_ID_JOB_CHARS_MAX + 1);
        for (id, is_good) in [
            ("5e793889b783081dd61de29c", true),
            ("5e793889-b783_x", true),
            (&long[1..], true),
            (&long, false),
            ("", false),
            ("a b", false),
            ("a&limit=1", false),
            ("a,b", false),
            ("\u{e9}", false),
        ] {
            let mut params = Params::default();
            params.0.insert("id_job".into(), id.into());
            assert_eq!(id_job(&params).is_ok(), is_good, "{id}");
        }
    }

    #[test]
    fn a_file_name_leads_nowhere_else() {
        for (name, safe) in [
            ("a.xml", "a.xml"),
            ("../../etc/passwd", "passwd"),
            ("c:\\x\\a.xml", "a.xml"),
            ("..", ""),
            ("a/", ""),
            ("a\u{0}b", "ab"),
        ] {
            assert_eq!(plain(name), safe, "{name}");
        }
    }
}
