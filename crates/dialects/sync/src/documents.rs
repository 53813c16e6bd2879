//! Documents: announced when the application says that a job's are all there, then read by the announcement's
//! UUID as a list, as their contents, or as one archive.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use serde_json::{Value, json};
use tidings_core::id::{AccountId, Bits96};
use tidings_service::{Announcement, RecordAccount};

use crate::Desk;
use crate::answer::{Answer, File};
use crate::auth::Acting;
use crate::call::{Call, Verb};
use crate::holdings::{self, Details, DocumentEvent, Holding};
use crate::listing::scan;
use crate::objects::{Kind, Object};
use crate::params::Params;
use crate::query::{Filters, Window};
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
    let id_job = call.params.text("id_job")?;
    let failed = call.params.number("failed")?.unwrap_or(0);
    let id_credential = call.params.text("id_credential")?;
    let holding = holdings::one(desk, &acting, &id_credential).await?;
    let total = of_job(desk, &acting, &holding, &id_job).await?.len();
    let mut tag = [0; 4];
    desk.service.ids().fill(&mut tag);
    let uuid = uuid(holding.account.id.0, u32::from_be_bytes(tag));
    let turn = desk.upserting.lock().await;
    let Holding { account, mut details } = holdings::one(desk, &acting, &id_credential).await?;
    let mut data = told(&account, &details, &id_job);
    data["documents"] = json!({ "uuid": uuid, "total": total, "failed": failed });
    details.remember_documents(DocumentEvent { uuid: uuid.clone(), id_job });
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
    let id_job = event.ok_or_else(unknown)?.id_job.clone();
    let found = of_job(desk, &acting, &holding, &id_job).await?;
    let skip = usize::try_from(window.skip).unwrap_or(usize::MAX);
    let found: Vec<Object> = found.into_iter().skip(skip).take(window.limit).collect();
    match shape {
        [] => {
            let shown: Vec<_> = found.into_iter().map(|object| window.keep_of(object)).collect();
            Answer::of(&shown)
        }
        ["json"] => Answer::of(&found.iter().map(parsed).collect::<Vec<_>>()),
        ["zip"] => archive(&found),
        _ => Err(nothing_here()),
    }
}

/// The documents that a job brought.
async fn of_job(
    desk: &Desk,
    acting: &Acting,
    holding: &Holding,
    id_job: &str,
) -> Result<Vec<Object>, Refusal> {
    let mut wanted = Params::default();
    wanted.0.insert("id_job".into(), id_job.into());
    let filters = Filters::read(Kind::Document, &wanted)?;
    let mut found = Vec::new();
    let holdings = std::slice::from_ref(holding);
    scan(desk, acting, Kind::Document, holdings, &filters, |object| {
        found.push(object);
        true
    })
    .await?;
    Ok(found)
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
fn archive(found: &[Object]) -> Result<Answer, Refusal> {
    let mut entries: Vec<(String, Vec<u8>)> = Vec::new();
    for object in found {
        let id = text(object, Kind::Document.id_name()).unwrap_or_default();
        let file = text(object, "file").map(|file| plain(&file)).filter(|file| !file.is_empty());
        let is_taken = |name: &String| entries.iter().any(|(taken, _)| taken == name);
        let name = file.filter(|file| !is_taken(file)).unwrap_or_else(|| plain(&id));
        entries.push((name, content(object)));
    }
    let archive = zip::stored(&entries)
        .ok_or_else(|| Refusal::bad_request("the archive is too large; ask for a smaller limit"))?;
    let content_type = "application/zip".to_owned();
    Ok(Answer::File(File { content_type, content: Bytes::from(archive) }))
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
