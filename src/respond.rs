//! Answers that need no upstream: redirections and fixed responses.

use crate::body::Body;
use crate::exchange::Exchange;
use crate::host::SharedHost;
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
        let mut location = self.to.expand(ex, Goal::Path).ok_or(Reject::BadParameter)?;
        if let Some(query) = ex.query.as_ref().filter(|_| self.keep_query) {
            location.push(if location.contains('?') { '&' } else { '?' });
            location.push_str(query);
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

    pub async fn answer(&self, host: &SharedHost) -> Response<Body> {
        if !self.delay.is_zero() {
            host.sleep(self.delay).await;
        }
        let mut response = Response::new(Body::bytes(self.body.clone()));
        *response.status_mut() = self.status;
        if let Some(media_type) = &self.media_type {
            response.headers_mut().insert(header::CONTENT_TYPE, media_type.clone());
        }
        response
    }
}
