//! What stands between the client and the action: a closed list, in the order in which it is run. No configuration
//! can write a wrong order.

pub mod access;
pub mod authenticate;
pub mod authorize;
pub mod cors;
pub mod limit_body;
pub mod throttle;
pub mod transform;

use crate::body::Body;
use crate::exchange::Exchange;
use crate::host::SharedHost;
use crate::interest::Interest;
use crate::reject::Reject;
use crate::secret::SecretSlot;
use access::Access;
use authenticate::Authenticate;
use authorize::Authorize;
use cors::Cors;
use http::Response;
use limit_body::LimitBody;
use throttle::Throttle;
use transform::Transform;

/// A policy of a route. The order of the variants is the order of execution.
#[derive(Debug)]
pub enum Policy {
    Cors(Cors),
    Access(Access),
    LimitBody(LimitBody),
    ThrottleClient(Throttle),
    Authenticate(Authenticate),
    Authorize(Authorize),
    ThrottleIdentity(Throttle),
    Transform(Transform),
}

impl Policy {
    /// Its place in the order of execution.
    pub fn position(&self) -> usize {
        match self {
            Policy::Cors(_) => 0,
            Policy::Access(_) => 1,
            Policy::LimitBody(_) => 2,
            Policy::ThrottleClient(_) => 3,
            Policy::Authenticate(_) => 4,
            Policy::Authorize(_) => 5,
            Policy::ThrottleIdentity(_) => 6,
            Policy::Transform(_) => 7,
        }
    }

    /// Its name in `edgate explain` and in the documentation.
    pub fn name(&self) -> &'static str {
        match self {
            Policy::Cors(_) => "cors",
            Policy::Access(_) => "access",
            Policy::LimitBody(_) => "limit-body",
            Policy::ThrottleClient(_) => "throttle-client",
            Policy::ThrottleIdentity(_) => "throttle-identity",
            Policy::Authenticate(_) => "authenticate",
            Policy::Authorize(_) => "authorize",
            Policy::Transform(_) => "transform",
        }
    }

    /// What it does, in a few words.
    pub fn describe(&self) -> String {
        match self {
            Policy::Cors(policy) => policy.describe(),
            Policy::Access(policy) => policy.describe(),
            Policy::LimitBody(policy) => policy.describe(),
            Policy::ThrottleClient(policy) | Policy::ThrottleIdentity(policy) => policy.describe(),
            Policy::Authenticate(policy) => policy.describe(),
            Policy::Authorize(policy) => policy.describe(),
            Policy::Transform(policy) => policy.describe(),
        }
    }

    /// The secrets that it needs.
    pub fn secrets(&self) -> Box<dyn Iterator<Item = &SecretSlot> + '_> {
        match self {
            Policy::Authenticate(policy) => Box::new(policy.secrets()),
            Policy::Transform(policy) => Box::new(policy.secrets()),
            Policy::Cors(_) | Policy::Access(_) | Policy::LimitBody(_) => Box::new(std::iter::empty()),
            Policy::ThrottleClient(_) | Policy::Authorize(_) | Policy::ThrottleIdentity(_) => {
                Box::new(std::iter::empty())
            }
        }
    }

    /// Adds what it has to see of messages, and what it writes.
    pub fn interest(&self, interest: &mut Interest) {
        match self {
            Policy::Cors(policy) => policy.interest(interest),
            Policy::Access(policy) => policy.interest(interest),
            // `Content-Length` is everybody's.
            Policy::LimitBody(_) => {}
            Policy::ThrottleClient(policy) | Policy::ThrottleIdentity(policy) => policy.interest(interest),
            Policy::Authenticate(policy) => policy.interest(interest),
            Policy::Authorize(policy) => policy.interest(interest),
            Policy::Transform(policy) => policy.interest(interest),
        }
    }

    /// Looks at the request, and may change or refuse it.
    pub async fn on_request(&self, host: &SharedHost, ex: &mut Exchange) -> Result<(), Reject> {
        match self {
            // What it asks of a request is asked by browsers alone.
            Policy::Cors(_) => Ok(()),
            Policy::Access(policy) => policy.on_request(ex),
            Policy::LimitBody(policy) => policy.on_request(ex),
            Policy::ThrottleClient(policy) | Policy::ThrottleIdentity(policy) => policy.on_request(host, ex).await,
            Policy::Authenticate(policy) => policy.on_request(host, ex).await,
            Policy::Authorize(policy) => policy.on_request(ex),
            Policy::Transform(policy) => policy.on_request(ex),
        }
    }

    /// Looks at the response, whoever made it, and may change it.
    pub fn on_response(&self, host: &SharedHost, ex: &mut Exchange, response: &mut Response<Body>) {
        match self {
            Policy::Cors(policy) => policy.on_response(ex, response),
            Policy::ThrottleClient(policy) | Policy::ThrottleIdentity(policy) => policy.on_response(host, ex, response),
            Policy::Authenticate(policy) => policy.on_response(ex, response),
            Policy::Transform(policy) => policy.on_response(ex, response),
            Policy::Access(_) | Policy::LimitBody(_) | Policy::Authorize(_) => {}
        }
    }
}
