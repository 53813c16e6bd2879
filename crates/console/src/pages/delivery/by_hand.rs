//! A delivery in one's own hands: as a curl command that is signed now, and a signature that is looked into.

use axum::Router;
use axum::extract::State;
use axum::response::Response;
use axum::routing::{get, post};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use maud::{Markup, html};
use serde::Deserialize;
use tidings_core::id::DeliveryId;
use tidings_core::sign::Pasted;
use tidings_service::SignedDelivery;

use super::OfDelivery;
use crate::form::Form;
use crate::layout::{Control, Kind, area, code_block, notice};
use crate::pages::side::Side;
use crate::path::Path;
use crate::refusal::sentence;
use crate::{Answer, Desk};

/// Routes below the path of a delivery.
pub(super) fn routes(base: &str) -> Router<Desk> {
    Router::new()
        .route(&format!("{base}/curl"), post(curl).get(back))
        .route(&format!("{base}/verify"), get(paste).post(verify))
}

async fn back(
    side: Side,
    Path(OfDelivery { delivery }): Path<OfDelivery>,
) -> axum::response::Redirect {
    axum::response::Redirect::to(&side.path(format_args!("/deliveries/{delivery}")))
}

async fn curl(
    State(desk): State<Desk>,
    side: Side,
    Path(OfDelivery { delivery }): Path<OfDelivery>,
) -> Answer {
    side.must_change()?;
    let signed = desk.service.sign_delivery(&side.caller, delivery).await?;
    let body = html! {
        h1 { "As curl" }
        p { "Signed now: receivers take it for five minutes. It is not recorded as an attempt." }
        @if !signed.hidden.is_empty() {
            (notice(Kind::Info, html! {
                "Fill in the values of " (signed.hidden.join(", ")) ": they are secret, so they are not shown."
            }))
        }
        (code_block(&command(&signed), "the command"))
        p { a href=(side.path(format_args!("/deliveries/{delivery}"))) { "Back to the delivery" } }
    };
    Ok(side.page("As curl", &[crumb(delivery)], body))
}

fn crumb(delivery: DeliveryId) -> (String, String) {
    (format!("/deliveries/{delivery}"), "Delivery".to_owned())
}

/// A command for a POSIX shell. Nothing of it is read as anything but text.
fn command(signed: &SignedDelivery) -> String {
    let mut lines = vec![format!("curl -i -X POST {}", quoted(&signed.url))];
    for (name, value) in &signed.headers {
        lines.push(format!("  -H {}", quoted(&format!("{name}: {value}"))));
    }
    for name in &signed.hidden {
        lines.push(format!("  -H {}", quoted(&format!("{name}: FILL IN"))));
    }
    match std::str::from_utf8(&signed.body) {
        // Unlike --data, --data-raw reads no file when the text begins with @.
        Ok(body) if !body.contains('\0') => {
            lines.push(format!("  --data-raw {}", quoted(body)));
            lines.join(" \\\n")
        }
        _ => {
            lines.push("  --data-binary @-".into());
            let body = quoted(&STANDARD.encode(&signed.body));
            format!("printf %s {body} | base64 -d | {}", lines.join(" \\\n"))
        }
    }
}

/// A word of the shell, whatever is in it.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

/// What was pasted.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Typed {
    headers: String,
    body: String,
    secret: String,
}

/// The form, with what the last attempt sent.
async fn paste(
    State(desk): State<Desk>,
    side: Side,
    Path(OfDelivery { delivery }): Path<OfDelivery>,
) -> Answer {
    let attempts = desk.service.attempts(&side.caller, delivery).await?;
    let request = desk.service.delivery_request(&side.caller, delivery).await?;
    let sent =
        attempts.last().map(|attempt| attempt.request_headers.as_slice()).unwrap_or_default();
    let ours = sent.iter().filter(|(name, _)| name.starts_with("webhook-"));
    let lines: Vec<_> = ours.map(|(name, value)| format!("{name}: {value}")).collect();
    let body = request.made.map(|made| super::text_of(&made.body)).unwrap_or_default();
    let typed = Typed { headers: lines.join("\n"), body, secret: String::new() };
    Ok(page(&side, delivery, &typed, &html! {}))
}

async fn verify(
    State(desk): State<Desk>,
    side: Side,
    Path(OfDelivery { delivery }): Path<OfDelivery>,
    Form(typed): Form<Typed>,
) -> Answer {
    desk.service.delivery(&side.caller, delivery).await?;
    // Browsers send the line breaks of a text as CR LF.
    let body = typed.body.replace("\r\n", "\n");
    let pasted = Pasted { headers: &typed.headers, body: &body, secret: &typed.secret };
    let verdict = pasted.verdict(desk.service.now());
    let kind = if verdict.is_good() { Kind::Good } else { Kind::Bad };
    let said = notice(kind, sentence(&verdict.to_string()));
    Ok(page(&side, delivery, &typed, &said))
}

fn page(side: &Side, delivery: DeliveryId, typed: &Typed, said: &Markup) -> Response {
    let path = side.path(format_args!("/deliveries/{delivery}/verify"));
    let secret = Control {
        label: "Secret",
        name: "secret",
        kind: "password",
        hint: "whsec_…, as your receiver has it. It is not kept.",
        required: true,
        ..Control::default()
    };
    let body = html! {
        h1 { "Verify a signature" }
        p { "Paste what your receiver got: the headers, the raw body, and the secret that it uses." }
        (said)
        form.card method="post" action=(path) {
            (side.csrf())
            (area("Headers", "headers", &typed.headers, "One a line, name: value. Others than webhook-… do not matter.", None))
            (area("Body", "body", &typed.body, "Byte for byte, before anything reads it.", None))
            (secret.shown())
            button.main type="submit" { "Verify" }
        }
    };
    side.page("Verify a signature", &[crumb(delivery)], body)
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    #[test]
    fn a_command_holds_nothing_but_text_whatever_is_sent() {
        let signed = |body: &'static [u8]| SignedDelivery {
            url: "https://example.com/'$(id)`id`".into(),
            headers: vec![("webhook-id".into(), "dlv_1".into())],
            hidden: vec!["authorization".into()],
            body: Bytes::from_static(body),
        };
        for (body, expected) in [
            (&b"{\"a\":\"it's\\n\"}"[..], r#"--data-raw '{"a":"it'\''s\n"}'"#),
            (b"@/etc/passwd", "--data-raw '@/etc/passwd'"),
            (b"\xff\x00", "printf %s '/wA=' | base64 -d | curl -i -X POST "),
        ] {
            let command = command(&signed(body));
            assert!(command.contains(expected), "{command}");
            assert!(command.contains(r"'https://example.com/'\''$(id)`id`'"), "{command}");
            assert!(command.contains("-H 'authorization: FILL IN'"), "{command}");
        }
    }
}
