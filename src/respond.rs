//! Answers that need no upstream: redirections and fixed responses.

use crate::body::Body;
use crate::exchange::Exchange;
use crate::host::SharedHost;
use crate::path::is_one_spelling;
use crate::reject::Reject;
use crate::template::{Goal, Template};
use bytes::Bytes;
use http::{HeaderValue, Response, StatusCode, header};
use std::time::Duration;

/// A redirection (RFC 9110, section 15.4).
#[derive(Debug)]
pub struct Redirect {
    pub to: Template,
    pub status: StatusCode,
    pub keep_query: bool,
}

/// A fixed response.
#[derive(Debug)]
pub struct Respond {
    pub status: StatusCode,
    pub media_type: Option<HeaderValue>,
    pub body: Bytes,
    pub delay: Duration,
}

impl Redirect {
    pub fn answer(&self, ex: &Exchange) -> Result<Response<Body>, Reject> {
        let mut location = self.to.expand(ex, Goal::Url).ok_or(Reject::BadParameter)?;
        // A value that would add a segment, or take one away, is refused.
        if !has_plain_path(&location) {
            return Err(Reject::BadParameter);
        }
        if let Some(query) = ex.query.as_ref().filter(|_| self.keep_query) {
            // RFC 3986, section 3: the fragment comes last.
            let fragment = location.find('#').map(|start| location.split_off(start)).unwrap_or_default();
            location.push(if location.contains('?') { '&' } else { '?' });
            location.push_str(query);
            location.push_str(&fragment);
        }
        let location = HeaderValue::try_from(location).map_err(|_| Reject::BadParameter)?;
        let mut response = Response::new(Body::Empty);
        *response.status_mut() = self.status;
        response.headers_mut().insert(header::LOCATION, location);
        Ok(response)
    }
}

impl Respond {
    /// Keeps a route's position after a mistake; a configuration with a mistake never serves.
    pub fn placeholder() -> Respond {
        let status = StatusCode::SERVICE_UNAVAILABLE;
        Respond { status, media_type: None, body: Bytes::new(), delay: Duration::ZERO }
    }

    pub async fn answer(&self, host: &SharedHost, ex: &Exchange) -> Result<Response<Body>, Reject> {
        if !self.delay.is_zero() {
            let left = ex.time_left(host.now()).ok_or(Reject::DeadlineExceeded)?;
            host.sleep(self.delay.min(left)).await;
            if self.delay > left {
                return Err(Reject::DeadlineExceeded);
            }
        }
        Ok(self.response())
    }

    /// The response by itself.
    pub fn response(&self) -> Response<Body> {
        let mut response = Response::new(Body::bytes(self.body.clone()));
        *response.status_mut() = self.status;
        if let Some(media_type) = &self.media_type {
            response.headers_mut().insert(header::CONTENT_TYPE, media_type.clone());
        }
        response
    }
}

/// Whether the path of a URL, or of a path with a query and a fragment, is spelt as paths are: no empty segments, no dot
/// segments.
pub fn has_plain_path(url: &str) -> bool {
    let before_query = url.split(['?', '#']).next().unwrap_or_default();
    match before_query.split_once("://") {
        Some((_, rest)) => rest.find('/').is_none_or(|start| is_one_spelling(&rest[start..])),
        None => is_one_spelling(before_query),
    }
}
