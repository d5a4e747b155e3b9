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

/// Waits until all of some futures have come to their end. Gives back what they came to, in their order.
pub async fn all<T: Unpin>(mut tasks: Vec<Task<'_, T>>) -> Vec<T> {
    let mut done: Vec<Option<T>> = tasks.iter().map(|_| None).collect();
    poll_fn(|cx| {
        for (task, done) in tasks.iter_mut().zip(&mut done).filter(|(_, done)| done.is_none()) {
            if let Poll::Ready(value) = task.as_mut().poll(cx) {
                *done = Some(value);
            }
        }
        if done.iter().all(Option::is_some) { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
    done.into_iter().flatten().collect()
}
