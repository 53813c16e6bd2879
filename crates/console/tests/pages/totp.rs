//! The second factor: set up with an authenticator, asked for at the door, turned off with the password.

use regex::Regex;
use ring::hmac;

use crate::world::{OWNER, PASSWORD, World};

const STEP_MS: i64 = 30_000;

/// The code of an authenticator that has this secret (RFC 6238).
fn code(secret_base32: &str, at_ms: i64) -> String {
    let digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    let mut secret = Vec::new();
    let (mut bits, mut count) = (0u32, 0);
    for digit in secret_base32.chars() {
        bits = (bits << 5) | u32::try_from(digits.find(digit).unwrap()).unwrap();
        count += 5;
        if count >= 8 {
            count -= 8;
            secret.push(u8::try_from((bits >> count) & 255).unwrap());
        }
    }
    let step = (at_ms / STEP_MS).to_be_bytes();
    let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, &secret);
    let hash = hmac::sign(&key, &step);
    let hash = hash.as_ref();
    let at = usize::from(hash[19] & 15);
    let number = u32::from_be_bytes(hash[at..at + 4].try_into().unwrap()) & 0x7fff_ffff;
    format!("{:06}", number % 1_000_000)
}

#[tokio::test]
async fn asvs_6_5_an_authenticator_is_set_up_and_its_code_asked_for_once() {
    let (world, mut owner) = World::owned().await;
    let path = "/console/profile/totp";
    let offered = owner.get(path).await;
    assert!(offered.body.contains("<svg class=\"qr\""), "{offered:?}");
    let secret = Regex::new(r#"class="secret-text">([A-Z2-7]+)<"#).unwrap();
    let secret = secret.captures(&offered.body).expect("the secret is shown")[1].to_owned();
    let now = || world.clock.now().0;
    let wrong = owner.submit(path, path, &[("code", "000000")]).await;
    assert_eq!(wrong.status, 422, "{wrong:?}");
    assert!(wrong.body.contains(&secret), "the secret stays the same: {wrong:?}");
    let right = owner.submit(path, path, &[("code", &code(&secret, now()))]).await;
    assert_eq!((right.status.as_u16(), right.location()), (303, "/console/profile"), "{right:?}");

    world.clock.advance_ms(2 * STEP_MS);
    let mut browser = world.browser();
    let asked = browser.sign_in(OWNER, PASSWORD).await;
    assert_eq!(asked.status, 200, "{asked:?}");
    assert!(asked.body.contains("the code of your authenticator"), "{asked:?}");
    assert!(!browser.cookies.contains_key("tidings"));
    let with = code(&secret, now());
    let fields = [("email", OWNER), ("password", PASSWORD), ("code", with.as_str())];
    let signed = browser.submit("/console/login", "/console/login", &fields).await;
    assert_eq!(signed.status, 303, "{signed:?}");
    let again = world.browser().submit("/console/login", "/console/login", &fields).await;
    assert_eq!(again.status, 401, "a code works once: {again:?}");

    let off = "/console/profile/totp/remove";
    let answer = browser.submit("/console/profile", off, &[("present-totp", "not it")]).await;
    assert_eq!(answer.status, 422, "{answer:?}");
    let answer = browser.submit("/console/profile", off, &[("present-totp", PASSWORD)]).await;
    assert_eq!(answer.status, 303, "{answer:?}");
    assert_eq!(world.browser().sign_in(OWNER, PASSWORD).await.status, 303);
}
