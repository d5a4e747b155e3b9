//! What clients of the memory host do beside asking: they take their time over an answer, or go away.

use crate::host::{Task, Watch};
use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::rc::Rc;
use std::task::Poll;
use std::time::Duration;

/// What clients do with what they are sent from now on.
#[derive(Debug, Default)]
pub struct Client {
    /// Whether the client goes away while an upstream is asked.
    pub leaves: Cell<bool>,
    /// Whether answers that begin now go on.
    pub takes_time: Cell<bool>,
    /// Answers that go on, as long as theirs is true.
    going_on: RefCell<Vec<Rc<Cell<bool>>>>,
}

impl Client {
    /// All answers that go on come to their end.
    pub fn finish(&self) {
        self.going_on.borrow_mut().drain(..).for_each(|one| one.set(false));
    }

    /// Watches a body that is sent now, by this clock.
    pub fn watch(&self, now: Rc<Cell<f64>>) -> Box<dyn Watch> {
        let going_on = Rc::new(Cell::new(self.takes_time.get()));
        if going_on.get() {
            self.going_on.borrow_mut().push(Rc::clone(&going_on));
        }
        Box::new(Sending { going_on, now })
    }
}

/// An answer on its way.
struct Sending {
    going_on: Rc<Cell<bool>>,
    now: Rc<Cell<f64>>,
}

impl Watch for Sending {
    fn ended(&self, longest: Duration) -> Task<'_, bool> {
        let until = self.now.get() + longest.as_secs_f64() * 1000.0;
        Box::pin(poll_fn(move |_| match self.going_on.get() {
            true if self.now.get() < until => Poll::Pending,
            going_on => Poll::Ready(!going_on),
        }))
    }
}
