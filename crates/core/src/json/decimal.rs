//! The exact value of a JSON number.

use std::cmp::Ordering;
use std::fmt;

/// A JSON number, compared by the decimal value that is written: `1`, `1.0` and `10e-1` are equal,
/// 9007199254740993 is not 9007199254740992, and 0.1 is exactly 0.1. No digits are lost, however many.
#[derive(Clone, Copy)]
pub struct Decimal<'a> {
    text: &'a str,
    negative: bool,
    /// Digits before and after the point.
    whole: &'a str,
    fraction: &'a str,
    /// Where the point stands, counted from the first digit that is not 0; `None`: the number is 0.
    point: Option<i64>,
}

impl<'a> Decimal<'a> {
    /// Reads a number as JSON writes it (RFC 8259 §6).
    pub fn parse(text: &'a str) -> Option<Self> {
        let (mantissa, exponent) = match text.split_once(['e', 'E']) {
            Some((mantissa, exponent)) => (mantissa, read_exponent(exponent)?),
            None => (text, 0),
        };
        let (negative, digits) = match mantissa.strip_prefix('-') {
            Some(digits) => (true, digits),
            None => (false, mantissa),
        };
        let (whole, fraction) = match digits.split_once('.') {
            Some((whole, fraction)) if !fraction.is_empty() => (whole, fraction),
            Some(_) => return None,
            None => (digits, ""),
        };
        let all_digits = whole.bytes().chain(fraction.bytes()).all(|byte| byte.is_ascii_digit());
        if whole.is_empty() || !all_digits || (whole.len() > 1 && whole.starts_with('0')) {
            return None;
        }
        let first = whole.bytes().chain(fraction.bytes()).position(|digit| digit != b'0');
        let point = first.map(|first| {
            let places = i64::try_from(whole.len()).unwrap_or(i64::MAX);
            let zeros = i64::try_from(first).unwrap_or(i64::MAX);
            exponent.saturating_add(places - zeros)
        });
        Some(Self { text, negative, whole, fraction, point })
    }

    /// The number as it is written.
    pub fn text(&self) -> &'a str {
        self.text
    }

    fn digits(&self) -> impl Iterator<Item = u8> {
        self.whole.bytes().chain(self.fraction.bytes()).skip_while(|digit| *digit == b'0')
    }

    fn compare_size(&self, other: &Self) -> Ordering {
        self.point.cmp(&other.point).then_with(|| {
            let (mut ours, mut theirs) = (self.digits(), other.digits());
            loop {
                let pair = (ours.next(), theirs.next());
                let order = pair.0.unwrap_or(b'0').cmp(&pair.1.unwrap_or(b'0'));
                if order.is_ne() || pair == (None, None) {
                    return order;
                }
            }
        })
    }
}

/// An exponent too large to count is as good as any other that large.
fn read_exponent(text: &str) -> Option<i64> {
    let (negative, digits) = match text.as_bytes() {
        [b'-', ..] => (true, &text[1..]),
        [b'+', ..] => (false, &text[1..]),
        _ => (false, text),
    };
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let size = digits.parse().unwrap_or(i64::MAX / 2).min(i64::MAX / 2);
    Some(if negative { -size } else { size })
}

impl Ord for Decimal<'_> {
    fn cmp(&self, other: &Self) -> Ordering {
        let sign = |number: &Self| match (number.point, number.negative) {
            (None, _) => 0,
            (Some(_), true) => -1,
            (Some(_), false) => 1,
        };
        sign(self).cmp(&sign(other)).then_with(|| match sign(self) {
            0 => Ordering::Equal,
            1 => self.compare_size(other),
            _ => other.compare_size(self),
        })
    }
}

impl PartialOrd for Decimal<'_> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Decimal<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Decimal<'_> {}

impl fmt::Debug for Decimal<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn values_are_compared_not_texts() {
        use Ordering::{Equal, Greater, Less};
        for (a, b, order) in [
            ("1", "1.0", Equal),
            ("1", "10e-1", Equal),
            ("1E+2", "100", Equal),
            ("0", "-0.000e5", Equal),
            ("0.1", "0.10", Equal),
            ("9007199254740993", "9007199254740992", Greater),
            ("9007199254740993", "9007199254740992.0", Greater),
            ("18446744073709551616", "18446744073709551615", Greater),
            ("123456789012345678901234567890", "123456789012345678901234567891", Less),
            ("0.30000000000000004", "0.3", Greater),
            ("-1", "1", Less),
            ("-2", "-1", Less),
            ("-0.5", "0", Less),
            ("2", "10", Less),
            ("99", "1e2", Less),
            ("0.00001", "1e-5", Equal),
            ("1e-99999999999999999999999", "0", Greater),
            ("1e-99999999999999999999999", "1e-300", Less),
            ("-1e99999999999999999999999", "-1e300", Less),
        ] {
            let number = |text| Decimal::parse(text).unwrap();
            assert_eq!(number(a).cmp(&number(b)), order, "{a} {b}");
            assert_eq!(number(b).cmp(&number(a)), order.reverse(), "{b} {a}");
        }
        for bad in
            ["", "-", "01", "1.", ".5", "1e", "1e+", "+1", "1e1.5", "0x1", "1_0", "--1", "NaN", "١"]
        {
            assert!(Decimal::parse(bad).is_none(), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn integers_and_doubles_keep_their_order(a in any::<i128>(), b in any::<i128>(), c in -1e300..1e300, d in -1e300..1e300) {
            let (x, y) = (a.to_string(), b.to_string());
            prop_assert_eq!(Decimal::parse(&x).unwrap().cmp(&Decimal::parse(&y).unwrap()), a.cmp(&b));
            let (x, y) = (format!("{c:e}"), format!("{d}"));
            let (x, y) = (Decimal::parse(&x).unwrap(), Decimal::parse(&y).unwrap());
            prop_assert_eq!(Some(x.cmp(&y)), f64::partial_cmp(&c, &d));
        }

        #[test]
        fn any_text_is_read_without_panic(text in "[-+0-9.eE]{0,40}") {
            if let Some(number) = Decimal::parse(&text) {
                prop_assert_eq!(number, number);
            }
        }
    }
}
