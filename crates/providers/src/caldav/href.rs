//! Addresses of resources as servers spell them: absolute or path only, escaped or not, with or
//! without a trailing slash, one way today and another tomorrow.

use std::fmt::Write;

use url::Url;

/// A resource's address: as it was sent, and as it is compared.
#[derive(Clone, Debug)]
pub struct Href {
    /// The server's own spelling: what is sent back to it.
    pub sent: String,
    /// The path, uniformly escaped, without a trailing slash: what is compared and stored. It never
    /// holds a `#`.
    pub key: String,
}

impl PartialEq for Href {
    fn eq(&self, other: &Self) -> bool {
        self.key == other.key
    }
}

impl Eq for Href {}

impl Href {
    /// Reads an address found in an answer to a request to `base`. `None` when it is not one.
    pub fn read(base: &Url, sent: &str) -> Option<Self> {
        let sent = sent.trim();
        if sent.is_empty() {
            return None;
        }
        let url = base.join(sent).ok()?;
        Some(Self { sent: sent.to_owned(), key: canonical(url.path()) })
    }

    /// The address of `url` itself.
    pub fn of(url: &Url) -> Self {
        Self { sent: url.path().to_owned(), key: canonical(url.path()) }
    }

    /// Whether it was spelled as a collection.
    pub fn is_collection(&self) -> bool {
        self.sent.ends_with('/')
    }
}

/// Escapes uniformly: decodes what is escaped and escapes what must be. An escaped slash stays
/// one, since it is no separator.
fn canonical(path: &str) -> String {
    let bytes = path.as_bytes();
    let mut canonical = String::with_capacity(path.len());
    let mut at = 0;
    while at < bytes.len() {
        let escaped = escape_at(bytes, at);
        let byte = escaped.unwrap_or(bytes[at]);
        at += if escaped.is_some() { 3 } else { 1 };
        let plain = byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=:@".contains(&byte);
        if plain || (byte == b'/' && escaped.is_none()) {
            canonical.push(char::from(byte));
        } else {
            write!(canonical, "%{byte:02X}").expect("a String takes any text");
        }
    }
    canonical.truncate(canonical.trim_end_matches('/').len());
    canonical
}

fn escape_at(bytes: &[u8], at: usize) -> Option<u8> {
    let digits = bytes.get(at + 1..at + 3).filter(|_| bytes[at] == b'%')?;
    let high = char::from(digits[0]).to_digit(16)?;
    let low = char::from(digits[1]).to_digit(16)?;
    u8::try_from(high * 16 + low).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spellings_of_one_resource_are_equal() {
        let base = Url::parse("https://p42-caldav.icloud.com:443/123/calendars/").unwrap();
        for (sent, key) in [
            ("/u/work/", "/u/work"),
            ("/u/work", "/u/work"),
            ("https://caldav.icloud.com/u/work/", "/u/work"),
            ("/u%40example.com/x.ics", "/u@example.com/x.ics"),
            ("/u@example.com/x.ics", "/u@example.com/x.ics"),
            ("/u/%c3%a9.ics", "/u/%C3%A9.ics"),
            ("/u/é.ics", "/u/%C3%A9.ics"),
            ("/u/a%20b%23c%2Fd.ics", "/u/a%20b%23c%2Fd.ics"),
            ("/u/100%.ics", "/u/100%25.ics"),
            ("relative.ics", "/123/calendars/relative.ics"),
            ("  /u/x.ics\n", "/u/x.ics"),
        ] {
            assert_eq!(Href::read(&base, sent).unwrap().key, key, "{sent}");
        }
        assert!(Href::read(&base, " ").is_none());
        assert!(Href::read(&base, "https://[").is_none());
    }
}
