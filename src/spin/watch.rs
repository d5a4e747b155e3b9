//! The end of a body on its way to a client. The host tells when it has taken a body from the component, and not when it
//! has sent it; so a stream that is watched is copied through the component, and whoever waits knows when the copy is
//! over.

use super::host::within;
use super::message::Stream;
use crate::body::Body;
use crate::host::{Task, Watch};
use std::cell::RefCell;
use std::future::poll_fn;
use std::rc::Rc;
use std::task::{Poll, Waker};
use std::time::Duration;

/// Goes with a body. When it is dropped, the body is over.
pub struct Over(Rc<RefCell<State>>);

#[derive(Default)]
struct State {
    over: bool,
    waiting: Option<Waker>,
}

/// Waits until a body is over.
struct Watched(Rc<RefCell<State>>);

/// A body whose end is seen. One that is no stream is in the host's hands when it is there.
pub fn watched(mut body: Body) -> (Body, Box<dyn Watch>) {
    let state = Rc::default();
    let over = Over(Rc::clone(&state));
    if let Body::Host(body) = &mut body
        && let Some(stream) = body.handle.downcast_mut::<Stream>()
    {
        stream.watchers.push(over);
    }
    (body, Box::new(Watched(state)))
}

impl Drop for Over {
    fn drop(&mut self) {
        let mut state = self.0.borrow_mut();
        state.over = true;
        if let Some(waker) = state.waiting.take() {
            waker.wake();
        }
    }
}

impl Watch for Watched {
    fn ended(&self, longest: Duration) -> Task<'_, bool> {
        Box::pin(async move {
            let over = poll_fn(|cx| {
                let mut state = self.0.borrow_mut();
                if state.over {
                    return Poll::Ready(());
                }
                state.waiting = Some(cx.waker().clone());
                Poll::Pending
            });
            within(longest, over).await.is_some()
        })
    }
}
