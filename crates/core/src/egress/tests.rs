use serde_json::Value;

use super::*;

const CASES: &str = include_str!("../../tests/data/bad-inputs.json");

fn cases(category: &str) -> Vec<Value> {
    let corpus: Value = serde_json::from_str(CASES).unwrap();
    let all = corpus["cases"].as_array().unwrap().iter();
    let cases: Vec<Value> = all.filter(|case| case["category"] == category).cloned().collect();
    assert!(!cases.is_empty(), "no case of {category}");
    cases
}

fn expected(case: &Value, verdict: &str) -> bool {
    case["expect"] == verdict
        || case["also_ok"].as_array().is_some_and(|also| also.iter().any(|ok| ok == verdict))
}

fn url_of(input: &Value) -> String {
    let Some(recipe) = input.get("url_gen") else {
        return input["url"].as_str().unwrap().to_owned();
    };
    let part = |name: &str| recipe[name].as_str().unwrap_or_default().to_owned();
    let count = recipe["count"].as_u64().unwrap() as usize;
    part("prefix") + &part("unit").repeat(count) + &part("suffix")
}

#[test]
fn every_address_of_the_corpus_is_judged_as_expected() {
    for case in cases("ssrf-address") {
        let ip: IpAddr = case["input"]["ip"].as_str().unwrap().parse().unwrap();
        let verdict = if forbidden(ip).is_some() { "block" } else { "accept" };
        assert!(expected(&case, verdict), "{case} was judged {verdict}");
    }
}

#[test]
fn every_url_of_the_corpus_is_judged_as_expected() {
    let policy = EgressPolicy::public_only();
    for case in cases("ssrf-url") {
        let vetted = policy.vet_url(&url_of(&case["input"]));
        let verdict = if vetted.is_err() { "reject_422" } else { "accept" };
        assert!(expected(&case, verdict), "{case} was judged {vetted:?}");
    }
}

#[test]
fn a_forbidden_answer_refuses_all_of_them_also_beyond_the_cap() {
    let policy = EgressPolicy::public_only();
    let public = |last: u8| IpAddr::from([93, 184, 216, last]);
    let mut answers: Vec<IpAddr> = (1..=200).map(public).collect();
    assert_eq!(policy.vet_addresses(&answers).unwrap().len(), 16);
    assert_eq!(policy.vet_addresses(&[public(9), public(3)]).unwrap(), [public(9), public(3)]);
    answers.push(Ipv6Addr::LOCALHOST.into());
    let refusal = policy.vet_addresses(&answers).unwrap_err();
    assert!(refusal.to_string().contains("::1 is a loopback address"), "{refusal}");
    assert_eq!(policy.vet_addresses(&[]), Err(AddressRefusal::Empty));
}

#[test]
fn urls_are_taken_apart_for_the_wire() {
    let policy = EgressPolicy::dev();
    for (text, origin, authority, target) in [
        ("https://EXAMPLE.com.", "https://example.com:443", "example.com", "/"),
        ("https://example.com:443/a", "https://example.com:443", "example.com", "/a"),
        ("https://a.co:8443?b=%20&c", "https://a.co:8443", "a.co:8443", "/?b=%20&c"),
        ("http://[::1]:80/x", "http://[::1]:80", "[::1]", "/x"),
        ("http://127.1:9/x", "http://127.0.0.1:9", "127.0.0.1:9", "/x"),
        ("http://localhost:8080/", "http://localhost:8080", "localhost:8080", "/"),
    ] {
        let url = policy.vet_url(text).unwrap_or_else(|refusal| panic!("{text}: {refusal}"));
        assert_eq!((url.origin(), url.authority(), url.target()), (origin, authority, target));
        assert_eq!(policy.vet_url(&url.to_string()).as_ref(), Ok(&url), "display is not stable");
    }
}

#[test]
fn each_widening_opens_what_it_says_and_nothing_more() {
    let open = EgressPolicy::public_only;
    let internal = || open().allow("10.1.0.0/16".parse().unwrap());
    for (policy, text, code) in [
        (open(), "http://example.com/", Some("url_scheme")),
        (open().allow_http(true), "http://example.com/", None),
        (open().allow_http(true), "http://example.com:8080/", Some("url_port")),
        (open().allow_http(true), "https://example.com:80/", Some("url_port")),
        (open().allow_http(true), "ftp://example.com/", Some("url_scheme")),
        (open().allow_any_port(true), "https://example.com:6379/", None),
        (open().allow_any_port(true), "https://example.com:0/", Some("url_port")),
        (open().ports(vec![9443]), "https://example.com:9443/", None),
        (open().ports(vec![9443]), "https://example.com/", Some("url_port")),
        (internal(), "https://10.1.255.1/", None),
        (internal(), "https://10.2.0.1/", Some("url_address")),
        (internal(), "https://hooks.corp/", None),
        (internal(), "https://receiver/", None),
        (internal(), "https://localhost/", Some("url_internal_name")),
        (EgressPolicy::dev(), "http://localhost:3000/", None),
        (EgressPolicy::dev(), "http://[::1]:3000/", None),
        (EgressPolicy::dev(), "https://hooks.corp/", Some("url_internal_name")),
        (EgressPolicy::dev(), "https://192.168.0.1/", Some("url_address")),
        (open(), "https:example.com/", Some("url_malformed")),
        (open(), "https:///example.com/", Some("url_malformed")),
        (open(), "https://example.com/\\x", Some("url_characters")),
    ] {
        let found = policy.vet_url(text).err().map(|refusal| refusal.code());
        assert_eq!(found, code, "{text}");
    }
    assert_eq!(internal().refuses([10, 1, 2, 3].into()), None);
    assert_eq!(internal().refuses([169, 254, 169, 254].into()), Some("a link-local address"));
}

#[test]
fn failure_codes_are_distinct_and_parse_back() {
    for class in FailureClass::ALL {
        assert_eq!(FailureClass::parse(class.code()), Some(class));
    }
    assert_eq!(FailureClass::parse("sunspots"), None);
}
