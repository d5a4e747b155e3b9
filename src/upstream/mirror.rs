//! A copy of a request for another upstream, behind the answer: nobody waits for it, and whatever comes of it is let go.

use super::Upstream;
use super::proxy::{MOST_MIRRORED, Passed};
use super::request::{Content, Request};
use crate::exchange::Exchange;
use crate::host::{MadeOf, SharedHost};
use std::cell::{Cell, RefCell};
use std::rc::Rc;

/// How many copies for an upstream may be on their way from an instance: one that is slow must not fill its memory.
const MOST: u32 = 64;

/// A copy on its way, however that ends.
struct Copy(Rc<Cell<u32>>);

impl Copy {
    fn new(copies: &Rc<Cell<u32>>) -> Option<Copy> {
        (copies.get() < MOST).then(|| {
            copies.set(copies.get() + 1);
            Copy(Rc::clone(copies))
        })
    }
}

impl Drop for Copy {
    fn drop(&mut self) {
        self.0.set(self.0.get().saturating_sub(1));
    }
}

/// Begins to copy a request of one upstream for another one. One whose content is a stream, which goes once, is not copied,
/// nor is a handshake.
pub fn begin((own, shadow): (&Rc<Upstream>, &Rc<Upstream>), host: &SharedHost, ex: &mut Exchange, passed: &Passed) {
    let Content::Kept(bytes) = &passed.content else { return };
    if passed.upgrade || bytes.len() as u64 > MOST_MIRRORED {
        return;
    }
    let Some(copy) = Copy::new(&shadow.state.copies) else { return };
    ex.notes.mirrored = Some(Rc::clone(&shadow.name));
    let unsigned = shadow.internal_token.as_ref().map(|token| token.unsigned(host, ex));
    let (key, mut headers) = (shadow.seat(&**host, ex).key, ex.headers.clone());
    [own, shadow].into_iter().for_each(|upstream| upstream.hide(&mut headers));
    let (method, until, whole, repeatable) = (ex.method.clone(), ex.until(), ex.deadline(), passed.repeatable);
    let (target, content) = (passed.target.clone(), Content::Kept(bytes.clone()));
    let (shadow, task_host) = (Rc::clone(shadow), Rc::clone(host));
    host.wait_until(Box::pin(async move {
        let _on_its_way = copy;
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
            reads: None,
            timeout: shadow.timeout,
            until,
            whole,
            key,
            repeatable,
            why: Some("mirror"),
            attempts: RefCell::default(),
            may_be_done: Cell::new(false),
        };
        drop(shadow.send(&task_host, &request).await);
    }));
}
