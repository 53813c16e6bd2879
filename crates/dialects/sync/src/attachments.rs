//! `/v1/attachments/{id}`: the file itself, and what is known of it.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;

use crate::Desk;
use crate::answer::{Answer, File};
use crate::call::{Call, Verb};
use crate::holdings;
use crate::objects::{Kind, Object};
use crate::refusal::Refusal;
use crate::route::nothing_here;

pub(crate) async fn answer(
    desk: &Desk,
    call: &Call,
    id: &str,
    rest: &[&str],
) -> Result<Answer, Refusal> {
    let acting = call.presented.reader(&desk.service, &call.params).await?;
    if call.method != Verb::Get {
        return Err(nothing_here());
    }
    for holding in holdings::all(desk, &acting, &call.params).await? {
        let collection = Kind::Attachment.collection();
        let account = holding.account.id;
        let found = desk.service.record(&acting.caller, account, collection, id).await?;
        if let Some(record) = found.filter(|record| record.deleted_at.is_none()) {
            let mut object = Kind::Attachment.whole(&holding, &record);
            return match rest {
                [] => file(&object),
                ["extra"] => {
                    object.remove("content");
                    Answer::of(&object)
                }
                ["json"] => Answer::of(&object),
                _ => Err(nothing_here()),
            };
        }
    }
    Err(Refusal::not_found("attachment"))
}

/// The content of an attachment: the body's `content`, in base 64.
fn file(object: &Object) -> Result<Answer, Refusal> {
    let text = |name: &str| {
        object.get(name).and_then(|raw| serde_json::from_str::<String>(raw.get()).ok())
    };
    let content = text("content").and_then(|text| STANDARD.decode(text.trim()).ok());
    let content = content.ok_or_else(|| Refusal::not_found("content of the attachment"))?;
    let name = text("file").unwrap_or_default();
    let content_type = text("mime").unwrap_or_else(|| usual(&name).to_owned());
    Ok(Answer::File(File { content_type, content: Bytes::from(content) }))
}

/// The media type of a file that says none.
fn usual(name: &str) -> &'static str {
    match name.rsplit_once('.').map(|(_, end)| end.to_ascii_lowercase()).as_deref() {
        Some("xml") => "text/xml; charset=utf-8",
        Some("pdf") => "application/pdf",
        Some("json") => "application/json",
        Some("txt" | "csv") => "text/plain; charset=utf-8",
        _ => "application/octet-stream",
    }
}
