//! A real OpenID provider (the npm package `oidc-provider`) on this machine: what its documents and its tokens look like
//! is not this project's doing.

use crate::client;
use crate::lines::Lines;
use crate::process::{Ending, Process};
use crate::scenario::Request;
use crate::scenario::content::{Content, RequestBody};
use anyhow::{Context, Result, anyhow, ensure};
use serde_json::Value;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;
use tokio::process::Command;

/// The audience of its access tokens. Their scopes are those of [`SCOPES`] that are asked for.
pub const AUDIENCE: &str = "https://orders.example";
pub const SCOPES: [&str; 2] = ["orders:read", "orders:write"];

/// Its one client, which may also introspect tokens.
pub const CLIENT_ID: &str = "edgate-test";
pub const CLIENT_SECRET: &str = "edgate-test-secret";

const START: Duration = Duration::from_secs(20);

/// A provider that runs. It ends when it is dropped.
#[derive(Debug)]
pub struct Provider {
    issuer: String,
    address: SocketAddr,
    _process: Process,
}

impl Provider {
    /// Starts a provider that signs access tokens with `RS256` or `ES256`. It needs the npm packages of the repository.
    pub async fn start(alg: &str) -> Result<Provider> {
        let here = Path::new(env!("CARGO_MANIFEST_DIR"));
        let node = here.join("../../node_modules/.bin/node");
        ensure!(node.exists(), "there is no {}: run `npm ci`", node.display());
        let mut command = Command::new(node);
        command.arg(here.join("openid/provider.mjs")).env("ALG", alg).stdin(Stdio::null());
        let lines = Lines::default();
        let mut process = Process::start(command, Ending::Kill, &lines, &lines)?;
        let started = tokio::select! {
            line = lines.wait_for(0, START, |line| line.starts_with("issuer ")) => line,
            error = process.ended() => Err(error.context(lines.since(0).join("\n"))),
        };
        let line = started.context("the provider does not start")?;
        let issuer = line.trim_start_matches("issuer ").trim().to_owned();
        let address = issuer.trim_start_matches("http://").parse();
        let address = address.map_err(|error| anyhow!("no address in `{line}`: {error}"))?;
        Ok(Provider { issuer, address, _process: process })
    }

    /// Its issuer identifier: a URL, below which its documents are.
    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    /// An access token for a client, with scopes, which have spaces between them (RFC 6749, section 4.4).
    pub async fn token(&self, scopes: &str) -> Result<String> {
        let form = format!("grant_type=client_credentials&scope={}", scopes.replace(':', "%3A").replace(' ', "+"));
        let mut request = self.request("POST", "/token");
        let basic = crate::credentials::encoding::base64(format!("{CLIENT_ID}:{CLIENT_SECRET}").as_bytes());
        request.headers.0.push(("authorization".to_owned(), format!("Basic {basic}")));
        request.headers.0.push(("content-type".to_owned(), "application/x-www-form-urlencoded".to_owned()));
        request.body = Some(RequestBody { content: Content::Bytes(form.into_bytes()), chunked: false });
        let answer = self.json(&request).await?;
        answer["access_token"].as_str().map(str::to_owned).with_context(|| format!("no token in {answer}"))
    }

    /// A document of its.
    pub async fn document(&self, path: &str) -> Result<Value> {
        self.json(&self.request("GET", path)).await
    }

    fn request(&self, method: &str, target: &str) -> Request {
        Request { host: self.address.to_string(), ..Request::new(method, target) }
    }

    async fn json(&self, request: &Request) -> Result<Value> {
        let response = client::send(self.address, request).await?;
        let text = response.body.text();
        ensure!(response.status == 200, "{}: {} {text}", request.target, response.status);
        serde_json::from_str(&text).with_context(|| format!("{}: no JSON: {text}", request.target))
    }
}
