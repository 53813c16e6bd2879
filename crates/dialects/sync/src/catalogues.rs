//! `/v1/catalogues`: the documented test sites. Which real sites there are is the application's business: a
//! credential may name any.

use serde_json::{Value, json};

use crate::Desk;
use crate::answer::Answer;
use crate::call::{Call, Verb};
use crate::params::Params;
use crate::query::Window;
use crate::refusal::Refusal;
use crate::route::nothing_here;

/// The organization of the test sites.
pub(crate) const ORGANIZATION: &str = "56cf4ff5784806152c8b4567";
/// Its name.
pub(crate) const ORGANIZATION_NAME: &str = "Acme";
/// Its type.
pub(crate) const ORGANIZATION_TYPE: &str = "56cf4f5b784806cf028b4568";
const SITE_TYPE: &str = "5b285177056f2911c13dbce1";

/// A test site.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Site {
    id: &'static str,
    pub(crate) name: &'static str,
}

const SITES: [Site; 5] = [
    Site { id: "56cf5728784806f72b8b4568", name: "Normal" },
    Site { id: "56cf5728784806f72b8b4569", name: "Token" },
    Site { id: "5d0bb316f9de2a0a8f71aaf1", name: "Code Response Simulator" },
    Site { id: "5f427fae9c41a502e30ebe93", name: "Live Transactions" },
    Site { id: "58b884fc056f295aa1483a02", name: "Transactions with Attachments" },
];

/// A site of the catalogue.
pub(crate) fn site(id: &str) -> Option<Site> {
    SITES.into_iter().find(|site| site.id.eq_ignore_ascii_case(id))
}

pub(crate) async fn answer(desk: &Desk, call: &Call, rest: &[&str]) -> Result<Answer, Refusal> {
    call.presented.reader(&desk.service, &call.params).await?;
    let window = Window::read(&call.params)?;
    let catalogue = match (call.method, rest) {
        (Verb::Get, ["sites"]) => sites(&call.params)?,
        (Verb::Get, ["site_organizations"]) => vec![organization()],
        (Verb::Get, ["organizations", "sites"]) => grouped(sites(&call.params)?),
        _ => return Err(nothing_here()),
    };
    Answer::of(&window.cut(catalogue))
}

/// The sites that the filters leave.
fn sites(params: &Params) -> Result<Vec<Value>, Refusal> {
    let mut left: Vec<Value> = SITES.iter().map(view).collect();
    for name in ["id_site", "id_site_organization", "id_site_organization_type"] {
        let wanted = params.list(name)?;
        if !wanted.is_empty() {
            left.retain(|site| wanted.iter().any(|id| site[name] == id.as_str()));
        }
    }
    Ok(left)
}

/// The organization with its sites. Of its first one it carries the fields too: the documentation reads this
/// list as one of organizations in one place and as one of sites in another.
fn grouped(sites: Vec<Value>) -> Vec<Value> {
    let Some(mut group) = sites.first().cloned() else { return Vec::new() };
    for (name, value) in organization().as_object().into_iter().flatten() {
        if name != "name" {
            group[name] = value.clone();
        }
    }
    group["sites"] = Value::Array(sites);
    vec![group]
}

fn organization() -> Value {
    json!({
        "id_site_organization": ORGANIZATION,
        "id_site_organization_type": ORGANIZATION_TYPE,
        "name": ORGANIZATION_NAME,
        "avatar": null,
        "cover": null,
        "small_cover": null,
    })
}

/// A site, in the order of the documentation.
fn view(site: &Site) -> Value {
    let field = |name: &str, kind: &str, label: &str, is_username: bool| {
        json!({
            "name": name, "type": kind, "label": label, "required": true,
            "username": is_username, "token": false, "validation": null,
        })
    };
    json!({
        "id_site": site.id,
        "id_site_organization": ORGANIZATION,
        "id_site_organization_type": ORGANIZATION_TYPE,
        "id_site_type": SITE_TYPE,
        "is_business": 1,
        "is_personal": 1,
        "version": 1,
        "name": site.name,
        "credentials": [
            field("username", "text", "Username", true),
            field("password", "password", "Password", false),
        ],
        "endpoint": "/v1/credentials",
    })
}
