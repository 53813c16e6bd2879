use tidings_core::id::Ids;
use tidings_providers::http::{Request, Response};
use tidings_providers::oauth::{self, OAuthApp, Pkce, TokenError};
use tidings_providers::provider::Provider;
use tidings_simulators::graph::{ADA, CLIENT};
use tidings_simulators::oauth::TokenFailure;
use url::Url;

use crate::client::Client;

async fn carry(client: &Client, request: &Request) -> (Response, String) {
    let headers = request.headers.iter();
    let headers: Vec<_> =
        headers.map(|(name, value)| (name.as_str(), value.to_str().unwrap())).collect();
    let (method, url) = (request.method.as_str(), request.url.as_str());
    let reply = client.send_bytes(method, url, &headers, request.body.clone()).await;
    let body = reply.body.to_string();
    let status = reply.status.try_into().unwrap();
    (Response { status, headers: reply.headers, body: body.clone().into() }, body)
}

#[tokio::test]
async fn a_tenant_signs_people_in_and_refuses_with_the_codes_of_entra() {
    let client = Client::start().await;
    let mut app = OAuthApp::microsoft(CLIENT.0, CLIENT.1, "contoso");
    app.authorize_url = client.graph.authorize_url("contoso");
    app.token_url = client.graph.token_url("contoso");
    let back: Url = "http://127.0.0.1:9/providers/microsoft/callback".parse().unwrap();
    let pkce = Pkce::new(&Ids::seeded(1));
    let url = oauth::authorize(&app, &back, "the state", &pkce, Some(ADA));
    let (sent_back, _) = carry(&client, &Request::get(url)).await;
    assert_eq!(sent_back.status, 302);
    let location: Url = sent_back.headers["location"].to_str().unwrap().parse().unwrap();
    let asked = |name: &str| location.query_pairs().find(|(known, _)| known == name).unwrap().1;
    assert_eq!(asked("state"), "the state");

    let exchange = oauth::exchange(&app, &asked("code"), &pkce.verifier, &back);
    let (answer, _) = carry(&client, &exchange).await;
    let tokens = oauth::tokens(Provider::Microsoft, &answer).unwrap();
    let first = tokens.refresh_token.unwrap();
    let (answer, _) = carry(&client, &exchange).await;
    assert!(oauth::tokens(Provider::Microsoft, &answer).is_err(), "a code is good once");
    let (answer, _) = carry(&client, &oauth::refresh(&app, first.reveal())).await;
    let second = oauth::tokens(Provider::Microsoft, &answer).unwrap().refresh_token.unwrap();
    assert_ne!(first, second, "each refresh gives another");

    client.graph.oauth().withdraw(ADA);
    let (answer, body) = carry(&client, &oauth::refresh(&app, second.reveal())).await;
    assert!(body.contains("AADSTS70000") && body.contains("error_codes"), "{body}");
    let error = oauth::tokens(Provider::Microsoft, &answer).unwrap_err();
    assert!(matches!(error, TokenError::Withdrawn { .. }), "{error}");
    for (failure, withdrawn) in [
        (TokenFailure::Error("interaction_required".into()), true),
        (TokenFailure::Error("invalid_client".into()), false),
        (TokenFailure::Status(503), false),
    ] {
        client.graph.oauth().rules(|rules| rules.failures = vec![failure.clone()]);
        let (answer, _) = carry(&client, &oauth::refresh(&app, second.reveal())).await;
        let error = oauth::tokens(Provider::Microsoft, &answer).unwrap_err();
        assert_eq!(matches!(error, TokenError::Withdrawn { .. }), withdrawn, "{failure:?}");
    }
}
