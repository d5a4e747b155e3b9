//! Time in memory: it moves when everybody waits, to the moment for which the first of them waits. So what a request does
//! at once takes as long as the longest of it, as on a platform, and what it does one after the other takes the sum.
//!
//! A future is polled in rounds ([`finish`]). In one round everybody who waits says until when, and in the next the clock
//! moves once: whoever was waited for goes on, and may begin something else before it moves again.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::pin::pin;
use std::rc::Rc;
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

thread_local! {
    /// Which round it is, of all on this thread.
    static ROUND: Cell<u64> = const { Cell::new(0) };
}

/// A clock that is moved.
pub struct Clock {
    /// Milliseconds since 1970.
    now: Rc<Cell<f64>>,
    /// Until when somebody waits, and since which round.
    waiting: RefCell<BTreeMap<u64, (f64, u64)>>,
    next: Cell<u64>,
    /// In which round it was moved last.
    moved: Cell<u64>,
}

/// Somebody who waits. Who is let go waits no more.
struct Waiting<'a> {
    clock: &'a Clock,
    id: u64,
    until: f64,
}

impl Clock {
    pub fn new(now: f64) -> Clock {
        Clock { now: Rc::new(Cell::new(now)), waiting: RefCell::default(), next: Cell::new(0), moved: Cell::new(0) }
    }

    /// Milliseconds since 1970.
    pub fn now(&self) -> f64 {
        self.now.get()
    }

    /// The hands of the clock, for whoever only looks at them.
    pub fn shared(&self) -> Rc<Cell<f64>> {
        Rc::clone(&self.now)
    }

    pub fn set(&self, now: f64) {
        self.now.set(now);
    }

    pub fn advance(&self, duration: Duration) {
        self.now.set(self.after(duration));
    }

    /// The time after a while.
    pub fn after(&self, duration: Duration) -> f64 {
        self.now.get() + duration.as_secs_f64() * 1000.0
    }

    /// Waits, and moves the clock where nobody waits for anything earlier.
    pub fn wait(&self, duration: Duration) -> impl Future<Output = ()> + '_ {
        let until = self.after(duration);
        let id = self.next.replace(self.next.get() + 1);
        let waiting = Waiting { clock: self, id, until };
        std::future::poll_fn(move |cx| waiting.poll(cx))
    }
}

impl Waiting<'_> {
    fn poll(&self, cx: &mut Context<'_>) -> Poll<()> {
        let Waiting { clock, id, until } = self;
        if clock.now() < *until && self.is_next() {
            clock.moved.set(ROUND.get());
            clock.set(*until);
        }
        if clock.now() >= *until {
            return Poll::Ready(());
        }
        clock.waiting.borrow_mut().entry(*id).or_insert((*until, ROUND.get()));
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    /// Whether the clock may move to when this one waits for.
    fn is_next(&self) -> bool {
        let waiting = self.clock.waiting.borrow();
        let Some((_, since)) = waiting.get(&self.id) else { return false };
        let first = waiting.iter().min_by(|(_, (a, _)), (_, (b, _))| a.total_cmp(b)).map(|(id, _)| *id);
        let round = ROUND.get();
        *since < round && self.clock.moved.get() < round && first == Some(self.id)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.clock.waiting.borrow_mut().remove(&self.id);
    }
}

/// Somebody who waits for a moment wants to be polled again.
#[derive(Default)]
struct Again(std::sync::atomic::AtomicBool);

impl Wake for Again {
    fn wake(self: std::sync::Arc<Self>) {
        self.0.store(true, std::sync::atomic::Ordering::Relaxed);
    }
}

/// Runs a future of this host to its end. `None` for one that waits for something no memory host has.
pub fn finish<T>(future: impl Future<Output = T>) -> Option<T> {
    let mut future = pin!(future);
    loop {
        ROUND.set(ROUND.get() + 1);
        let again = std::sync::Arc::new(Again::default());
        let waker = Waker::from(std::sync::Arc::clone(&again));
        match future.as_mut().poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(value) => return Some(value),
            Poll::Pending if again.0.load(std::sync::atomic::Ordering::Relaxed) => {}
            Poll::Pending => return None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::future::poll_fn;
    use std::pin::Pin;

    /// Polls all of them, until all are at their end.
    async fn all(mut futures: Vec<Pin<Box<dyn Future<Output = ()> + '_>>>) {
        poll_fn(|cx| {
            futures.retain_mut(|future| future.as_mut().poll(cx).is_pending());
            if futures.is_empty() { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
    }

    fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    #[test]
    fn what_happens_at_once_takes_as_long_as_the_longest() {
        let clock = Clock::new(0.0);
        let ended = RefCell::new(Vec::new());
        let step = |name: &'static str, times: &'static [u64]| {
            let (clock, ended) = (&clock, &ended);
            Box::pin(async move {
                for time in times {
                    clock.wait(ms(*time)).await;
                    ended.borrow_mut().push((name, clock.now()));
                }
            }) as Pin<Box<dyn Future<Output = ()>>>
        };
        // In whichever order they are polled.
        assert!(finish(all(vec![step("b", &[100]), step("a", &[10, 20, 200])])).is_some());
        assert_eq!(ended.take(), [("a", 10.0), ("a", 30.0), ("b", 100.0), ("a", 230.0)]);
    }

    #[test]
    fn whoever_is_let_go_is_not_waited_for() {
        let clock = Clock::new(0.0);
        let mut short = Box::pin(clock.wait(ms(10)));
        let mut long = Box::pin(clock.wait(ms(50)));
        let waited = finish(async {
            let mut polled = 0;
            poll_fn(|cx| {
                polled += 1;
                let _ = short.as_mut().poll(cx);
                let _ = long.as_mut().poll(cx);
                Poll::Ready(())
            })
            .await;
            drop(short);
            long.await;
            polled
        });
        assert_eq!((waited, clock.now()), (Some(1), 50.0));
    }
}
