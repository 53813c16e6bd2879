use super::*;
use crate::caldav::answer;

const SERVERS: [Server; 2] = [
    Server {
        calendar: "http://127.0.0.1:5232/u/work/",
        initial: include_str!("../../../fixtures/radicale/sync-initial.xml"),
        next: include_str!("../../../fixtures/radicale/sync-next.xml"),
        bogus: (403, include_str!("../../../fixtures/radicale/sync-bogus.xml")),
        again: include_str!("../../../fixtures/radicale/sync-after-delete-initial.xml"),
        listing: include_str!("../../../fixtures/radicale/listing.xml"),
        multiget: include_str!("../../../fixtures/radicale/multiget.xml"),
        ghosts: &["/u/work/ghost.ics", "/u/work/single.ics"],
    },
    Server {
        calendar: "http://127.0.0.1:8080/user/calendars/work/",
        initial: include_str!("../../../fixtures/xandikos/sync-initial.xml"),
        next: include_str!("../../../fixtures/xandikos/sync-next.xml"),
        bogus: (412, include_str!("../../../fixtures/xandikos/sync-bogus.xml")),
        again: include_str!("../../../fixtures/xandikos/sync-after-delete-initial.xml"),
        listing: include_str!("../../../fixtures/xandikos/listing.xml"),
        multiget: include_str!("../../../fixtures/xandikos/multiget.xml"),
        ghosts: &["/user/calendars/work/single.ics"],
    },
];

struct Server {
    calendar: &'static str,
    initial: &'static str,
    next: &'static str,
    bogus: (u16, &'static str),
    again: &'static str,
    listing: &'static str,
    multiget: &'static str,
    ghosts: &'static [&'static str],
}

fn names(members: &[Member]) -> Vec<&str> {
    members.iter().map(|m| m.href.key.rsplit('/').next().unwrap()).collect()
}

#[test]
fn real_servers_tell_what_changed() {
    for server in SERVERS {
        let calendar = Url::parse(server.calendar).unwrap();
        let initial = parse(&calendar, &answer(207, server.initial), "").unwrap();
        assert_eq!(names(&initial.changed), ["series.ics", "single.ics"]);
        assert!(initial.removed.is_empty() && !initial.truncated);
        let next = parse(&calendar, &answer(207, server.next), &initial.token).unwrap();
        assert_eq!(names(&next.changed), ["other.ics"]);
        let removed: Vec<_> = next.removed.iter().map(|href| href.key.as_str()).collect();
        assert_eq!(removed, server.ghosts);
        assert_ne!(next.token, initial.token);
        let (status, body) = server.bogus;
        let refusal = parse(&calendar, &answer(status, body), "bogus").unwrap_err();
        assert!(matches!(refusal, ProviderError::TokenRefused { .. }), "{refusal:?}");
        let again = parse(&calendar, &answer(207, server.again), "").unwrap();
        assert_eq!(names(&again.changed), ["other.ics", "series.ics"]);
    }
}

#[test]
fn a_listing_agrees_with_the_initial_sync() {
    for server in SERVERS {
        let calendar = Url::parse(server.calendar).unwrap();
        let listed = parse_list(&calendar, &answer(207, server.listing)).unwrap();
        let synced = parse(&calendar, &answer(207, server.initial), "").unwrap().changed;
        assert_eq!(listed, synced);
        assert!(listed.iter().all(|member| member.etag.is_some()));
    }
}

#[test]
fn a_multiget_is_counted() {
    for server in SERVERS {
        let calendar = Url::parse(server.calendar).unwrap();
        let member = |name: &str| Member { href: Href::read(&calendar, name).unwrap(), etag: None };
        let asked = [member("single.ics"), member("series.ics"), member("missing.ics")];
        let fetched = parse_multiget(&calendar, &asked, &answer(207, server.multiget)).unwrap();
        assert_eq!(fetched.objects.len(), 2);
        assert_eq!(names(&asked[2..]), ["missing.ics"]);
        assert_eq!(fetched.missing, [asked[2].href.clone()]);
        let text = fetched.objects[0].icalendar.as_deref().unwrap();
        assert!(text.contains("SUMMARY:Dentist\\, éàü"), "{text}");
        let unanswered = [member("single.ics"), member("series.ics"), member("fourth.ics")];
        let failure = parse_multiget(&calendar, &unanswered, &answer(207, server.multiget));
        assert!(failure.unwrap_err().to_string().contains("2 of 3"));
    }
}

fn sync(asked: &str, status: u16, inner: &str) -> Result<Page, ProviderError> {
    let calendar = Url::parse("https://dav.example.com/u/work/").unwrap();
    let body = format!("<multistatus xmlns=\"DAV:\">{inner}</multistatus>");
    parse(&calendar, &answer(status, body), asked)
}

#[test]
fn every_known_refusal_of_a_token_leads_to_a_resync() {
    for status in [400, 403, 409, 410, 412, 418, 500, 507] {
        let refused = sync("t", status, "").unwrap_err();
        assert!(matches!(refused, ProviderError::TokenRefused { .. }), "{status}");
    }
    for status in [400, 403, 501, 507] {
        let refused = sync("", status, "").unwrap_err();
        assert!(matches!(refused, ProviderError::TokenRefused { .. }), "{status}");
    }
    assert!(matches!(sync("t", 401, "").unwrap_err(), ProviderError::Reauthorise { .. }));
    assert!(matches!(sync("t", 404, "").unwrap_err(), ProviderError::Gone { .. }));
    assert!(matches!(sync("t", 503, "").unwrap_err(), ProviderError::Retry { .. }));
    let tokenless = sync("t", 207, "").unwrap_err();
    assert!(matches!(tokenless, ProviderError::TokenRefused { .. }));
}

#[test]
fn the_calendar_is_not_its_own_member_and_507_means_more() {
    let member = "<response><href>/u/work/a.ics</href><propstat><prop><getetag>\"1\"</getetag>\
        </prop><status>HTTP/1.1 200 OK</status></propstat></response>";
    let itself = |status| {
        format!(
            "<response><href>https://dav.example.com/u/work</href>\
             <status>HTTP/1.1 {status}</status></response>{member}<sync-token>n</sync-token>"
        )
    };
    let page = sync("t", 207, &itself("200 OK")).unwrap();
    assert_eq!((names(&page.changed), page.truncated), (vec!["a.ics"], false));
    let page = sync("t", 207, &itself("507 Insufficient Storage")).unwrap();
    assert_eq!((names(&page.changed), page.truncated), (vec!["a.ics"], true));
    let stuck = sync("n", 207, &itself("507 Insufficient Storage")).unwrap_err();
    assert!(matches!(stuck, ProviderError::TokenRefused { .. }));
}

#[test]
fn requests_say_their_type_once_and_never_set_a_limit() {
    let calendar = Url::parse("https://dav.example.com/u/work/").unwrap();
    let href = Href::read(&calendar, "/u/a&b.ics").unwrap();
    for request in [
        request(&calendar, "a<b&c"),
        list_request(&calendar),
        multiget_request(&calendar, &[Member { href, etag: None }]),
    ] {
        assert_eq!(request.headers.get_all(http::header::CONTENT_TYPE).iter().count(), 1);
        let body = std::str::from_utf8(&request.body).unwrap();
        roxmltree::Document::parse(body).unwrap();
        assert!(!body.contains("limit"));
    }
}
