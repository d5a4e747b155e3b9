//! A real OpenID provider's tokens, on both platforms: edgate finds its keys by discovery, and what the tokens say
//! decides.

#[path = "replay/start.rs"]
mod start;

use anyhow::{Result, ensure};
use edgate_kit::openid::{AUDIENCE, CLIENT_ID, Provider};
use edgate_kit::running::{Deployment, Running};
use edgate_kit::scenario::{HostName, Request};
use serde_json::json;

/// One issuer twice: once for its audience, once for another.
async fn gateway(host: HostName, provider: &Provider) -> Result<Running> {
    let issuer = |audience: &str| json!({ "issuer": provider.issuer(), "audience": audience, "typ": "at+jwt" });
    let route = |path: &str, issuer: &str, rule: &str| {
        json!({
            "match": { "path": path },
            "authenticate": { "issuers": issuer },
            "authorize": { "rules": rule },
            "respond": { "body": "open" },
        })
    };
    let read = "identity.scopes contains \"orders:read\"";
    let bindings = vec![
        ("ISSUER_PROVIDER".to_owned(), issuer(AUDIENCE)),
        ("ISSUER_ELSEWHERE".to_owned(), issuer("https://elsewhere.example")),
        ("ROUTE_READ".to_owned(), route("/read", "provider", read)),
        ("ROUTE_WRITE".to_owned(), route("/write", "provider", "identity.scopes contains \"orders:write\"")),
        ("ROUTE_CLIENT".to_owned(), route("/client", "provider", &format!("claim.client_id == \"{CLIENT_ID}\""))),
        ("ROUTE_ELSEWHERE".to_owned(), route("/elsewhere", "elsewhere", read)),
    ];
    let deployment = Deployment { bindings, ..Deployment::default() };
    start::start(host, &deployment, vec![provider.issuer().to_owned()]).await
}

async fn opens(host: HostName, alg: &str) -> Result<()> {
    let provider = Provider::start(alg).await?;
    let gateway = gateway(host, &provider).await?;
    let (reads, writes) = (provider.token("orders:read").await?, provider.token("orders:read orders:write").await?);
    // One character of the signature is another one.
    let (rest, last) = reads.split_at(reads.len() - 10);
    let swap = |c: char| if c == 'A' { 'B' } else { 'A' };
    let changed: String = last.chars().take(1).map(swap).chain(last.chars().skip(1)).collect();
    let broken = format!("{rest}{changed}");
    for (target, token, status, code) in [
        ("/read", Some(&reads), 200, "open"),
        ("/client", Some(&reads), 200, "open"),
        ("/write", Some(&writes), 200, "open"),
        ("/write", Some(&reads), 403, "forbidden"),
        ("/elsewhere", Some(&writes), 401, "credentials-invalid"),
        ("/read", Some(&broken), 401, "credentials-invalid"),
        ("/read", None, 401, "credentials-missing"),
    ] {
        let mut request = Request::new("GET", target);
        let field = token.map(|token| ("authorization".to_owned(), format!("Bearer {token}")));
        request.headers.0.extend(field);
        let response = gateway.send(&request).await?;
        let text = response.body.text();
        ensure!(response.status == status && text.contains(code), "{target}: {} {text}", response.status);
    }
    Ok(())
}

#[tokio::test]
async fn workerd_opens_to_tokens_signed_with_rsa() -> Result<()> {
    opens(HostName::Workerd, "RS256").await
}

#[tokio::test]
async fn workerd_opens_to_tokens_signed_with_ecdsa() -> Result<()> {
    opens(HostName::Workerd, "ES256").await
}

#[tokio::test]
async fn spin_opens_to_tokens_signed_with_rsa() -> Result<()> {
    opens(HostName::Spin, "RS256").await
}

#[tokio::test]
async fn spin_opens_to_tokens_signed_with_ecdsa() -> Result<()> {
    opens(HostName::Spin, "ES256").await
}
