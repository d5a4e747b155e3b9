//! Requests that the gateway makes by itself, rather than the client's: with all that an upstream does for one of those, but
//! for its fallback.

use super::Upstream;
use super::proxy::is_repeatable;
use super::request::{Content, Request};
use crate::body::Body;
use crate::exchange::{Attempt, Exchange};
use crate::host::{MadeOf, SharedHost, Timestamp};
use crate::reject::Reject;
use http::{HeaderMap, Method, Response};
use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

/// A request that the gateway makes by itself, for one of a client's.
#[derive(Debug)]
pub struct Call {
    pub method: Method,
    /// Path and query, as they are sent after the upstream's own path.
    pub target: String,
    pub headers: HeaderMap,
    pub body: Body,
    /// How long the answer may take to begin, with all tries.
    pub within: Duration,
    /// The most bytes of an answer of success that are read to its end, within that time.
    pub most: u64,
}

impl Upstream {
    /// Sends a request of the gateway's own and waits until its answer begins.
    pub async fn call(
        self: &Rc<Self>,
        host: &SharedHost,
        ex: &Exchange,
        call: Call,
    ) -> (Result<Response<Body>, Reject>, Vec<Attempt>) {
        let Call { method, target, mut headers, body, within, most } = call;
        if let Some(token) = &self.internal_token {
            // There may be many of these for one request.
            let mut bytes = [0; 8];
            host.random(&mut bytes);
            let id = format!("{}.{:016x}", ex.id, u64::from_be_bytes(bytes));
            let unsigned = token.unsigned_as(host, ex, &id);
            if let Err(reject) = token.add(host, &unsigned, &mut headers).await {
                return (Err(reject), Vec::new());
            }
        }
        let content = Content::of(body);
        let request = Request {
            method: &method,
            target: &target,
            headers: &headers,
            made_of: MadeOf::Nothing,
            content: &content,
            upgrade: false,
            reads: Some(most),
            // Where there is one try, it has all the time.
            timeout: self.retry.as_ref().map_or(within, |_| self.timeout),
            until: Timestamp(host.now().0 + within.as_secs_f64() * 1000.0),
            whole: within,
            key: self.key(ex),
            repeatable: is_repeatable(&method, &headers),
            why: None,
            attempts: RefCell::default(),
            may_be_done: Cell::new(false),
        };
        let result = self.send(host, &request).await;
        // The time is the caller's, and so is what it means that it is over.
        let result = result.map_err(|reject| match reject {
            Reject::DeadlineExceeded => Reject::UpstreamTimeout,
            reject => reject,
        });
        (result, request.attempts.into_inner())
    }

    /// What it is told of who calls, beside the request. Nothing, where it is not.
    pub fn told(&self, ex: &Exchange) -> String {
        self.internal_token.as_ref().map(|token| token.told(ex)).unwrap_or_default()
    }
}

// What they are made of is there on this machine only.
#[cfg(not(target_family = "wasm"))]
#[cfg(test)]
mod tests {
    use super::*;
    use crate::compile;
    use crate::config::Platform;
    use crate::config::document::Sections;
    use crate::exchange::tests::request;
    use crate::host::{Capabilities, HostError};
    use crate::memory::clock::finish;
    use crate::memory::{Answer, MemoryHost};
    use serde_json::{Value, json};

    /// What comes of a call of an upstream whose first target never answers.
    fn outcome(more: Value, call: Call) -> (Result<u16, Reject>, Vec<Option<&'static str>>) {
        let mut upstream =
            json!({ "targets": ["http://a.test", "http://b.test"], "balance": "in_order", "timeout": "1s" });
        let said = more.as_object().into_iter().flatten().map(|(key, value)| (key.clone(), value.clone()));
        upstream.as_object_mut().expect("it is an object").extend(said);
        let route = json!({ "match": { "path": "/{a}" }, "upstream": "u" });
        let document = json!({ "upstream": { "u": upstream }, "route": { "r": route } });
        let sections = Sections::from_document(document, &mut Vec::new());
        let gateway = compile::load(&sections, Some(Capabilities::of(Platform::Cloudflare))).gateway.expect("it loads");
        let host: SharedHost = Rc::new(MemoryHost::new(|request| match request.url.starts_with("http://a.test") {
            true => Answer { after: Duration::MAX, result: Err(HostError::Timeout) },
            false => Answer { after: Duration::ZERO, result: Ok(Response::new(Body::Empty)) },
        }));
        let ex = request(Method::GET, "/x", "/{a}", &[]);
        let (result, attempts) = finish(gateway.upstreams[0].call(&host, &ex, call)).expect("nothing is waited for");
        (result.map(|response| response.status().as_u16()), attempts.into_iter().map(|attempt| attempt.why).collect())
    }

    fn call(method: Method, within: u64) -> Call {
        let (target, headers) = ("/x".to_owned(), HeaderMap::new());
        Call { method, target, headers, body: Body::bytes("{}"), within: Duration::from_secs(within), most: 0 }
    }

    #[test]
    fn own_requests_are_tried_again_in_their_time() {
        let retry = json!({ "retry": {} });
        let (result, tries) = outcome(retry.clone(), call(Method::PUT, 5));
        assert_eq!((result, tries), (Ok(200), vec![None, Some("timeout")]));
        let (result, tries) = outcome(retry.clone(), call(Method::PUT, 1));
        assert_eq!((result, tries.len()), (Err(Reject::UpstreamTimeout), 1));
        let (result, tries) = outcome(retry, call(Method::POST, 5));
        assert_eq!((result, tries.len()), (Err(Reject::UpstreamTimeout), 1));
    }

    #[test]
    fn one_try_has_all_the_time() {
        let (result, tries) = outcome(json!({}), call(Method::GET, 5));
        assert_eq!((result, tries.len()), (Err(Reject::UpstreamTimeout), 1));
    }
}
