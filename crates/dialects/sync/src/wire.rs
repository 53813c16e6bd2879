//! The shapes of ids and times on Sync's wire.

use tidings_core::clock::Timestamp;
use tidings_core::id::Bits96;

use crate::refusal::Refusal;

/// The environment that is printed: an app is one environment, and what is not a sandbox is production.
pub(crate) const ENVIRONMENT: &str = "574894bf7848066d138b4571";

/// The bits that an id of 24 hexadecimal digits stands for; what has another shape names nothing.
pub(crate) fn bits(text: &str, what: &str) -> Result<Bits96, Refusal> {
    Bits96::from_hex24(text).ok_or_else(|| Refusal::not_found(what))
}

/// `2020-01-10T00:25:24+00:00`.
pub(crate) fn iso(at: Timestamp) -> String {
    let text = at.to_string();
    let seconds = text.split('.').next().unwrap_or_default();
    format!("{seconds}+00:00")
}

/// `2023-06-16 19:06:18.944000+0000`, as V3 writes times.
pub(crate) fn spaced(at: Timestamp) -> String {
    at.to_string().replace('T', " ").replace('Z', "000+0000")
}

/// A UUID (RFC 9562 version 8) that is a pure function of 96 bits and a tag of 26 bits.
pub(crate) fn uuid(bits: Bits96, tag: u32) -> String {
    let value = (bits.value() << 26) | u128::from(tag & TAG);
    let (head, rest) = (value >> 74, value & ((1 << 74) - 1));
    let whole =
        (head << 80) | (8 << 76) | ((rest >> 62) << 64) | (2 << 62) | (rest & ((1 << 62) - 1));
    grouped(whole)
}

/// The reverse of [`uuid`]; `None` when the text is not one of those.
pub(crate) fn of_uuid(text: &str) -> Option<(Bits96, u32)> {
    let digits: String = text.split('-').collect();
    let whole = u128::from_str_radix(&digits, 16).ok()?;
    let rest = (((whole >> 64) & 0xfff) << 62) | (whole & ((1 << 62) - 1));
    let value = ((whole >> 80) << 74) | rest;
    let found = (Bits96::new(value >> 26), u32::try_from(value & u128::from(TAG)).ok()?);
    (uuid(found.0, found.1) == text.to_ascii_lowercase()).then_some(found)
}

const TAG: u32 = (1 << 26) - 1;

/// A random UUID (RFC 9562 version 4) of 16 random bytes.
pub(crate) fn random_uuid(bytes: [u8; 16]) -> String {
    let mut whole = u128::from_be_bytes(bytes);
    whole = (whole & !(0xf << 76)) | (4 << 76);
    whole = (whole & !(3 << 62)) | (2 << 62);
    grouped(whole)
}

fn grouped(whole: u128) -> String {
    let digits = format!("{whole:032x}");
    let parts = [&digits[..8], &digits[8..12], &digits[12..16], &digits[16..20], &digits[20..]];
    parts.join("-")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_the_documented_shapes() {
        let at = Timestamp::parse("2020-01-10T00:25:24.944Z").unwrap();
        assert_eq!(iso(at), "2020-01-10T00:25:24+00:00");
        assert_eq!(spaced(at), "2020-01-10 00:25:24.944000+0000");
    }

    #[test]
    fn a_uuid_stands_for_its_bits_and_no_other_text_does() {
        for value in [0, 1, (1 << 96) - 1, 0x0123_4567_89ab_cdef_0123_4567] {
            for tag in [0, 1, TAG, 0x155_5555] {
                let text = uuid(Bits96::new(value), tag);
                assert_eq!(text.len(), 36, "{text}");
                assert_eq!((&text[14..15], "89ab".contains(&text[19..20])), ("8", true), "{text}");
                assert_eq!(of_uuid(&text), Some((Bits96::new(value), tag)), "{text}");
                assert_eq!(of_uuid(&text.to_uppercase()), Some((Bits96::new(value), tag)));
            }
        }
        for stranger in [
            "",
            "-",
            "UUID",
            "00000000-0000-4000-8000-000000000000",
            "00000000000080008000000000000000",
            "00000000-0000-8000-8000-0000000000000",
            "é0000000-0000-8000-8000-000000000000",
        ] {
            assert_eq!(of_uuid(stranger), None, "{stranger}");
        }
        let random = random_uuid([0xff; 16]);
        assert_eq!(random, "ffffffff-ffff-4fff-bfff-ffffffffffff");
    }
}
