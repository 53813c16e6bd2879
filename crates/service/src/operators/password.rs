//! Which passwords an operator may choose.

use tidings_core::limits;

use crate::validate::Checks;

/// The most common passwords of at least eight bytes, as lists of leaked ones have them, in lower case.
const COMMON: &str = include_str!("common_passwords.txt");

/// Checks a password that an operator chose. There are no rules of composition; it must be long enough, and
/// nothing that everybody tries first.
pub(super) fn check(checks: &mut Checks, password: &str, email: &str) {
    let length = password.len();
    let fits = (limits::OPERATOR_PASSWORD_BYTES_MIN..=limits::PASSWORD_BYTES_MAX).contains(&length);
    if !fits {
        let why = format!(
            "must be {} to {} bytes long",
            limits::OPERATOR_PASSWORD_BYTES_MIN,
            limits::PASSWORD_BYTES_MAX
        );
        checks.refuse("/password", "length", why);
        return;
    }
    let lower = password.to_lowercase();
    if COMMON.lines().any(|common| common == lower) || is_repeated(&lower) {
        let why = "is one of the most common passwords; choose another one";
        checks.refuse("/password", "common", why);
    }
    let local = email.split('@').next().unwrap_or_default();
    if lower == email || lower == local {
        checks.refuse("/password", "email", "must not be the e-mail address");
    }
}

/// Whether it is one character over and over.
fn is_repeated(password: &str) -> bool {
    let mut all = password.chars();
    all.next().is_some_and(|first| all.all(|c| c == first))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_are_long_enough_and_not_what_everybody_tries_first() {
        let long = "x1".repeat(512);
        for (password, good) in [
            ("correct horse battery staple", true),
            ("tr0ub4dor&3", true),
            ("        a", true),
            ("пароль!!", true),
            (long.as_str(), true),
            (&format!("{long}x"), false),
            ("", false),
            ("sh0rt!x", false),
            ("password", false),
            ("PassWord1", false),
            ("12345678", false),
            ("qwertyuiop", false),
            ("aaaaaaaaaaaa", false),
            ("ada.lovelace@example.com", false),
            ("Ada.Lovelace", false),
        ] {
            let mut checks = Checks::default();
            check(&mut checks, password, "ada.lovelace@example.com");
            assert_eq!(checks.done().is_ok(), good, "{password}");
        }
    }

    #[test]
    fn the_list_holds_nothing_that_is_too_short_anyway() {
        for common in COMMON.lines() {
            assert!(common.len() >= limits::OPERATOR_PASSWORD_BYTES_MIN, "{common}");
            assert_eq!(common, common.to_lowercase());
        }
    }
}
