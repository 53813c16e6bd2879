//! The payloads, field by field. A JSON object of ours is in alphabetical order, as the documentation's are.

use serde_json::{Value, json};
use tidings_core::format::RenderError;
use tidings_core::limits;

use super::content::{Content, Documents};
use super::refused;

/// The payload of a V1 event.
pub(super) fn v1(event: &str, content: &Content) -> Result<Value, RenderError> {
    let mut payload = about(content);
    payload["event"] = event.into();
    payload["id_user"] = json!(content.id_user());
    payload["id_external"] = json!(content.id_external());
    match event {
        "documents_completed" => {
            let documents = documents(content)?;
            payload["uuid"] = json!(documents.uuid);
            payload["endpoints"] = document_endpoints(documents);
        }
        "refresh" => {
            payload["id_credential"] = json!(content.id_credential());
            payload["endpoints"] = refresh_endpoints(content);
        }
        _ => {
            payload["id_credential"] = json!(content.id_credential());
            payload["endpoints"] = json!({ "credential": [credential(content)] });
            payload["is_executing"] = json!(content.site().is_executing.unwrap_or(0));
        }
    }
    Ok(payload)
}

/// The payload of V3's events about documents, which have a list of endpoints and no `event`.
pub(super) fn documents_v3(content: &Content) -> Result<Value, RenderError> {
    let documents = documents(content)?;
    let mut payload = about(content);
    let id_job = payload["id_job"].as_str().unwrap_or_default();
    let (path, page) = (format!("/v1/documents?id_job_webhook={id_job}"), documents.page());
    payload["endpoints"] = if documents.total <= page {
        json!([path])
    } else {
        let pages = skips(documents.total, page);
        pages.map(|skip| format!("{path}&limit={page}&skip={skip}")).collect()
    };
    Ok(payload)
}

/// What every payload has.
fn about(content: &Content) -> Value {
    let (site, job) = (content.site(), content.job());
    json!({
        "id_job": job.as_ref().map(|job| &job.id_job),
        "id_job_uuid": job.as_ref().map(|job| &job.id_job_uuid),
        "id_site": site.id_site,
        "id_site_organization": site.id_site_organization,
        "id_site_organization_type": site.id_site_organization_type,
    })
}

fn documents(content: &Content) -> Result<&Documents, RenderError> {
    content.documents.as_ref().ok_or_else(|| refused("the content names no documents"))
}

fn credential(content: &Content) -> String {
    format!("/v1/credentials/{}", content.id_credential())
}

/// Exactly the pages that there are.
fn refresh_endpoints(content: &Content) -> Value {
    let id = content.id_credential();
    let pages = |collection: &str, path: &str| -> Vec<String> {
        let total = content.counts.get(collection).map_or(0, |count| count.total);
        let page = limits::SYNC_PAGE;
        skips(total, page)
            .map(|skip| format!("/v1/{path}?id_credential={id}&limit={page}&skip={skip}&wbhk=1"))
            .collect()
    };
    json!({
        "accounts": pages("accounts", "accounts"),
        "attachments": pages("attachments", "attachments/export"),
        "credential": [credential(content)],
        "transactions": pages("transactions", "transactions"),
    })
}

fn document_endpoints(documents: &Documents) -> Value {
    let page = documents.page();
    let pages = |shape: &str| -> Vec<String> {
        let path = format!("/v1/webhooks/events/{}/documents{shape}", documents.uuid);
        skips(documents.total, page)
            .map(|skip| format!("{path}?limit={page}&skip={skip}"))
            .collect()
    };
    json!({
        "documents": pages(""),
        "documents_json": pages("/json"),
        "documents_zip": pages("/zip"),
    })
}

/// Where the pages of `total` items begin: 0, `page`, twice `page` …
fn skips(total: u64, page: u64) -> impl Iterator<Item = u64> {
    (0..total.div_ceil(page)).map(move |number| number * page)
}
