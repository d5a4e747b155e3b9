//! What is done where an upstream gives no answer, or a bad one: another upstream, the last good answer, a fixed one, in
//! this order. The client is told nothing of it, but for the age of an answer; the log is.

use super::Upstream;
use super::proxy::{Came, Passed, pass};
use super::retry::is_idempotent;
use super::stale::Stale;
use crate::body::Body;
use crate::exchange::Exchange;
use crate::host::SharedHost;
use crate::reject::Reject;
use crate::respond::Respond;
use http::{HeaderName, Method, Response};
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
        (passed, fields): (&Passed, &[HeaderName]),
    ) -> Result<Response<Body>, Reject> {
        let seat = upstream.seat(&**host, ex);
        let other = self.upstream.and_then(|position| upstreams.get(position));
        let other = other.map(|other| (other, other.seat(&**host, ex)));
        upstream.hide(&mut ex.headers);
        let asked = self.stale.as_ref().and_then(|stale| Some((stale, stale.asked(ex, passed, fields)?)));
        // A token for one upstream is nothing for another one.
        let headers = upstream.internal_token.as_ref().map(|_| ex.headers.clone());
        let mut came = pass((upstream, seat), host, ex, passed, None).await;
        if let Some((stale, asked)) = asked.as_ref().filter(|_| self.is_enough(&came.result)) {
            came.result = stale.keep(host, ex, asked, came.result).await;
        }
        if self.is_enough(&came.result) {
            return came.result;
        }
        if let Some((other, seat)) = other.filter(|_| goes_elsewhere(&came, &ex.method, passed)) {
            if let Some(headers) = headers {
                ex.headers = headers;
            }
            other.hide(&mut ex.headers);
            came = pass((other, seat), host, ex, passed, Some("fallback")).await;
            if self.is_enough(&came.result) {
                ex.notes.fallback = Some("upstream");
                return came.result;
            }
        }
        if let Some((stale, asked)) = asked
            && let Some(response) = stale.find(host, ex, &asked, &came.result).await
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
        Reject::UpstreamFailed
        | Reject::UpstreamTimeout
        | Reject::UpstreamUnavailable { .. }
        | Reject::UpstreamCredentials { .. } => true,
        // What is left of the request's time may not be enough for anybody.
        Reject::DeadlineExceeded => true,
        _ => false,
    }
}

/// Whether another upstream may be asked to do it. It has never seen the `Idempotency-Key` of what another one has done.
fn goes_elsewhere(came: &Came, method: &Method, passed: &Passed) -> bool {
    passed.content.is_there() && (is_idempotent(method) || !came.may_be_done)
}
