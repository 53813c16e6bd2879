//! Pryv's timestamps: seconds since the Unix epoch, with a fraction.

use tidings_core::clock::Timestamp;

/// A moment as Pryv writes it.
pub(crate) fn of(at: Timestamp) -> f64 {
    at.0 as f64 / 1000.0
}

/// The millisecond that a Pryv timestamp lies in.
pub(crate) fn to_ms(seconds: f64) -> i64 {
    // A product such as 1586254000.213 * 1000 may fall just short of the whole number.
    let ms = seconds * 1000.0;
    let nearest = ms.round();
    if (ms - nearest).abs() < 1e-3 { nearest as i64 } else { ms.floor() as i64 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_keep_their_milliseconds() {
        for ms in [0, 1, 999, 1_586_254_000_213, 1_586_254_000_167, 253_402_300_799_999] {
            assert_eq!(to_ms(of(Timestamp(ms))), ms);
        }
        assert_eq!(to_ms(1.0009), 1000);
        assert_eq!(to_ms(-0.5), -500);
        assert_eq!(
            serde_json::json!(of(Timestamp(1_586_254_000_213))).to_string(),
            "1586254000.213"
        );
    }
}
