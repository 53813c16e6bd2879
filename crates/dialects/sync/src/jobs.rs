//! `/v1/jobs/{id}/status`: how far a pull is. Tidings asks nobody for data: a job is through when the
//! application has ended a bulk job, or written something, since it was asked for.

use serde_json::{Value, json};
use tidings_core::clock::Timestamp;
use tidings_service::{Deleted, RecordOrder, RecordQuery};

use crate::Desk;
use crate::answer::Answer;
use crate::auth::Acting;
use crate::call::{Call, Verb};
use crate::holdings::{self, Holding, Job};
use crate::objects::Kind;
use crate::refusal::Refusal;
use crate::route::nothing_here;

/// Registered, then begun.
const BEGUN: [u16; 2] = [100, 101];
/// The data is being read, then the job is done.
const DONE: [u16; 2] = [102, 200];

pub(crate) async fn answer(
    desk: &Desk,
    call: &Call,
    id_job: &str,
    rest: &[&str],
) -> Result<Answer, Refusal> {
    let acting = call.presented.reader(&desk.service, &call.params).await?;
    let held = holdings::all(desk, &acting, &call.params).await?;
    let of = |holding: &Holding| {
        let job = holding.details.jobs.iter().find(|job| job.id_job == id_job).cloned();
        job.map(|job| (holding.clone(), job))
    };
    let (holding, job) = held.iter().find_map(of).ok_or_else(|| Refusal::not_found("job"))?;
    match (call.method, rest) {
        (Verb::Get, ["status"]) => {
            let mut codes = BEGUN.to_vec();
            if is_through(desk, &acting, &holding, &job).await? {
                codes.extend(DONE);
            }
            let codes: Vec<Value> = codes.iter().map(|code| json!({ "code": code })).collect();
            Answer::of(&codes)
        }
        (Verb::Post, ["twofa"]) => {
            Err(Refusal::bad_request("this job did not ask for a second factor"))
        }
        _ => Err(nothing_here()),
    }
}

/// Whether a bulk job ended since the job was asked for, which may have found nothing new, or anything that the
/// credential holds was written.
async fn is_through(
    desk: &Desk,
    acting: &Acting,
    holding: &Holding,
    job: &Job,
) -> Result<bool, Refusal> {
    if holding.account.refreshed_at.is_some_and(|at| at.0 >= job.at) {
        return Ok(true);
    }
    let query = RecordQuery {
        order: RecordOrder::Modified,
        from: None,
        to: None,
        modified_since: Some(Timestamp(job.at)),
        deleted: Deleted::With,
        skip: 0,
        after: None,
        limit: 1,
    };
    for kind in [Kind::Account, Kind::Transaction, Kind::Attachment, Kind::Document] {
        let account = holding.account.id;
        let found =
            desk.service.records(&acting.caller, account, kind.collection(), &query).await?;
        if !found.is_empty() {
            return Ok(true);
        }
    }
    Ok(false)
}
