//! From what was typed to what the service takes.

use std::str::FromStr;

use tidings_core::access::{Auth, ClientCertificate, ClientCredentials, Hidden};
use tidings_core::clock::Timestamp;
use tidings_core::hook::{DisableRule, Grouping, OnExhausted, Providers, Rate, Span};
use tidings_core::id::CollectionId;
use tidings_core::sign::Scheme;
use tidings_service::{
    AccessChanges, Coalescing, Error, Field, HookChanges, HookFrom, NamedFilter, NewHook,
    OrderingKind, Reach, Serving, Verify,
};

use super::Typed;
use crate::form::{filled, lines};

/// Reads texts, and notes what cannot be read.
#[derive(Debug, Default)]
struct Reader(Vec<Field>);

impl Reader {
    fn wrong(&mut self, pointer: &str, why: &str) {
        self.0.push(Field { pointer: pointer.to_owned(), code: "form", why: why.to_owned() });
    }

    /// What a text stands for; nothing when it is empty.
    fn read<T: FromStr>(&mut self, pointer: &str, text: &str, what: &str) -> Option<T> {
        let text = filled(text)?;
        let read = text.parse().ok();
        if read.is_none() {
            self.wrong(pointer, &format!("must be {what}"));
        }
        read
    }

    fn number<T: FromStr>(&mut self, pointer: &str, text: &str) -> Option<T> {
        self.read(pointer, text, "a whole number")
    }

    fn done<T>(self, value: T) -> Result<T, Error> {
        if self.0.is_empty() { Ok(value) } else { Err(Error::Invalid(self.0)) }
    }
}

impl Typed {
    /// The hook to create.
    pub(in crate::pages) fn new_hook(&self) -> Result<NewHook, Error> {
        let mut reader = Reader::default();
        let untouched = Self::default();
        let from: Option<u64> = reader.number("/from", &self.from_seq);
        let input = NewHook {
            url: filled(&self.url),
            description: filled(&self.description),
            format: filled(&self.format),
            triggers: self.triggers(),
            providers: (self.providers == "all").then_some(Providers::All),
            user: reader.read("/user", &self.user, "an end user's id"),
            account: reader.read("/account", &self.account, "an account's id"),
            calendar: reader.read("/calendar", &self.calendar, "a calendar's id"),
            except_calendars: self.left_out(&mut reader),
            echoes: self.echoes.then_some(true),
            filter: filled(&self.filter),
            named: self.named(&mut reader),
            transform: filled(&unix(&self.transform)),
            external_id: filled(&self.external_id),
            serving: self.serving(&untouched, &mut reader),
            reach: self.reach(&untouched, &mut reader),
            secret: filled(&self.secret),
            expires_at: self.expires_at(&mut reader),
            from: from.map_or(HookFrom::Now, HookFrom::Seq),
        };
        reader.done(input)
    }

    /// What to change of a hook of which the form said `before`: only what is other than that.
    pub(in crate::pages) fn changes(&self, before: &Self) -> Result<HookChanges, Error> {
        let mut reader = Reader::default();
        let is_new = |of: fn(&Self) -> &String| unix(of(self)).trim() != unix(of(before)).trim();
        let triggers = |typed: &Self| {
            let mut triggers = typed.triggers();
            triggers.sort_unstable();
            triggers
        };
        if is_new(|typed| &typed.url) && filled(&self.url).is_none() {
            reader.wrong(
                "/url",
                "must stay; delete the webhook and create one without a URL instead",
            );
        }
        let changes = HookChanges {
            url: filled(&self.url).filter(|_| is_new(|typed| &typed.url)),
            description: is_new(|typed| &typed.description)
                .then(|| self.description.trim().to_owned()),
            triggers: (triggers(self) != triggers(before)).then(|| self.triggers()),
            providers: is_new(|typed| &typed.providers).then_some(match self.providers.as_str() {
                "all" => Providers::All,
                _ => Providers::Documented,
            }),
            echoes: (self.echoes != before.echoes).then_some(self.echoes),
            filter: is_new(|typed| &typed.filter).then(|| filled(&self.filter)),
            named: is_new(|typed| &typed.named).then(|| self.named(&mut reader)),
            except_calendars: is_new(|typed| &typed.except_calendars)
                .then(|| self.left_out(&mut reader)),
            transform: is_new(|typed| &typed.transform).then(|| filled(&unix(&self.transform))),
            serving: self.serving(before, &mut reader),
            reach: self.reach(before, &mut reader),
        };
        reader.done(changes)
    }

    /// The triggers of the chosen format: those that are ticked, then those that are typed.
    fn triggers(&self) -> Vec<String> {
        let ticked = self.triggers.iter().filter_map(|value| {
            let (format, trigger) = value.split_once(' ')?;
            (format == self.format).then(|| trigger.to_owned())
        });
        let mut triggers: Vec<String> = Vec::new();
        for trigger in ticked.chain(lines(&self.more_triggers)) {
            if !triggers.contains(&trigger) {
                triggers.push(trigger);
            }
        }
        triggers
    }

    fn left_out(&self, reader: &mut Reader) -> Vec<CollectionId> {
        let ids = lines(&self.except_calendars);
        let read = ids
            .iter()
            .map(|id| reader.read("/except_calendars", id, "ids of calendars, one a line"));
        read.collect::<Vec<_>>().into_iter().flatten().collect()
    }

    fn named(&self, reader: &mut Reader) -> Vec<NamedFilter> {
        let mut named = Vec::new();
        for line in lines(&self.named) {
            match line.split_once(':') {
                Some((name, filter)) => named.push(NamedFilter {
                    name: name.trim().to_owned(),
                    filter: filter.trim().to_owned(),
                }),
                None => reader.wrong("/named", "must be a name, a colon and a filter, one a line"),
            }
        }
        named
    }

    fn expires_at(&self, reader: &mut Reader) -> Option<Timestamp> {
        let text = filled(&self.expires_at)?;
        let at = Timestamp::parse(&text);
        if at.is_none() {
            reader.wrong("/expires_at", "must be a time such as 2026-12-31T23:00:00Z");
        }
        at
    }

    fn serving(&self, before: &Self, reader: &mut Reader) -> Serving {
        let new = |of: fn(&Self) -> &String| Some(of(self)).filter(|text| *text != of(before));
        let mut number = |pointer: &str, text: Option<&String>| -> Option<u64> {
            text.and_then(|text| reader.number(pointer, text))
        };
        let timeout_ms = number("/timeout_ms", new(|typed| &typed.timeout_ms));
        let concurrency = number("/concurrency", new(|typed| &typed.concurrency));
        let switch = |text: Option<&String>| match text.map(String::as_str) {
            Some("yes") => Some(true),
            Some("no") => Some(false),
            _ => None,
        };
        Serving {
            retry: new(|typed| &typed.retry).and_then(|text| waits(reader, text)),
            concurrency: concurrency.map(|most| u32::try_from(most).unwrap_or(u32::MAX)),
            timeout_ms,
            rate: self.rate(before, reader),
            ordering: new(|typed| &typed.ordering).and_then(|text| match text.as_str() {
                "none" => Some(OrderingKind::None),
                "hook" => Some(OrderingKind::Hook),
                "key" => Some(OrderingKind::Key),
                _ => None,
            }),
            order_key: new(|typed| &typed.order_key).and_then(|text| filled(text)),
            on_exhausted: new(|typed| &typed.on_exhausted).and_then(|text| match text.as_str() {
                "continue" => Some(OnExhausted::Continue),
                "stop" => Some(OnExhausted::Stop),
                _ => None,
            }),
            coalesce: self.coalescing(before, reader),
            disable: self.disabling(before, reader),
            breaker: switch(new(|typed| &typed.breaker)),
            jitter: switch(new(|typed| &typed.jitter)),
            merges: switch(new(|typed| &typed.merges)),
        }
    }

    fn rate(&self, before: &Self, reader: &mut Reader) -> Option<Option<Rate>> {
        let count: Option<u32> = reader.number("/rate", &self.rate_count);
        let per = |typed: &Self| match typed.rate_per.as_str() {
            "hour" => Span::Hour,
            "minute" => Span::Minute,
            _ => Span::Second,
        };
        let is_new = self.rate_count.trim() != before.rate_count.trim() || per(self) != per(before);
        is_new.then(|| count.map(|count| Rate { count, per: per(self) }))
    }

    fn coalescing(&self, before: &Self, reader: &mut Reader) -> Option<Option<Coalescing>> {
        let all = |typed: &Self| {
            [
                &typed.coalesce,
                &typed.group,
                &typed.delay_ms,
                &typed.window_ms,
                &typed.max_wait_ms,
                &typed.min_interval_ms,
                &typed.batch_max,
                &typed.batch_bytes_max,
            ]
            .map(|text| text.trim().to_owned())
        };
        if all(self) == all(before) || self.coalesce.is_empty() {
            return None;
        }
        if self.coalesce == "none" {
            return Some(None);
        }
        Some(Some(Coalescing {
            group: Grouping::EVERY
                .into_iter()
                .find(|grouping| super::of_hook::word(grouping) == self.group),
            delay_ms: reader.number("/coalesce/delay_ms", &self.delay_ms),
            window_ms: reader.number("/coalesce/window_ms", &self.window_ms),
            max_wait_ms: reader.number("/coalesce/max_wait_ms", &self.max_wait_ms),
            min_interval_ms: reader.number("/coalesce/min_interval_ms", &self.min_interval_ms),
            batch_max: reader.number("/coalesce/batch_max", &self.batch_max),
            batch_bytes_max: reader.number("/coalesce/batch_bytes_max", &self.batch_bytes_max),
        }))
    }

    fn disabling(&self, before: &Self, reader: &mut Reader) -> Option<DisableRule> {
        let all = |typed: &Self| {
            [&typed.disable, &typed.failing_ms, &typed.failures].map(|text| text.trim().to_owned())
        };
        (self.disable == "given" && all(self) != all(before)).then(|| DisableRule {
            failing_ms: reader.number("/disable/failing_ms", &self.failing_ms),
            failures: reader.number("/disable/failures", &self.failures),
        })
    }

    fn reach(&self, before: &Self, reader: &mut Reader) -> Reach {
        let signing = match self.signing.as_str() {
            "v1a" => vec![Scheme::V1a],
            "both" => vec![Scheme::V1, Scheme::V1a],
            _ => vec![Scheme::V1],
        };
        let verify = if self.verify == "options" { Verify::Options } else { Verify::None };
        Reach {
            signing: (self.signing != before.signing).then_some(signing),
            access: AccessChanges {
                headers: self.headers(reader),
                auth: self.auth(reader),
                client_certificate: self.certificate(),
            },
            verify: (self.verify != before.verify).then_some(verify),
        }
    }

    fn headers(&self, reader: &mut Reader) -> Option<Vec<(String, Hidden)>> {
        let mut headers = Vec::new();
        for line in lines(&self.headers) {
            match line.split_once(':') {
                Some((name, value)) => {
                    headers.push((name.trim().to_owned(), Hidden::from(value.trim().to_owned())));
                }
                None => reader
                    .wrong("/access/headers", "must be a name, a colon and a value, one a line"),
            }
        }
        (self.clear_headers || !headers.is_empty()).then_some(headers)
    }

    fn auth(&self, reader: &mut Reader) -> Option<Option<Auth>> {
        let hidden = |text: &str| Hidden::from(text.to_owned());
        Some(match self.auth.as_str() {
            "" => return None,
            "basic" => Some(Auth::Basic {
                username: hidden(&self.username),
                password: hidden(&self.password),
            }),
            "bearer" => Some(Auth::Bearer { token: hidden(self.token.trim()) }),
            "oauth2" => Some(Auth::Oauth2(ClientCredentials {
                token_url: self.token_url.trim().to_owned(),
                client_id: hidden(self.client_id.trim()),
                client_secret: hidden(&self.client_secret),
                scope: filled(&self.scope),
                audience: filled(&self.audience),
            })),
            "none" => None,
            _ => {
                reader.wrong("/access/auth", "is none of those that are offered");
                None
            }
        })
    }

    fn certificate(&self) -> Option<Option<ClientCertificate>> {
        let (certificate, private_key) = (filled(&self.certificate), filled(&self.private_key));
        match (certificate, private_key) {
            (None, None) => self.clear_certificate.then_some(None),
            (certificate, private_key) => Some(Some(ClientCertificate {
                certificate: certificate.unwrap_or_default().into(),
                private_key: private_key.unwrap_or_default().into(),
            })),
        }
    }
}

/// Browsers send the line breaks of a text as CR LF.
fn unix(text: &str) -> String {
    text.replace("\r\n", "\n")
}

/// Waits in seconds, between blanks or commas.
fn waits(reader: &mut Reader, text: &str) -> Option<Vec<u32>> {
    let parts = text.split(|c: char| c == ',' || c.is_whitespace()).filter(|part| !part.is_empty());
    let read: Result<Vec<u32>, _> = parts.map(str::parse).collect();
    match read {
        Ok(waits) => (!waits.is_empty()).then_some(waits),
        Err(_) => {
            reader.wrong("/retry", "must be numbers of seconds, with blanks between them");
            None
        }
    }
}
