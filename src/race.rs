//! Several things at once, in one task: plain futures of this thread, each polled when the task is.

use crate::host::Task;
use std::future::poll_fn;
use std::task::Poll;

/// Which of two came first, with what the other one is.
pub enum First<'a, A, B> {
    One(A, Task<'a, B>),
    Other(Task<'a, A>, B),
}

/// Waits until one of two futures has come to its end.
pub async fn first<'a, A, B>(one: Task<'a, A>, other: Task<'a, B>) -> First<'a, A, B> {
    let mut both = Some((one, other));
    poll_fn(move |cx| {
        let Some((mut one, mut other)) = both.take() else { return Poll::Pending };
        if let Poll::Ready(value) = one.as_mut().poll(cx) {
            return Poll::Ready(First::One(value, other));
        }
        if let Poll::Ready(value) = other.as_mut().poll(cx) {
            return Poll::Ready(First::Other(one, value));
        }
        both = Some((one, other));
        Poll::Pending
    })
    .await
}

/// Waits until all of some futures have come to their end, of which so many are under way at the same time. Gives back what
/// they came to, in their order.
pub async fn all<T: Unpin>(tasks: Vec<Task<'_, T>>, at_once: usize) -> Vec<T> {
    let mut done: Vec<Option<T>> = tasks.iter().map(|_| None).collect();
    let mut waiting = tasks.into_iter().enumerate();
    let mut running: Vec<(usize, Task<'_, T>)> = Vec::new();
    poll_fn(|cx| {
        loop {
            running.extend(waiting.by_ref().take(at_once.max(1).saturating_sub(running.len())));
            let before = running.len();
            running.retain_mut(|(at, task)| {
                let Poll::Ready(value) = task.as_mut().poll(cx) else { return true };
                if let Some(done) = done.get_mut(*at) {
                    *done = Some(value);
                }
                false
            });
            match (running.is_empty(), waiting.len()) {
                (true, 0) => return Poll::Ready(()),
                // Others take the place of those that have come to their end.
                (_, 1..) if running.len() < before => {}
                _ => return Poll::Pending,
            }
        }
    })
    .await;
    done.into_iter().flatten().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::{Cell, RefCell};
    use std::task::{Context, Waker};

    /// Comes to its end when it has been polled so many times.
    async fn after(mut polls: u32) {
        poll_fn(|_| {
            polls = polls.saturating_sub(1);
            if polls == 0 { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
    }

    #[test]
    fn so_many_are_under_way_and_answers_keep_their_order() {
        let (running, most, begun) = (Cell::new(0), Cell::new(0), RefCell::new(Vec::new()));
        for at_once in [0, 1, 2, 3, 9] {
            most.set(0);
            begun.borrow_mut().clear();
            let task = |at: u32| -> Task<'_, u32> {
                let (running, most, begun) = (&running, &most, &begun);
                Box::pin(async move {
                    begun.borrow_mut().push(at);
                    running.set(running.get() + 1);
                    most.set(running.get().max(most.get()));
                    after(5 - at).await;
                    running.set(running.get() - 1);
                    at
                })
            };
            let mut whole = Box::pin(all((0..5).map(task).collect(), at_once));
            let mut cx = Context::from_waker(Waker::noop());
            let answers = (0..30).find_map(|_| match whole.as_mut().poll(&mut cx) {
                Poll::Ready(answers) => Some(answers),
                Poll::Pending => None,
            });
            assert_eq!(answers, Some(vec![0, 1, 2, 3, 4]), "{at_once}");
            assert_eq!(most.get(), at_once.clamp(1, 5), "{at_once}");
            assert_eq!(*begun.borrow(), [0, 1, 2, 3, 4], "{at_once}");
        }
    }

    #[test]
    fn nothing_is_done_at_once() {
        let mut none = Box::pin(all(Vec::<Task<'_, u8>>::new(), 3));
        assert!(
            matches!(none.as_mut().poll(&mut Context::from_waker(Waker::noop())), Poll::Ready(done) if done.is_empty())
        );
    }
}
