//! The opaque cursor of the journal: a `seq`, bound to its app.
//!
//! It carries no authority, since the journal is read with the app of the caller's key. The check tells
//! a cursor of another app, or a made-up one, from one that we gave out.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};
use tidings_core::id::AppId;

use crate::problem::Problem;

const CHECK_BYTES: usize = 8;

/// The cursor behind `seq` of `app`.
pub(crate) fn close(app: Option<AppId>, seq: u64) -> String {
    URL_SAFE_NO_PAD.encode([seq.to_be_bytes(), check(app, seq)].concat())
}

/// The `seq` that a cursor points behind.
///
/// # Errors
/// 400 when [`close`] did not make it for this app.
pub(crate) fn open(app: Option<AppId>, cursor: &str) -> Result<u64, Problem> {
    let opened = URL_SAFE_NO_PAD.decode(cursor).ok().and_then(|bytes| {
        let (seq, given) = bytes.split_first_chunk::<8>()?;
        let seq = u64::from_be_bytes(*seq);
        (check(app, seq)[..] == *given).then_some(seq)
    });
    opened.ok_or_else(|| {
        let detail = "after is not a cursor of this app's changes; leave it out to begin anew";
        Problem::bad_request("invalid_query", detail)
    })
}

fn check(app: Option<AppId>, seq: u64) -> [u8; CHECK_BYTES] {
    let app = app.map_or([0; 12], |app| app.0.to_bytes());
    let digest = Sha256::new()
        .chain_update(b"tidings journal cursor")
        .chain_update(app)
        .chain_update(seq.to_be_bytes())
        .finalize();
    *digest.first_chunk().expect("a SHA-256 has 32 bytes")
}

#[cfg(test)]
mod tests {
    use tidings_core::id::Bits96;

    use super::*;

    #[test]
    fn a_cursor_opens_only_in_its_app() {
        let app = Some(AppId(Bits96::new(7)));
        for seq in [0, 1, 41, u64::MAX] {
            let cursor = close(app, seq);
            assert_eq!(open(app, &cursor), Ok(seq));
            assert!(open(None, &cursor).is_err());
            assert!(open(Some(AppId(Bits96::new(8))), &cursor).is_err());
        }
        let good = close(app, 3);
        for forged in ["", "abc", "3", "é", &good[1..], &format!("{good}A"), &good[..8]] {
            assert!(open(app, forged).is_err(), "{forged}");
        }
    }
}
