//! The question to the gateway, and what is wrong where it is not answered.

use crate::cli::moment::rough;
use http::{HeaderMap, Method, Request, Response, StatusCode, header};
use serde::Deserialize;
use std::time::Duration;
use ureq::{Agent, Body};
use url::{Host, Url};

/// How long the gateway may take.
const TIMEOUT: Duration = Duration::from_secs(10);

/// More than any answer has.
const MOST_BYTES: u64 = 1_000_000;

pub struct Asked {
    pub method: Method,
    pub url: Url,
    pub headers: HeaderMap,
}

/// What is read of a problem document (RFC 9457).
#[derive(Deserialize)]
struct Problem {
    detail: Option<String>,
    code: Option<String>,
}

impl Asked {
    /// What speaks against asking like this.
    pub fn warning(&self) -> Option<&'static str> {
        let here = match self.url.host()? {
            Host::Domain(name) => name == "localhost",
            Host::Ipv4(address) => address.is_loopback(),
            Host::Ipv6(address) => address.is_loopback(),
        };
        let readable = self.url.scheme() == "http" && !here && !self.headers.is_empty();
        readable.then_some("the credentials are sent without encryption: use an https address")
    }
}

/// Asks, and gives back the answer. The error is for the user.
pub fn send(asked: &Asked) -> Result<String, String> {
    let config = Agent::config_builder().timeout_global(Some(TIMEOUT)).http_status_as_error(false).max_redirects(0);
    let request = Request::builder().method(&asked.method).uri(asked.url.as_str()).body(());
    let mut request = request.map_err(|_| "the address cannot be asked".to_owned())?;
    *request.headers_mut() = asked.headers.clone();
    request.headers_mut().insert(header::ACCEPT, header::HeaderValue::from_static("application/json"));
    let response = Agent::new_with_config(config.build()).run(request).map_err(|error| match error {
        ureq::Error::Timeout(_) => format!("the gateway does not answer within {}", rough(TIMEOUT.as_secs())),
        error => format!("the gateway cannot be reached: {error}"),
    })?;
    read(response)
}

fn read(response: Response<Body>) -> Result<String, String> {
    let (parts, mut body) = response.into_parts();
    let media_type = parts.headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let media_type = media_type.split(';').next().unwrap_or_default().trim();
    let text = body.with_config().limit(MOST_BYTES).read_to_string();
    let text = text.map_err(|error| format!("the answer breaks off: {error}"))?;
    match parts.status {
        StatusCode::OK if media_type == "application/json" => Ok(text.trim_end().to_owned()),
        StatusCode::OK => Err(NOT_HERE.to_owned()),
        status => {
            // A page of somebody else's is no JSON.
            let problem = serde_json::from_str(&text).ok().filter(|_| media_type.ends_with("+json"));
            Err(refused(status, &parts.headers, problem))
        }
    }
}

const NOT_HERE: &str = "this is no address of limits: the route needs `admin = \"limits\"`";

/// What a refusal means. The gateway's own words are told where it has some.
fn refused(status: StatusCode, headers: &HeaderMap, problem: Option<Problem>) -> String {
    let (detail, code) = problem.map(|problem| (problem.detail, problem.code)).unwrap_or_default();
    let code = code.unwrap_or_default();
    let said = detail.map(|detail| format!(": {}", detail.chars().filter(|c| !c.is_control()).collect::<String>()));
    let said = said.unwrap_or_default();
    match (status.as_u16(), code.as_str()) {
        (400 | 404, "bad-question" | "unknown-limit") => said.trim_start_matches(": ").to_owned(),
        (401, _) => format!("the gateway does not know who you are{said} (set EDGATE_ADMIN_TOKEN or EDGATE_ADMIN_KEY)"),
        (403, _) => format!("you may not do this{said}"),
        (404 | 405, _) => format!("{NOT_HERE} ({status})"),
        (429, _) => {
            let after = headers.get(header::RETRY_AFTER).and_then(|after| after.to_str().ok()?.parse().ok());
            let after = after.map(|after| format!(", again in {}", rough(after))).unwrap_or_default();
            format!("you have asked too often{after}")
        }
        (300..=399, _) => format!("the address leads elsewhere ({status}), and credentials are not sent there"),
        _ => format!("the gateway answers {status}{said}"),
    }
}
