//! What a request prefers: the `Prefer` header and the query options of OData.

use crate::server::Call;

#[derive(Clone, Debug)]
pub(super) struct Preferences {
    /// `IdType="ImmutableId"`.
    pub(super) immutable: bool,
    /// `outlook.timezone`.
    pub(super) zone: String,
    /// `outlook.body-content-type="text"`.
    pub(super) text: bool,
    /// `odata.maxpagesize`.
    pub(super) page: Option<usize>,
    /// `$expand`.
    pub(super) expand: String,
    /// `$select`.
    pub(super) select: String,
}

impl Preferences {
    pub(super) fn of(call: &Call) -> Self {
        let mut wish = Self {
            immutable: false,
            zone: "UTC".into(),
            text: false,
            page: None,
            expand: call.parameter("$expand").unwrap_or_default(),
            select: call.parameter("$select").unwrap_or_default(),
        };
        let headers = call.headers.get_all("prefer").iter().filter_map(|value| value.to_str().ok());
        for preference in headers.flat_map(|header| header.split(',')) {
            let (name, value) = preference.split_once('=').unwrap_or((preference, ""));
            let value = value.trim().trim_matches('"');
            match name.trim().to_ascii_lowercase().as_str() {
                "idtype" => wish.immutable = value == "ImmutableId",
                "outlook.timezone" => value.clone_into(&mut wish.zone),
                "outlook.body-content-type" => wish.text = value == "text",
                "odata.maxpagesize" => wish.page = value.parse().ok(),
                _ => {}
            }
        }
        wish
    }
}
