//! Where a person goes on after signing in.

use tidings_core::limits;

/// The path to go on to: `next` when it is one of the console's own, else the start. Another site's address,
/// in whatever disguise, is none of them.
pub(super) fn local(next: Option<&str>) -> &str {
    next.filter(|next| is_local(next)).unwrap_or("/console/")
}

/// A path below `/console/`, of visible ASCII, without what browsers bend: a backslash is a slash to them,
/// dots climb, and control characters vanish.
fn is_local(next: &str) -> bool {
    let (path, _) = next.split_once('?').unwrap_or((next, ""));
    next.len() <= limits::CONSOLE_NEXT_BYTES_MAX
        && next.starts_with("/console/")
        && next.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\')
        && !path.split('/').skip(1).any(|part| matches!(part, "." | ".."))
        && !path.contains("//")
        && !path.contains('%')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn asvs_3_7_2_a_sign_in_leads_to_pages_of_this_console_only() {
        for (next, leads) in [
            ("/console/apps/app_1/webhooks?cursor=a%2Fb&x=//y", true),
            ("/console/", true),
            ("", false),
            ("/", false),
            ("https://evil.example/", false),
            ("//evil.example/", false),
            ("/\\evil.example/", false),
            ("/console/\\evil.example", false),
            ("/console//evil.example", false),
            ("/console/../../x", false),
            ("/console/%2e%2e/x", false),
            ("/console/\t/x", false),
            ("/console/\u{202e}x", false),
            ("javascript:alert(1)", false),
            ("/console", false),
            ("/consoles/", false),
            ("/portal/x", false),
        ] {
            assert_eq!(local(Some(next)), if leads { next } else { "/console/" }, "{next}");
        }
        assert_eq!(local(None), "/console/");
        let long = format!("/console/{}", "a".repeat(limits::CONSOLE_NEXT_BYTES_MAX));
        assert_eq!(local(Some(&long)), "/console/");
    }
}
