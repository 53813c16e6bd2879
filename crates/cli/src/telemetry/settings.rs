//! The variables of OpenTelemetry that are understood, as
//! <https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/> has them.

use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue};
use url::Url;

use crate::error::{Error, Result};

/// Which traces are kept: those whose number is below it. Decided by the trace, so that all parts of one
/// have the same fate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Sampler {
    /// Of 2^56.
    pub(super) below: u64,
    /// Whether a parent's decision is followed.
    pub(super) follows: bool,
}

/// All there are.
const ALL: u64 = 1 << 56;

/// Where traces go.
#[derive(Debug)]
pub(super) struct Settings {
    pub(super) endpoint: Url,
    pub(super) headers: HeaderMap,
    pub(super) timeout: Duration,
    pub(super) delay: Duration,
    pub(super) sampler: Sampler,
    /// Attributes of the resource, `service.name` among them.
    pub(super) resource: Vec<(String, String)>,
}

impl Settings {
    /// What the variables say; `None` when they name no collector.
    ///
    /// # Errors
    /// A variable that cannot be understood.
    pub(super) fn read(variables: &[(String, String)]) -> Result<Option<Self>> {
        let get = |name: &str| {
            let found = variables.iter().find(|(found, _)| found == name);
            found.map(|(_, text)| text.trim()).filter(|text| !text.is_empty())
        };
        let off = get("OTEL_SDK_DISABLED").is_some_and(|text| text.eq_ignore_ascii_case("true"));
        let none = get("OTEL_TRACES_EXPORTER") == Some("none");
        let Some(endpoint) = endpoint(&get)?.filter(|_| !off && !none) else { return Ok(None) };
        let protocol = get("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL");
        let protocol = protocol.or_else(|| get("OTEL_EXPORTER_OTLP_PROTOCOL"));
        if protocol.is_some_and(|protocol| !protocol.starts_with("http/")) {
            let why = "traces go by http/json; name the HTTP port of the collector, usually 4318";
            return Err(wrong("OTEL_EXPORTER_OTLP_PROTOCOL", why));
        }
        let named = get("OTEL_EXPORTER_OTLP_TRACES_HEADERS");
        let named = named.or_else(|| get("OTEL_EXPORTER_OTLP_HEADERS")).unwrap_or_default();
        let milliseconds = |name, otherwise| match get(name).map(str::parse) {
            None => Ok(Duration::from_millis(otherwise)),
            Some(Ok(given)) => Ok(Duration::from_millis(given)),
            Some(Err(_)) => Err(wrong(name, "give milliseconds")),
        };
        Ok(Some(Self {
            endpoint,
            headers: headers(named)?,
            timeout: milliseconds("OTEL_EXPORTER_OTLP_TIMEOUT", 10_000)?,
            delay: milliseconds("OTEL_BSP_SCHEDULE_DELAY", 5_000)?,
            sampler: sampler(get("OTEL_TRACES_SAMPLER"), get("OTEL_TRACES_SAMPLER_ARG"))?,
            resource: resource(get("OTEL_RESOURCE_ATTRIBUTES"), get("OTEL_SERVICE_NAME")),
        }))
    }
}

/// The address for traces: its own variable as it is, or the common one and a path.
fn endpoint<'v>(get: &impl Fn(&str) -> Option<&'v str>) -> Result<Option<Url>> {
    const OWN: &str = "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT";
    const COMMON: &str = "OTEL_EXPORTER_OTLP_ENDPOINT";
    let (name, text) = match (get(OWN), get(COMMON)) {
        (Some(own), _) => (OWN, own.to_owned()),
        (None, Some(common)) => (COMMON, format!("{}/v1/traces", common.trim_end_matches('/'))),
        (None, None) => return Ok(None),
    };
    let url = Url::parse(&text).ok().filter(|url| matches!(url.scheme(), "http" | "https"));
    url.map(Some).ok_or_else(|| wrong(name, "give an address such as http://127.0.0.1:4318"))
}

/// `name=value,name=value`, the values percent-encoded.
fn headers(text: &str) -> Result<HeaderMap> {
    let mut headers = HeaderMap::new();
    for (name, value) in pairs(text) {
        let name = HeaderName::try_from(name).ok();
        let value = HeaderValue::try_from(value).ok();
        let (Some(name), Some(mut value)) = (name, value) else {
            return Err(wrong("OTEL_EXPORTER_OTLP_HEADERS", "give name=value,name=value"));
        };
        value.set_sensitive(true);
        headers.insert(name, value);
    }
    Ok(headers)
}

fn pairs(text: &str) -> impl Iterator<Item = (String, String)> {
    let pairs = text.split(',').filter_map(|pair| pair.split_once('='));
    pairs.map(|(name, value)| (name.trim().to_owned(), decoded(value.trim())))
}

/// Undoes percent-encoding.
fn decoded(text: &str) -> String {
    let mut parts = text.split('%');
    let mut bytes = parts.next().unwrap_or_default().as_bytes().to_vec();
    for part in parts {
        match part.get(..2).and_then(|code| u8::from_str_radix(code, 16).ok()) {
            Some(byte) => {
                bytes.push(byte);
                bytes.extend(&part.as_bytes()[2..]);
            }
            None => {
                bytes.push(b'%');
                bytes.extend(part.as_bytes());
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

fn sampler(name: Option<&str>, argument: Option<&str>) -> Result<Sampler> {
    let name = name.unwrap_or("parentbased_always_on");
    let (follows, rule) = match name.strip_prefix("parentbased_") {
        Some(rule) => (true, rule),
        None => (false, name),
    };
    let ratio = match rule {
        "always_on" => 1.0,
        "always_off" => 0.0,
        "traceidratio" => {
            let ratio = argument.map_or(Ok(1.0), str::parse::<f64>).ok();
            let ratio = ratio.filter(|ratio| (0.0..=1.0).contains(ratio));
            ratio.ok_or_else(|| wrong("OTEL_TRACES_SAMPLER_ARG", "give 0 to 1, such as 0.1"))?
        }
        _ => {
            let known =
                "always_on, always_off, traceidratio, each also with parentbased_ before it";
            return Err(wrong("OTEL_TRACES_SAMPLER", known));
        }
    };
    Ok(Sampler { below: (ratio * ALL as f64) as u64, follows })
}

fn resource(attributes: Option<&str>, name: Option<&str>) -> Vec<(String, String)> {
    let mut resource: Vec<_> = pairs(attributes.unwrap_or_default()).collect();
    if let Some(name) = name {
        resource.retain(|(key, _)| key != "service.name");
        resource.push(("service.name".into(), name.into()));
    }
    for (key, value) in
        [("service.name", "tidings"), ("service.version", env!("CARGO_PKG_VERSION"))]
    {
        if resource.iter().all(|(known, _)| known != key) {
            resource.push((key.into(), value.into()));
        }
    }
    resource
}

fn wrong(name: &str, why: &str) -> Error {
    Error::Usage(format!("environment variable {name}: {why}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(variables: &[(&str, &str)]) -> Result<Option<Settings>> {
        let owned = |(name, text): &(&str, &str)| ((*name).to_owned(), (*text).to_owned());
        Settings::read(&variables.iter().map(owned).collect::<Vec<_>>())
    }

    const THERE: (&str, &str) = ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://collector:4318/");

    #[test]
    fn nothing_is_traced_unless_a_collector_is_named() {
        for off in [
            &[][..],
            &[("OTEL_SERVICE_NAME", "x")],
            &[THERE, ("OTEL_SDK_DISABLED", "true")],
            &[THERE, ("OTEL_TRACES_EXPORTER", "none")],
        ] {
            assert!(read(off).unwrap().is_none(), "{off:?}");
        }
        let settings = read(&[THERE]).unwrap().unwrap();
        assert_eq!(settings.endpoint.as_str(), "http://collector:4318/v1/traces");
        assert_eq!(settings.sampler, Sampler { below: ALL, follows: true });
        let own = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "https://other/x");
        assert_eq!(read(&[THERE, own]).unwrap().unwrap().endpoint.as_str(), "https://other/x");
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (name, text) in [
            ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc"),
            ("OTEL_EXPORTER_OTLP_TIMEOUT", "soon"),
            ("OTEL_TRACES_SAMPLER", "sometimes"),
            ("OTEL_EXPORTER_OTLP_HEADERS", "a b=c"),
            ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "collector:4318"),
        ] {
            let error = read(&[THERE, (name, text)]).unwrap_err().to_string();
            assert!(error.contains(name), "{error}");
        }
        let ratio =
            [THERE, ("OTEL_TRACES_SAMPLER", "traceidratio"), ("OTEL_TRACES_SAMPLER_ARG", "2")];
        assert!(read(&ratio).is_err());
    }

    #[test]
    fn headers_and_attributes_are_lists_of_pairs() {
        let settings = read(&[
            THERE,
            ("OTEL_EXPORTER_OTLP_HEADERS", "authorization=Basic%20YTpi, x=1"),
            ("OTEL_RESOURCE_ATTRIBUTES", "service.name=other,deployment.environment=test"),
            ("OTEL_SERVICE_NAME", "mine"),
            ("OTEL_TRACES_SAMPLER", "traceidratio"),
            ("OTEL_TRACES_SAMPLER_ARG", "0.5"),
        ]);
        let settings = settings.unwrap().unwrap();
        assert_eq!(
            (&settings.headers["authorization"], &settings.headers["x"]),
            (&HeaderValue::from_static("Basic YTpi"), &HeaderValue::from_static("1"))
        );
        assert!(!format!("{settings:?}").contains("YTpi"), "headers hold credentials");
        let names: Vec<_> =
            settings.resource.iter().map(|(name, text)| (name.as_str(), text.as_str())).collect();
        let version = env!("CARGO_PKG_VERSION");
        assert_eq!(
            names,
            [
                ("deployment.environment", "test"),
                ("service.name", "mine"),
                ("service.version", version)
            ]
        );
        assert_eq!(settings.sampler, Sampler { below: ALL / 2, follows: false });
    }
}
