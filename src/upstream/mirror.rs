//! A copy of a request for another upstream, behind the answer: nobody waits for it, and whatever comes of it is let go.

use super::Upstream;
use super::proxy::Passed;
use super::request::{Content, Request};
use crate::exchange::Exchange;
use crate::host::{MadeOf, SharedHost};
use std::cell::{Cell, RefCell};
use std::rc::Rc;

/// Begins to copy a request. One whose content is a stream, which goes once, is not copied, nor is a handshake.
pub fn begin(shadow: &Rc<Upstream>, host: &SharedHost, ex: &mut Exchange, passed: &Passed) {
    let Content::Kept(bytes) = &passed.content else { return };
    if passed.upgrade {
        return;
    }
    ex.notes.mirrored = Some(Rc::clone(&shadow.name));
    let unsigned = shadow.internal_token.as_ref().map(|token| token.unsigned(host, ex));
    let (key, _) = shadow.stick(&**host, ex);
    let (method, until, repeatable) = (ex.method.clone(), ex.until(), passed.repeatable);
    let (mut headers, target, content) = (ex.headers.clone(), passed.target.clone(), Content::Kept(bytes.clone()));
    let (shadow, task_host) = (Rc::clone(shadow), Rc::clone(host));
    host.wait_until(Box::pin(async move {
        if let (Some(token), Some(unsigned)) = (&shadow.internal_token, unsigned)
            && token.add(&task_host, &unsigned, &mut headers).await.is_err()
        {
            return;
        }
        let request = Request {
            method: &method,
            target: &target,
            headers: &headers,
            // What the client sent is gone by then: all of it was seen ([`crate::interest`]).
            made_of: MadeOf::Nothing,
            content: &content,
            upgrade: false,
            whole: None,
            timeout: shadow.timeout,
            until,
            key,
            repeatable,
            why: Some("mirror"),
            attempts: RefCell::default(),
            may_be_done: Cell::new(false),
        };
        drop(shadow.send(&task_host, &request).await);
    }));
}
