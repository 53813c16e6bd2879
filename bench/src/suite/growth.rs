//! Whether a delivery costs more where there are many hooks, or many apps.

use std::time::Duration;

use serde_json::json;

use super::Suite;
use crate::figure::{Figure, Run};
use crate::load::Request;
use crate::process::resident_mib;
use crate::world::{Measured, Publishers, World};

const RECEIVERS: usize = 100;
const FEW: usize = 10;
/// Hooks that want the same type, in one app.
const FAN_OUT: usize = 10;
const DELIVERIES_PER_SECOND: f64 = 5_000.0;
/// Long enough for everyone to have had a turn.
const WARM_UP: Duration = Duration::from_secs(4);
const SET_UP_CONNECTIONS: usize = 16;

/// Equal deliveries per second and equal fan-out to 100 receivers: with 10 hooks and with many in one app
/// (each change goes to 10 of them), with 10 apps and with many (each with one hook).
pub(super) async fn measure(suite: &Suite) -> Result<Run, String> {
    let few = hooks(suite, FEW).await?;
    let many = hooks(suite, suite.growth).await?;
    let hooks = compared("hooks in one app", suite.growth, &few, &many);
    let few = apps(suite, FEW).await?;
    let many = apps(suite, suite.growth).await?;
    Ok(hooks.and(compared("apps", suite.growth, &few, &many)))
}

fn compared(what: &str, growth: usize, few: &Counted, many: &Counted) -> Run {
    let ((few, few_mib), (many, many_mib)) = (few, many);
    let ratio = many.us_per_delivery() / few.us_per_delivery();
    let name = format!("cost per delivery at {growth} {what}, to that at {FEW}");
    let at = |count, figure| format!("{count} {what}: {figure}");
    let p99 = |measured: &Measured| measured.latencies.percentile_ms(99.0);
    let figures = vec![
        Figure::new(name, "x", ratio).at_most(1.5),
        Figure::new(at(FEW, "CPU per delivery"), "us", few.us_per_delivery()),
        Figure::new(at(growth, "CPU per delivery"), "us", many.us_per_delivery()),
        Figure::new(at(FEW, "publish to receipt, p99"), "ms", p99(few)),
        Figure::new(at(growth, "publish to receipt, p99"), "ms", p99(many)),
        Figure::new(at(FEW, "resident memory"), "MiB", *few_mib),
        Figure::new(at(growth, "resident memory"), "MiB", *many_mib),
    ];
    few.run(figures).and(many.run(Vec::new()))
}

/// A measurement and the memory resident at its end.
type Counted = (Measured, f64);

async fn hooks(suite: &Suite, count: usize) -> Result<Counted, String> {
    let world = suite.world(RECEIVERS).await?;
    let kind = |group: usize| format!("bench.group{group}");
    // Neighbours have different receivers.
    let hook = |n: usize| hook(&world, n, &kind(n / FAN_OUT), None);
    world.send((0..count).map(hook).collect(), SET_UP_CONNECTIONS, whole(count)).await?;
    let changes = (0..count / FAN_OUT).map(|group| world.change(&kind(group), None)).collect();
    load(suite, &world, changes, FAN_OUT).await
}

async fn apps(suite: &Suite, count: usize) -> Result<Counted, String> {
    let world = suite.world(RECEIVERS).await?;
    let app = world.post("/api/v1/apps", None, r#"{"name":"bench {n}"}"#);
    world.send(vec![app], SET_UP_CONNECTIONS, whole(count)).await?;
    let apps = all_apps(&world).await?;
    // The server made one app of its own at the start.
    let apps = &apps[apps.len() - count..];
    let kind = "bench.change";
    let hook = |(n, app): (usize, &String)| hook(&world, n, kind, Some(app));
    let hooks = apps.iter().enumerate().map(hook).collect();
    world.send(hooks, SET_UP_CONNECTIONS, whole(count)).await?;
    let changes = apps.iter().map(|app| world.change(kind, Some(app))).collect();
    load(suite, &world, changes, 1).await
}

async fn load(
    suite: &Suite,
    world: &World,
    changes: Vec<Request>,
    fan_out: usize,
) -> Result<Counted, String> {
    let fan_out = u32::try_from(fan_out).unwrap_or(u32::MAX);
    let rate = Some(DELIVERIES_PER_SECOND / f64::from(fan_out));
    let publishers = Publishers { connections: 32, rate, ahead: None };
    world.measure(changes.clone(), publishers, fan_out.into(), WARM_UP).await?;
    let measured = world.measure(changes, publishers, fan_out.into(), suite.time()).await?;
    Ok((measured, resident_mib(world.server.id()?)?))
}

fn hook(world: &World, n: usize, trigger: &str, app: Option<&str>) -> Request {
    let url = world.receiver.url(n, "/hook");
    let body = json!({"url": url, "triggers": [trigger]});
    world.post("/api/v1/hooks", app, &body.to_string())
}

/// The ids of all apps, oldest first.
async fn all_apps(world: &World) -> Result<Vec<String>, String> {
    let (mut ids, mut after) = (Vec::new(), String::new());
    loop {
        let (status, page) = world.api.get(&format!("/api/v1/apps?limit=1000{after}")).await?;
        let data = page["data"].as_array().ok_or_else(|| format!("no page of apps: {status}"))?;
        ids.extend(data.iter().filter_map(|app| app["id"].as_str()).map(str::to_owned));
        match page["next_cursor"].as_str() {
            Some(cursor) if page["has_more"] == true => after = format!("&cursor={cursor}"),
            _ => return Ok(ids),
        }
    }
}

fn whole(count: usize) -> u64 {
    u64::try_from(count).unwrap_or(u64::MAX)
}
