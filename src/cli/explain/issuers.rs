//! What `edgate explain` and `edgate token` ask of issuers, for real: their key sets, and about tokens.

use super::Network;
use crate::body::Body;
use crate::host::{HostError, Outgoing};
use crate::memory::{Answer, Stream};
use bytes::Bytes;
use http::{Request, Response};
use std::time::Duration;
use ureq::Agent;

/// More than any key set may have.
const MOST_BYTES: u64 = 8_000_000;

/// Sends a request of edgate's own.
pub fn ask(request: &Outgoing<'_>, network: Network) -> Answer {
    let result = if network.offline {
        Err(HostError::Denied("--offline was given".to_owned()))
    } else {
        send(request).map_err(|error| match error {
            ureq::Error::Timeout(_) => HostError::Timeout,
            error => HostError::Unreachable(error.to_string()),
        })
    };
    Answer { after: Duration::ZERO, result }
}

fn send(request: &Outgoing<'_>) -> Result<Response<Body>, ureq::Error> {
    let config = Agent::config_builder()
        .timeout_global(Some(request.timeout))
        .http_status_as_error(false)
        .max_redirects(0)
        .build();
    let body = match &request.body {
        Body::Bytes(bytes) => bytes.to_vec(),
        Body::Empty | Body::Host(_) => Vec::new(),
    };
    let mut message = Request::builder().method(&request.method).uri(&request.url).body(body)?;
    *message.headers_mut() = request.headers.clone();
    let (parts, mut body) = Agent::new_with_config(config).run(message)?.into_parts();
    let bytes = body.with_config().limit(MOST_BYTES).read_to_vec()?;
    let stream = Stream { chunks: vec![Bytes::from(bytes)], ..Stream::default() };
    Ok(Response::from_parts(parts, Body::host(stream, None)))
}
