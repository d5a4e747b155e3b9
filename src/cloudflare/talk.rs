//! What the task that is polled says to `entry.js`, and what it hears. Any number of operations may be under way for it,
//! each with an identifier that no other one of this instance has. Whoever lets a future go lets its operation go, too.

use super::wire::{self, Reply, Wanted};
use crate::host::HostError;
use std::cell::{Cell, RefCell};
use std::pin::Pin;
use std::task::{Context, Poll};

#[derive(Default)]
pub struct Talk {
    last: Cell<u32>,
    /// What came in ahead of a reply.
    delivered: RefCell<Vec<u8>>,
    /// Replies that nobody has taken yet: the one that the task is polled for, and those for futures that were not polled
    /// since.
    arrived: RefCell<Vec<Arrived>>,
    wanted: RefCell<Vec<Wanted>>,
    gone: RefCell<Vec<u32>>,
}

/// A reply, and the bytes that came ahead of it.
pub struct Arrived {
    pub id: u32,
    pub text: String,
    pub bytes: Vec<u8>,
}

/// Waits for the reply to an operation.
pub struct Ask<'a> {
    talk: &'a Talk,
    /// 0 when it has one.
    id: u32,
}

impl Talk {
    /// An identifier. It is never 0.
    pub fn number(&self) -> u32 {
        let next = self.last.get().wrapping_add(1).max(1);
        self.last.set(next);
        next
    }

    /// Takes a piece of what the next reply is about.
    pub fn deliver(&self, piece: Vec<u8>) {
        let mut delivered = self.delivered.borrow_mut();
        if delivered.is_empty() { *delivered = piece } else { delivered.extend(piece) }
    }

    /// A reply, with what was delivered.
    pub fn arrived(&self, id: u32, text: String) -> Arrived {
        Arrived { id, text, bytes: self.delivered.take() }
    }

    /// Sets up what a task hears: what it has left, and what is new. Nothing of another task's is said for it.
    pub fn enter(&self, left: Vec<Arrived>, new: Option<Arrived>) {
        self.wanted.borrow_mut().clear();
        self.gone.borrow_mut().clear();
        let mut arrived = self.arrived.borrow_mut();
        arrived.clear();
        arrived.extend(left);
        arrived.extend(new);
    }

    /// Says what is wanted. The future is to be waited for by the task that is polled.
    pub fn ask(&self, wanted: Wanted) -> Ask<'_> {
        let id = wanted.id;
        self.wanted.borrow_mut().push(wanted);
        Ask { talk: self, id }
    }

    /// What the task wants since it was entered.
    pub fn wanted(&self) -> std::cell::RefMut<'_, Vec<Wanted>> {
        self.wanted.borrow_mut()
    }

    /// The operations and responses that it has let go since.
    pub fn gone(&self) -> Vec<u32> {
        self.gone.take()
    }

    /// The replies that it has not taken.
    pub fn left(&self) -> Vec<Arrived> {
        self.arrived.borrow_mut().drain(..).collect()
    }

    /// An operation that nobody waits for any more, or a response that nobody has.
    pub fn let_go(&self, id: u32) {
        self.arrived.borrow_mut().retain(|reply| reply.id != id);
        let mut wanted = self.wanted.borrow_mut();
        let before = wanted.len();
        wanted.retain(|wanted| wanted.id != id);
        if wanted.len() == before {
            self.gone.borrow_mut().push(id);
        }
    }

    fn take(&self, id: u32) -> Option<Arrived> {
        let mut arrived = self.arrived.borrow_mut();
        let position = arrived.iter().position(|reply| reply.id == id)?;
        Some(arrived.swap_remove(position))
    }
}

impl Future for Ask<'_> {
    type Output = Reply;

    fn poll(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Reply> {
        let Some(arrived) = self.talk.take(self.id) else { return Poll::Pending };
        let id = std::mem::take(&mut self.id);
        let reply = wire::reply(arrived);
        Poll::Ready(reply.unwrap_or_else(|| {
            // It may be that of a response.
            self.talk.let_go(id);
            Reply::Failed(HostError::Other("a reply that cannot be read".to_owned()))
        }))
    }
}

impl Drop for Ask<'_> {
    fn drop(&mut self) {
        if self.id != 0 {
            self.talk.let_go(self.id);
        }
    }
}
