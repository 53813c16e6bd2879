//! `/v1/transactions/count` and its like.

use serde_json::json;
use tidings_service::Deleted;

use crate::Desk;
use crate::answer::Answer;
use crate::auth::Acting;
use crate::holdings;
use crate::listing::{held, scan};
use crate::objects::Kind;
use crate::params::Params;
use crate::query::Filters;
use crate::refusal::Refusal;

/// How many items a list call with the same filters would show in all.
pub(crate) async fn count(
    desk: &Desk,
    acting: &Acting,
    kind: Kind,
    params: &Params,
) -> Result<Answer, Refusal> {
    let filters = Filters::read(kind, params)?;
    let holdings = holdings::all(desk, acting, params).await?;
    let mut count = 0;
    if filters.is_empty() && kind.tombstones() == Deleted::With {
        for (_, held) in held(desk, acting, kind, &holdings).await? {
            count += held;
        }
    } else {
        let each = |_| {
            count += 1;
            Ok(true)
        };
        scan(desk, acting, kind, &holdings, &filters, each).await?;
    }
    Answer::of(&json!({ "count": count }))
}
