//! What a failed attempt most likely means, and what to do about it, in plain words.

use tidings_core::egress::FailureClass;

use crate::Attempt;

/// The likely cause of a failure, and how to fix it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Advice {
    /// What most likely happened.
    pub cause: String,
    /// What to do about it.
    pub fix: String,
}

/// Advice on an attempt; `None` for one that was delivered.
pub fn advice(attempt: &Attempt) -> Option<Advice> {
    let (class, detail) = attempt.error.as_ref()?;
    let (cause, fix) = match FailureClass::parse(class) {
        Some(FailureClass::Tls) => of_tls(detail),
        Some(class) => (class.meaning(), class.advice()),
        None => match (class.as_str(), attempt.status) {
            ("status", Some(status)) => return Some(of_answer(status, attempt)),
            (class, _) => of_our_side(class),
        },
    };
    Some(Advice { cause: cause.into(), fix: fix.into() })
}

/// Failures before anything was sent.
fn of_our_side(class: &str) -> (&'static str, &'static str) {
    match class {
        "render" => (
            "the change has no form in the hook's format, or the request cannot be signed",
            "narrow the hook's triggers to what its format knows, pin another format, or rotate the hook's \
             secret when the error says so",
        ),
        "transform" => (
            "the hook's transform failed on this change",
            "correct the script (try it out with a preview), then resend: the new script is used for what waits",
        ),
        "auth" => (
            "the credentials for the receiver could not be got: its token server did not give a token, or what is \
             stored cannot be used",
            "check the token URL, client id and secret of the hook, or give its credentials anew",
        ),
        "erased" => (
            "the content of the change was erased or is no longer kept",
            "nothing can be sent any more; read the present state of the thing from its source",
        ),
        "internal" => (
            "tidings failed to make this attempt; this is a bug",
            "please report it with the log of this moment; the delivery is tried again",
        ),
        _ => (
            "an attempt of another version of tidings, which named this error otherwise",
            "read the error's own words; resend the delivery to see it fail anew",
        ),
    }
}

/// What the TLS library says, told apart.
fn of_tls(detail: &str) -> (&'static str, &'static str) {
    let has = |word: &str| detail.to_ascii_lowercase().contains(word);
    if has("expired") || has("notvalidyet") || has("not valid yet") {
        ("the receiver's certificate is outside its time of validity", "renew the certificate")
    } else if has("unknownissuer") || has("unknown issuer") {
        (
            "the receiver's certificate was issued by nobody that is known here: it is self-signed, or the \
             intermediate certificates are not sent with it",
            "use a certificate of a public authority, and serve the full chain (fullchain.pem, not cert.pem)",
        )
    } else if has("notvalidforname") || has("not valid for name") {
        (
            "the receiver's certificate is for another host name",
            "put the host name of the hook's URL into the certificate, or correct the URL",
        )
    } else if has("certificaterequired") || has("certificate required") {
        (
            "the receiver asks for a client certificate",
            "give the hook a client certificate that the receiver trusts",
        )
    } else {
        (FailureClass::Tls.meaning(), FailureClass::Tls.advice())
    }
}

/// What a status other than 2xx tells.
fn of_answer(status: u16, attempt: &Attempt) -> Advice {
    let body = attempt.response_body.as_deref().unwrap_or_default();
    let body = String::from_utf8_lossy(&body[..body.len().min(4_096)]).to_ascii_lowercase();
    let (cause, fix) = match status {
        300..=399 => return of_redirect(status, attempt),
        419 => OF_CSRF,
        403 | 422 if body.contains("csrf") => OF_CSRF,
        400 | 422 => (
            "the receiver read the request and did not accept its content",
            "its answer below may say why; check that the hook's format is the one that the receiver expects, and \
             that the receiver verifies the signature over the raw body with the hook's present secret",
        ),
        401 | 407 => (
            "the receiver wants credentials, or did not accept the signature",
            "let webhooks in without a login, or give the hook credentials; check that the receiver uses the hook's \
             present secret and the raw body",
        ),
        403 => (
            "the receiver, or a firewall before it, does not let the request in",
            "allow this sender in the firewall, bot protection and login rules of that path",
        ),
        404 => (
            "nothing answers at that path",
            "correct the path of the hook's URL, or deploy the receiver's route",
        ),
        405 => (
            "the path exists and does not take POST",
            "accept POST there, or correct the path; a missing or additional / at its end often does this",
        ),
        408 => (
            "the receiver waited for the request for too long",
            "look at the proxy before the receiver: it may be overloaded",
        ),
        410 => (
            "the receiver said that it wants no more: the hook was disabled",
            "correct the URL if that was a mistake, then enable the hook",
        ),
        413 => (
            "the request is too large for the receiver",
            "raise its limit to 1 MiB, or let fewer changes share a request",
        ),
        415 => (
            "the receiver does not take this content type",
            "accept application/json, or choose the format that the receiver expects",
        ),
        429 => (
            "the receiver gets more requests than it takes",
            "lower the hook's rate or concurrency, or let changes share requests",
        ),
        502..=504 | 520..=527 | 530 => (
            "the proxy or CDN before the receiver did not get an answer from it in time",
            "check that the receiver runs; answer 2xx at once and do the work afterwards, in a queue of your own",
        ),
        500..=599 => (
            "the receiver failed while it handled the request",
            "look at its log for this webhook-id; an error at the signature or at an unexpected field is usual",
        ),
        _ => (
            "the receiver answered with something other than success",
            "answer any status from 200 to 299 to accept a webhook",
        ),
    };
    Advice { cause: cause.into(), fix: fix.into() }
}

const OF_CSRF: (&str, &str) = (
    "the receiver's framework asks for a CSRF token, which only forms of its own pages have",
    "exempt the webhook's path from CSRF protection; the signature protects it",
);

fn of_redirect(status: u16, attempt: &Attempt) -> Advice {
    let leads = attempt.response_headers.iter().find(|(name, _)| name == "location");
    let fix = match leads {
        Some((_, to)) => {
            format!("set the hook's URL to the final address; this answer leads to {to}")
        }
        None => "set the hook's URL to the final address".into(),
    };
    let cause = format!(
        "the receiver redirects ({status}); redirects are not followed, for they could lead anywhere"
    );
    Advice { cause, fix }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use tidings_core::clock::Timestamp;
    use tidings_core::id::{AttemptId, Bits96};

    use super::*;

    fn attempt(class: &str, detail: &str, status: Option<u16>, body: &str) -> Attempt {
        Attempt {
            id: AttemptId(Bits96::new(1)),
            n: 1,
            delivered: false,
            started_at: Timestamp(0),
            dns_us: None,
            connect_us: None,
            tls_us: None,
            first_byte_us: None,
            total_us: 0,
            url: "https://example.com".into(),
            address: None,
            status,
            error: Some((class.into(), detail.into())),
            request_headers: Vec::new(),
            response_headers: vec![("location".into(), "https://example.com/new".into())],
            response_body: Some(Bytes::copy_from_slice(body.as_bytes())),
        }
    }

    #[test]
    fn each_class_and_telling_status_has_its_own_advice() {
        let status = |status| ("status", "", Some(status));
        for ((class, detail, status), body, cause, fix) in [
            (("tls", "invalid peer certificate: Expired", None), "", "validity", "renew"),
            (("tls", "invalid peer certificate: UnknownIssuer", None), "", "issued", "full chain"),
            (
                ("tls", "invalid peer certificate: NotValidForName", None),
                "",
                "another host",
                "host name",
            ),
            (("tls", "received fatal alert: CertificateRequired", None), "", "client", "client"),
            (("tls", "handshake failed", None), "", "secure connection", "intermediate"),
            (("render", "", None), "", "no form", "triggers"),
            (("transform", "", None), "", "transform failed", "script"),
            (("auth", "", None), "", "token server", "token URL"),
            (("erased", "", None), "", "erased", "any more"),
            (("internal", "", None), "", "a bug", "report"),
            (("sunspots", "", None), "", "another version", "resend"),
            (status(308), "", "redirects (308)", "leads to https://example.com/new"),
            (status(400), "", "did not accept", "raw body"),
            (status(422), "", "did not accept", "raw body"),
            (status(401), "", "credentials", "without a login"),
            (status(403), "", "firewall", "allow"),
            (status(403), "CSRF verification failed.", "CSRF", "exempt"),
            (status(419), "", "CSRF", "exempt"),
            (status(404), "", "path", "correct the path"),
            (status(405), "", "POST", "accept POST"),
            (status(408), "", "too long", "overloaded"),
            (status(410), "", "no more", "enable the hook"),
            (status(413), "", "too large", "1 MiB"),
            (status(415), "", "content type", "application/json"),
            (status(429), "", "more requests", "concurrency"),
            (status(502), "", "proxy or CDN", "2xx at once"),
            (status(522), "", "proxy or CDN", "2xx at once"),
            (status(500), "", "failed while", "webhook-id"),
            (status(418), "", "other than success", "200 to 299"),
        ] {
            let found = advice(&attempt(class, detail, status, body)).unwrap();
            assert!(found.cause.contains(cause), "{class} {status:?}: {found:?}");
            assert!(found.fix.contains(fix), "{class} {status:?}: {found:?}");
        }
        for class in FailureClass::ALL {
            let found = advice(&attempt(class.code(), "", None, "")).unwrap();
            assert_eq!(
                (found.cause.as_str(), found.fix.as_str()),
                (class.meaning(), class.advice())
            );
        }
        let delivered = Attempt { error: None, ..attempt("", "", Some(200), "") };
        assert_eq!(advice(&delivered), None);
    }
}
