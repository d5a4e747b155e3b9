//! What stands between the client and the action: a closed list, in the order in which it is run. No configuration
//! can write a wrong order.

pub mod access;
pub mod cors;
pub mod limit_body;
pub mod transform;

use crate::body::Body;
use crate::exchange::Exchange;
use crate::interest::Interest;
use crate::reject::Reject;
use http::{HeaderValue, Response};
use limit_body::LimitBody;
use transform::Transform;

/// A policy of a route. The order of the variants is the order of execution.
#[derive(Debug)]
pub enum Policy {
    LimitBody(LimitBody),
    Transform(Transform),
}

impl Policy {
    /// Its name in `edgate explain` and in the documentation.
    pub fn name(&self) -> &'static str {
        match self {
            Policy::LimitBody(_) => "limit-body",
            Policy::Transform(_) => "transform",
        }
    }

    /// What it does on this route, in words.
    pub fn describe(&self) -> String {
        match self {
            Policy::LimitBody(policy) => policy.describe(),
            Policy::Transform(policy) => policy.describe(),
        }
    }

    /// The secrets it needs: the name, what stands before it, and where it goes.
    pub fn secrets(&mut self) -> Box<dyn Iterator<Item = (&str, &str, &mut Option<HeaderValue>)> + '_> {
        match self {
            Policy::LimitBody(_) => Box::new(std::iter::empty()),
            Policy::Transform(policy) => Box::new(policy.secrets()),
        }
    }

    /// Adds the header fields that it reads or writes.
    pub fn interest(&self, interest: &mut Interest) {
        match self {
            // `Content-Length` is everybody's.
            Policy::LimitBody(_) => {}
            Policy::Transform(policy) => policy.interest(interest),
        }
    }

    /// Looks at the request, and may change or refuse it.
    pub fn on_request(&self, ex: &mut Exchange) -> Result<(), Reject> {
        match self {
            Policy::LimitBody(policy) => policy.on_request(ex),
            Policy::Transform(policy) => policy.on_request(ex),
        }
    }

    /// Looks at the response, whoever made it, and may change it.
    pub fn on_response(&self, ex: &Exchange, response: &mut Response<Body>) {
        match self {
            Policy::LimitBody(_) => {}
            Policy::Transform(policy) => policy.on_response(ex, response),
        }
    }
}
