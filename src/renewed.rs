//! Something that is fetched once for all requests of an instance, and again before it is too old.
//!
//! Whoever finds it missing begins to fetch it, behind the requests, and everybody who needs it waits for that one
//! fetch. Nobody waits on another request's promise, which Workers would not allow: one looks again after a moment.
//! When an instance ends, what is lost is the time to fetch it again.

use crate::host::{SharedHost, Timestamp};
use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

/// A value and how old it is.
pub struct Renewed<T> {
    held: RefCell<Option<Held<T>>>,
    /// Which fetch it came from.
    from: Cell<u64>,
    /// The fetch that is under way.
    under_way: Cell<Option<Fetch>>,
    /// How many fetches have begun.
    begun: Cell<u64>,
    /// When the last fetch began.
    tried: Cell<Option<Timestamp>>,
}

#[derive(Clone, Copy)]
struct Fetch {
    number: u64,
    /// When it has to be over; one that is not was forgotten, with the request behind which it went on.
    until: Timestamp,
}

/// A value that was fetched.
pub struct Held<T> {
    pub value: Rc<T>,
    /// When its fetch began, by whichever instance: nothing in it is older.
    pub since: Timestamp,
}

impl<T> Clone for Held<T> {
    fn clone(&self) -> Held<T> {
        Held { value: Rc::clone(&self.value), since: self.since }
    }
}

/// The first and the longest pause between two looks, in milliseconds.
const PAUSES: (u64, u64) = (1, 32);

impl<T> Default for Renewed<T> {
    fn default() -> Renewed<T> {
        Renewed {
            held: RefCell::new(None),
            from: Cell::new(0),
            under_way: Cell::new(None),
            begun: Cell::new(0),
            tried: Cell::new(None),
        }
    }
}

impl<T: 'static> Renewed<T> {
    /// What is there, however old.
    pub fn held(&self) -> Option<Held<T>> {
        self.held.borrow().clone()
    }

    /// Milliseconds since the last fetch began; infinitely many before the first.
    pub fn since_tried(&self, now: Timestamp) -> f64 {
        self.tried.get().map_or(f64::INFINITY, |tried| now.since(tried))
    }

    /// Begins to fetch it, unless that is under way: `longest` is how long `task` may take. A task that comes to nothing
    /// leaves what is there.
    pub fn begin(
        self: &Rc<Self>,
        host: &SharedHost,
        longest: Duration,
        task: impl Future<Output = Option<Held<T>>> + 'static,
    ) {
        let now = host.now();
        if self.is_under_way(now) {
            return;
        }
        let number = self.begun.get() + 1;
        let until = Timestamp(now.0 + longest.as_secs_f64() * 1000.0);
        self.begun.set(number);
        self.under_way.set(Some(Fetch { number, until }));
        self.tried.set(Some(now));
        let cell = Rc::clone(self);
        host.wait_until(Box::pin(async move {
            let fetched = task.await;
            cell.end(number, fetched);
        }));
    }

    /// A fetch that was given up may end all the same: it must neither end the one that took its place, nor put what it
    /// has in the place of what came from a later one.
    fn end(&self, number: u64, fetched: Option<Held<T>>) {
        if let Some(fetched) = fetched
            && number > self.from.get()
        {
            *self.held.borrow_mut() = Some(fetched);
            self.from.set(number);
        }
        if self.under_way.get().is_some_and(|fetch| fetch.number == number) {
            self.under_way.set(None);
        }
    }

    /// Waits until no fetch is under way, but not for longer than `most`.
    pub async fn settled(&self, host: &SharedHost, most: Duration) {
        let begun = host.now();
        let mut pause = PAUSES.0;
        loop {
            let now = host.now();
            if !self.is_under_way(now) || now.since(begun) >= most.as_secs_f64() * 1000.0 {
                return;
            }
            host.sleep(Duration::from_millis(pause)).await;
            pause = (pause * 2).min(PAUSES.1);
        }
    }

    fn is_under_way(&self, now: Timestamp) -> bool {
        self.under_way.get().is_some_and(|fetch| now < fetch.until)
    }
}

// What they are made of is there on this machine only.
#[cfg(not(target_family = "wasm"))]
#[cfg(test)]
mod tests {
    use super::*;
    use crate::body::Body;
    use crate::host::Host;
    use crate::memory::{Answer, MemoryHost};
    use http::Response;
    use std::future::poll_fn;
    use std::task::{Context, Poll, Waker};

    /// A host that keeps what goes on behind requests, so that a test can have it end in any order.
    fn host() -> Rc<MemoryHost> {
        Rc::new(MemoryHost::new(|_| Answer { after: Duration::ZERO, result: Ok(Response::new(Body::Empty)) }))
    }

    #[test]
    fn a_fetch_that_was_overtaken_brings_nothing_back() {
        let host = host();
        let shared: SharedHost = host.clone();
        let cell: Rc<Renewed<&str>> = Rc::default();
        let released = Rc::new(Cell::new(false));
        let slow = Rc::clone(&released);
        let held = |value| Some(Held { value: Rc::new(value), since: Timestamp(0.0) });
        cell.begin(&shared, Duration::from_secs(1), async move {
            poll_fn(|_| if slow.get() { Poll::Ready(()) } else { Poll::Pending }).await;
            held("old")
        });
        let mut first = host.take_later().pop().expect("it has begun");
        let mut cx = Context::from_waker(Waker::noop());
        assert!(first.as_mut().poll(&mut cx).is_pending());
        host.advance(Duration::from_secs(2));
        cell.begin(&shared, Duration::from_secs(1), async move { held("new") });
        released.set(true);
        let mut second = host.take_later().pop().expect("the first one was given up");
        assert!(second.as_mut().poll(&mut cx).is_ready());
        assert!(first.as_mut().poll(&mut cx).is_ready());
        assert_eq!(cell.held().map(|held| *held.value), Some("new"));
    }

    #[test]
    fn a_fetch_that_was_given_up_is_still_good_while_there_is_no_newer_one() {
        let host = host();
        let shared: SharedHost = host.clone();
        let cell: Rc<Renewed<&str>> = Rc::default();
        cell.begin(&shared, Duration::from_secs(1), async {
            Some(Held { value: Rc::new("late"), since: Timestamp(0.0) })
        });
        let mut first = host.take_later().pop().expect("it has begun");
        host.advance(Duration::from_secs(2));
        cell.begin(&shared, Duration::from_secs(1), async { None });
        assert!(first.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_ready());
        assert_eq!(cell.held().map(|held| *held.value), Some("late"));
        assert!(cell.is_under_way(host.now()), "the second one is");
    }

    #[test]
    fn fetch_that_was_given_up_takes_nobodys_place() {
        let cell = Renewed::default();
        let held = |value: &'static str| Some(Held { value: Rc::new(value), since: Timestamp::default() });
        let value = || cell.held().map(|held| *held.value);
        cell.under_way.set(Some(Fetch { number: 2, until: Timestamp(10.0) }));
        cell.end(1, held("late, and better than nothing"));
        assert_eq!(value(), Some("late, and better than nothing"));
        assert!(cell.is_under_way(Timestamp(9.0)));
        cell.end(2, held("of now"));
        assert!(!cell.is_under_way(Timestamp(9.0)));
        cell.end(1, held("of before"));
        cell.end(3, None);
        assert_eq!(value(), Some("of now"));
    }
}
