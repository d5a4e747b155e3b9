//! What is done where an upstream gives no answer, or a bad one: another upstream, the last good answer, a fixed one, in
//! this order. The client is told nothing of it, but for the age of an answer; the log is.

use super::Upstream;
use super::proxy::{Came, Passed, pass};
use super::stale::Stale;
use crate::body::Body;
use crate::exchange::Exchange;
use crate::host::SharedHost;
use crate::reject::Reject;
use crate::respond::Respond;
use http::Response;
use std::rc::Rc;

/// What is done where an upstream fails.
#[derive(Debug)]
pub struct Fallback {
    /// The position of another upstream.
    pub upstream: Option<usize>,
    pub stale: Option<Stale>,
    pub respond: Option<Respond>,
    /// Statuses of answers that are not good enough.
    pub statuses: Vec<u16>,
}

impl Fallback {
    /// Passes a request on to its upstream, and does what else can be done where that fails.
    pub async fn pass(
        &self,
        (upstream, upstreams): (&Rc<Upstream>, &[Rc<Upstream>]),
        host: &SharedHost,
        ex: &mut Exchange,
        passed: &Passed,
    ) -> Result<Response<Body>, Reject> {
        // A token for one upstream is nothing for another one.
        let headers = upstream.internal_token.as_ref().map(|_| ex.headers.clone());
        let mut came = pass(upstream, host, ex, passed, None).await;
        if let Some(stale) = self.stale.as_ref().filter(|_| self.is_enough(&came.result)) {
            came.result = stale.keep(host, ex, &passed.target, came.result).await;
        }
        if self.is_enough(&came.result) {
            return came.result;
        }
        let other = self.upstream.and_then(|position| upstreams.get(position));
        if let Some(other) = other.filter(|_| goes_elsewhere(&came, passed)) {
            if let Some(headers) = headers {
                ex.headers = headers;
            }
            came = pass(other, host, ex, passed, Some("fallback")).await;
            if self.is_enough(&came.result) {
                ex.notes.fallback = Some("upstream");
                return came.result;
            }
        }
        if let Some(stale) = &self.stale
            && let Some(response) = stale.find(host, ex, &passed.target, &came.result).await
        {
            ex.notes.fallback = Some("stale");
            return Ok(response);
        }
        match &self.respond {
            Some(respond) => {
                ex.notes.fallback = Some("respond");
                Ok(respond.response())
            }
            None => came.result,
        }
    }

    /// Whether a result is one for the client.
    fn is_enough(&self, result: &Result<Response<Body>, Reject>) -> bool {
        match result {
            Ok(response) => !self.statuses.contains(&response.status().as_u16()),
            Err(reject) => !is_the_upstreams(reject),
        }
    }
}

/// Whether it is the upstream that failed, rather than the client or the gateway.
fn is_the_upstreams(reject: &Reject) -> bool {
    match reject {
        Reject::UpstreamFailed | Reject::UpstreamTimeout | Reject::UpstreamUnavailable { .. } => true,
        // What is left of the request's time may not be enough for anybody.
        Reject::DeadlineExceeded => true,
        _ => false,
    }
}

/// Whether another upstream may be asked to do it.
fn goes_elsewhere(came: &Came, passed: &Passed) -> bool {
    passed.content.is_there() && (passed.repeatable || !came.may_be_done)
}
