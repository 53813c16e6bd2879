//! What others say: providers, the public address, and what time it is.

use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Method};
use tidings_core::clock::{Clock, Timestamp};
use tidings_core::egress::{EgressPolicy, FailureClass};
use tidings_core::limits::{DOCTOR_CLOCK_FAILURE_MS, DOCTOR_CLOCK_WARNING_MS, DOCTOR_DEADLINE_MS};
use tidings_engine::egress::{Budget, Egress, Request, Resolver, Response, Tls};
use tidings_providers::oauth::OAuthApp;
use tidings_providers::provider::Provider;
use url::Url;

use super::Finding;
use crate::config::Config;
use crate::server;

/// Asks everybody.
pub(super) async fn look(config: &Config, clock: &Clock) -> Vec<Finding> {
    let egress = match server::egress(config, config.listen) {
        Ok(egress) => egress,
        Err(error) => {
            let fix = "egress.extra_ca_file must hold certificates in PEM";
            return vec![Finding::failure("egress", error.to_string(), fix)];
        }
    };
    let mut findings = vec![way_out(config)];
    let mut times = Vec::new();
    for provider in [Provider::Google, Provider::Microsoft, Provider::Zoom] {
        let Some(app) = config.providers.oauth(provider) else { continue };
        findings.push(reach(&egress, provider, app, &mut times, clock).await);
    }
    if config.providers.zoom.as_ref().is_some_and(|zoom| zoom.webhook_secret.is_none()) {
        let found = "no webhook_secret: pushes are refused and meetings only polled";
        let fix = "set zoom.webhook_secret to the secret token of the Zoom app";
        findings.push(Finding::warning("zoom", found, fix));
    }
    findings.push(public_url(&egress, config).await);
    findings.push(time(&times));
    findings
}

/// Whether a server of ours answers there.
pub(super) async fn is_tidings(listen: SocketAddr) -> bool {
    let ip = match listen.ip() {
        ip if ip.is_unspecified() && ip.is_ipv4() => [127, 0, 0, 1].into(),
        ip if ip.is_unspecified() => std::net::Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    let local = EgressPolicy::dev().allow_any_port(true).allow(ip.into());
    let egress = Egress::new(local, Resolver::System, Tls::public());
    let url = format!("http://{}/healthz", SocketAddr::new(ip, listen.port()));
    get(&egress, &url).await.is_ok_and(|answer| answer.body.as_ref() == b"ok\n")
}

/// What leaves this machine, and how.
fn way_out(config: &Config) -> Finding {
    const CHECK: &str = "egress";
    let wide = config.allowed.iter().find(|net| net.prefix_len() < 8);
    if let Some(net) = wide {
        let found = format!("egress.allow has {net}: whoever may make a hook reaches most of it");
        return Finding::warning(CHECK, found, "allow just the networks of your receivers");
    }
    let through = config.proxy.as_ref().map_or("directly", |_| "through egress.proxy");
    let nets = config.allowed.len();
    Finding::good(CHECK, format!("{through}; {nets} private networks are allowed"))
}

async fn reach(
    egress: &Egress,
    provider: Provider,
    app: &OAuthApp,
    times: &mut Vec<i64>,
    clock: &Clock,
) -> Finding {
    let check = provider.as_str();
    let host = app.token_url.host_str().unwrap_or_default();
    match get(egress, app.token_url.as_str()).await {
        // Without credentials any answer will do: it is there, and so is its certificate.
        Ok(answer) => {
            times.extend(ahead(&answer, clock));
            Finding::good(check, format!("{host} answers; scopes: {}", app.scopes.join(" ")))
        }
        Err((found, fix)) => Finding::failure(check, format!("{host}: {found}"), fix),
    }
}

/// Whether a server answers at the public address. What time it says is no witness: it is most likely our own
/// clock.
async fn public_url(egress: &Egress, config: &Config) -> Finding {
    const CHECK: &str = "public_url";
    let providers = [Provider::Google, Provider::Microsoft, Provider::Zoom];
    let wanted = providers.iter().any(|provider| config.providers.oauth(*provider).is_some());
    let Some(url) = &config.public_url else {
        let found = "not set: providers cannot push or send people back to us";
        return match (wanted, config.listen.ip().is_loopback()) {
            (true, _) => Finding::failure(CHECK, found, "set public_url to your https address"),
            (_, true) => Finding::good(CHECK, "not set, and not needed on this machine alone"),
            _ => Finding::warning(CHECK, found, "set public_url to your https address"),
        };
    };
    if url.scheme() != "https" && !config.listen.ip().is_loopback() {
        let fix = "put a proxy with TLS in front: providers push to https only";
        return Finding::warning(CHECK, format!("{url} is not https"), fix);
    }
    let health = Url::join(url, "healthz").map_or_else(|_| url.to_string(), String::from);
    match get(egress, &health).await {
        Ok(answer) if answer.status == 200 && answer.body.as_ref() == b"ok\n" => {
            Finding::good(CHECK, format!("{health} is answered by a tidings server"))
        }
        Ok(answer) => Finding::warning(
            CHECK,
            format!("{health} answered {}, not as a tidings server", answer.status),
            "start the server, and see that the proxy in front hands everything on to it",
        ),
        Err((found, _)) => Finding::warning(
            CHECK,
            format!("{health}: {found}"),
            "not every network lets a machine reach its own public address: ask from outside with curl",
        ),
    }
}

/// How far we are ahead of the clocks of others, by the least of the differences, ms.
fn time(times: &[i64]) -> Finding {
    const CHECK: &str = "clock";
    let Some(ahead) = times.iter().copied().min_by_key(|ahead| ahead.abs()) else {
        return Finding::good(CHECK, "not compared: no provider was asked");
    };
    let found = format!("{:.1} s ahead of others", ahead as f64 / 1_000.0);
    let fix = "run an NTP client (systemd-timesyncd, chrony): receivers refuse signatures that are \
               more than 5 minutes off, providers refuse tokens";
    match ahead.abs() {
        off if off > DOCTOR_CLOCK_FAILURE_MS => Finding::failure(CHECK, found, fix),
        off if off > DOCTOR_CLOCK_WARNING_MS => Finding::warning(CHECK, found, fix),
        _ => Finding::good(CHECK, "agrees with others"),
    }
}

/// How far our clock is ahead of whoever answered, ms.
fn ahead(answer: &Response, clock: &Clock) -> Option<i64> {
    let theirs = Timestamp::parse_http_date(answer.header("date")?)?;
    Some(clock.now().0 - theirs.0)
}

/// An answer of whatever status; otherwise what went wrong, and what to do.
async fn get(egress: &Egress, url: &str) -> Result<Response, (String, &'static str)> {
    let url = egress.policy().vet_url(url);
    let url = url.map_err(|why| (why.to_string(), FailureClass::EgressRefused.advice()))?;
    let (total, method) = (Duration::from_millis(DOCTOR_DEADLINE_MS), Method::GET);
    let budget = Budget { total, ..Budget::delivery() };
    let (headers, body) = (HeaderMap::new(), Bytes::new());
    let asked = egress.send(Request { method, url: &url, headers, body, budget }).await;
    asked.result.map_err(|failure| (failure.detail, failure.class.advice()))
}

#[cfg(test)]
mod tests {
    use super::super::Level;
    use super::*;

    #[test]
    fn a_clock_is_judged_by_the_best_of_those_that_answered() {
        for (times, level) in [
            (&[][..], Level::Good),
            (&[900], Level::Good),
            (&[-900, 400_000], Level::Good),
            (&[8_000], Level::Warning),
            (&[-8_000], Level::Warning),
            (&[70_000], Level::Failure),
        ] {
            assert_eq!(time(times).level, level, "{times:?}");
        }
    }
}
