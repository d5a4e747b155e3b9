//! Tasks that wait for several things at once.

use super::*;
use crate::host::Timestamp;
use std::future::poll_fn;

const SECOND: Duration = Duration::from_secs(1);

/// The operations that begin with a step, and what is let go before it.
struct Several {
    gone: Vec<String>,
    begun: Vec<Vec<String>>,
}

fn several(step: &[String]) -> Several {
    let (gone, step) = if step[0] == "X" { gone(step) } else { (Vec::new(), step.to_vec()) };
    assert_eq!(step[0], "M", "{step:?}");
    let mut rest = step[2..].to_vec();
    let mut begun = Vec::new();
    while !rest.is_empty() {
        let (operation, after) = counted(&rest, 1);
        begun.push(operation);
        rest = after;
    }
    assert_eq!(step[1], begun.len().to_string());
    Several { gone, begun }
}

/// What of an operation is told by the first line, with that of each.
fn ids(operations: &[Vec<String>]) -> Vec<String> {
    operations.iter().map(|operation| operation[1].clone()).collect()
}

type Boxed<'a, T> = Task<'a, T>;

/// All of them, in their order.
async fn all<T>(tasks: Vec<Boxed<'_, T>>) -> Vec<T> {
    let mut waiting: Vec<_> = tasks.into_iter().map(|task| (Some(task), None)).collect();
    poll_fn(|cx| {
        for (task, done) in &mut waiting {
            if let Some(Poll::Ready(value)) = task.as_mut().map(|task| task.as_mut().poll(cx)) {
                (*task, *done) = (None, Some(value));
            }
        }
        if waiting.iter().all(|(_, done)| done.is_some()) { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
    waiting.into_iter().filter_map(|(_, done)| done).collect()
}

/// The first of them, and the others, of which those after it were not polled since.
async fn first<'a, T>(tasks: Vec<Boxed<'a, T>>) -> (T, Vec<Boxed<'a, T>>) {
    let mut tasks = Some(tasks);
    poll_fn(|cx| {
        let mut waiting = tasks.take().unwrap_or_default();
        for at in 0..waiting.len() {
            if let Poll::Ready(value) = waiting[at].as_mut().poll(cx) {
                drop(waiting.remove(at));
                return Poll::Ready((value, waiting));
            }
        }
        tasks = Some(waiting);
        Poll::Pending
    })
    .await
}

async fn get_from(host: &WorkersHost, url: &str, made_of: MadeOf) -> Result<Response<Body>, HostError> {
    let request = Outgoing {
        method: Method::GET,
        url: url.to_owned(),
        headers: &HeaderMap::new(),
        made_of,
        body: Body::Empty,
        timeout: Duration::from_secs(5),
        upgrade: false,
        reads: None,
    };
    host.fetch(request).await
}

fn own<'a>(host: &'a WorkersHost, url: &'a str) -> Boxed<'a, Result<Response<Body>, HostError>> {
    Box::pin(get_from(host, url, MadeOf::Nothing))
}

/// The body of one's response.
fn content<'a>(host: &'a WorkersHost, url: &'a str) -> Boxed<'a, Result<Bytes, HostError>> {
    Box::pin(async move { host.collect(own(host, url).await?.into_body(), 100, SECOND).await })
}

#[wasm_bindgen_test]
fn all_begin_in_one_step_and_are_answered_in_any_order() {
    let step = task(async |host| all(vec![content(&host, "https://a.test/"), content(&host, "https://b.test/")]).await);
    let Several { gone, begun } = several(&step);
    assert_eq!(
        begun.iter().map(|begun| [&*begun[0], &*begun[3]]).collect::<Vec<_>>(),
        [["F", "https://a.test/"], ["F", "https://b.test/"]]
    );
    assert!(gone.is_empty());
    let [a, b] = [&begun[0], &begun[1]];
    // Bodies are read beside what is still under way.
    let read_b = several(&reply(b, &["R", "200", "1"])).begun.remove(0);
    assert_eq!(read_b[2..], [&b[1], "100", "1000"]);
    let read_a = several(&reply(a, &["R", "200", "1"])).begun.remove(0);
    assert_eq!(read_a[2..], [&a[1], "100", "1000"]);
    deliver(b"bb".to_vec());
    assert!(several(&reply(&read_b, &["B"])).begun.is_empty(), "it waits for the other");
    deliver(b"aa".to_vec());
    assert_eq!(said(&reply(&read_a, &["B"])), r#"[Ok(b"aa"), Ok(b"bb")]"#);
}

#[wasm_bindgen_test]
fn last_that_is_under_way_has_a_step_like_any_other() {
    let step = task(async |host| {
        all(vec![host.sleep(SECOND), host.sleep(SECOND)]).await;
        host.sleep(SECOND).await;
    });
    let Several { begun, .. } = several(&step);
    assert!(several(&reply(&begun[0], &["V", "0"])).begun.is_empty());
    let step = reply(&begun[1], &["V", "0"]);
    assert_eq!(step[0], "S");
    assert_eq!(said(&reply(&step, &["V", "0"])), "()");
}

#[wasm_bindgen_test]
fn failure_is_that_of_one() {
    let step = task(async |host| {
        let put: Task<'_, String> = Box::pin(async { format!("{:?}", host.put("S", "k", Bytes::new(), None).await) });
        let read: Task<'_, String> = Box::pin(async { format!("{:?}", host.get("S", "k").await) });
        all(vec![put, read]).await
    });
    let Several { begun, .. } = several(&step);
    several(&reply(&begun[0], &["E", "denied", "no"]));
    assert_eq!(said(&reply(&begun[1], &["V", "1", "v"])), r#"["Err(Denied(\"no\"))", "Ok(Some(b\"v\"))"]"#);
}

#[wasm_bindgen_test]
fn loser_is_let_go_before_anything_else() {
    let race = |url: &'static str| {
        spawn_step(async move |host| {
            let [one, other] = ["https://a.test/", url].map(|url| get_from(&host, url, MadeOf::Client));
            first(vec![Box::pin(one), Box::pin(other)]).await.0.expect("it answers")
        })
    };
    for (winner, loser) in [(0, 1), (1, 0)] {
        let Several { begun, .. } = several(&lines(&race("https://b.test/")));
        let (gone, answer) = gone(&reply(&begun[winner], &["R", "203", "1", "x-upstream", "1"]));
        assert_eq!(gone, [begun[loser][1].clone()]);
        assert_eq!(answer[..3], ["A", "203", &begun[winner][1]]);
        let changes = Changes::read(&answer[3..]);
        assert!(changes.from_what_came && changes.removed.is_empty() && changes.added.is_empty());
        // What comes of it later is nobody's.
        assert_eq!(reply(&begun[loser], &["R", "200", "1"])[..2], ["A", "503"]);
    }
}

#[wasm_bindgen_test]
fn answer_is_made_of_the_response_that_it_has() {
    let step = spawn_step(async |host| {
        let both = ["https://a.test/", "https://b.test/"].map(|url| get_from(&host, url, MadeOf::Client));
        let mut both: Vec<Result<Response<Body>, HostError>> =
            all(both.into_iter().map(|one| Box::pin(one) as Task<_>).collect()).await;
        both.swap_remove(0).expect("it answers")
    });
    let Several { begun, .. } = several(&lines(&step));
    several(&reply(&begun[0], &["R", "200", "1", "x-a", "1"]));
    let (gone, answer) = gone(&reply(&begun[1], &["R", "200", "1", "x-b", "1"]));
    assert_eq!(gone, [begun[1][1].clone()]);
    assert_eq!(answer[..3], ["A", "200", &begun[0][1]]);
    let changes = Changes::read(&answer[3..]);
    assert!(changes.from_what_came && changes.removed.is_empty() && changes.added.is_empty());
}

#[wasm_bindgen_test]
fn time_that_is_over_ends_what_it_was_for() {
    let step = task(async |host| {
        let slow: Task<'_, bool> = Box::pin(async { own(&host, "https://a.test/").await.is_ok() });
        let late: Task<'_, bool> = Box::pin(async {
            host.sleep(SECOND).await;
            false
        });
        let came = first(vec![slow, late]).await.0;
        (came, host.get("S", "k").await)
    });
    let Several { begun, .. } = several(&step);
    let (gone, step) = gone(&reply(&begun[1], &["V", "0"]));
    assert_eq!(gone, [begun[0][1].clone()]);
    assert_eq!(step[0], "G", "nothing else is under way");
    assert_eq!(said(&reply(&step, &["V", "0"])), "(false, Ok(None))");
}

#[wasm_bindgen_test]
fn what_is_given_up_before_it_was_said_is_not_said() {
    let step = task(async |host| {
        let now: Task<'_, ()> = Box::pin(std::future::ready(()));
        drop(first(vec![host.sleep(SECOND), now]).await);
        host.get("S", "k").await
    });
    assert_eq!(step[0], "G");
    assert_eq!(said(&reply(&step, &["V", "0"])), "Ok(None)");
}

#[wasm_bindgen_test]
fn future_may_be_dropped_while_its_reply_is_there() {
    let step = task(async |host| {
        let late: Task<'_, bool> = Box::pin(async {
            let until = host.now().0 + 5.0;
            poll_fn(|_| if host.now() >= Timestamp(until) { Poll::Ready(()) } else { Poll::Pending }).await;
            false
        });
        let slow: Task<'_, bool> = Box::pin(async { own(&host, "https://a.test/").await.is_ok() });
        let sleep: Task<'_, bool> = Box::pin(async {
            host.sleep(SECOND).await;
            true
        });
        first(vec![late, slow, sleep]).await.0
    });
    let Several { begun, .. } = several(&step);
    let (gone, answer) = gone(&reply(&begun[0], &["R", "200", "1"]));
    assert_eq!(gone, ids(&begun), "the response is let go, and the wait");
    assert_eq!(said(&answer), "false");
}

#[wasm_bindgen_test]
fn reply_is_kept_for_a_future_that_is_not_polled_at_once() {
    let step = task(async |host| {
        let until = host.now().0 + 5.0;
        let late: Task<'_, String> = Box::pin(async {
            poll_fn(|_| if host.now() >= Timestamp(until) { Poll::Ready(()) } else { Poll::Pending }).await;
            "late".to_owned()
        });
        let slow: Task<'_, String> = Box::pin(async { format!("{:?}", content(&host, "https://a.test/").await) });
        let (came, mut rest) = first(vec![late, slow]).await;
        host.sleep(SECOND).await;
        (came, rest.remove(0).await)
    });
    let fetch = step;
    assert_eq!(fetch[0], "F");
    let sleep = reply(&fetch, &["R", "200", "1"]);
    assert_eq!(sleep[0], "S");
    let read = reply(&sleep, &["V", "0"]);
    assert_eq!(read[..3], ["B", &read[1], &fetch[1]]);
    deliver(b"a".to_vec());
    assert_eq!(said(&reply(&read, &["B"])), r#"("late", "Ok(b\"a\")")"#);
}

#[wasm_bindgen_test]
fn response_that_nobody_has_is_let_go() {
    let step = task(async |host| {
        drop(own(&host, "https://a.test/").await);
        let kept = own(&host, "https://b.test/").await;
        let too_long = host.collect(kept.expect("it answers").into_body(), 3, SECOND).await;
        host.sleep(SECOND).await;
        too_long
    });
    let (first, second) = gone(&reply(&step, &["R", "200", "1"]));
    assert_eq!(first, [step[1].clone()]);
    let (gone, sleep) = gone(&reply(&second, &["R", "200", "1", "content-length", "4"]));
    assert_eq!(gone, [second[1].clone()]);
    assert_eq!(said(&reply(&sleep, &["V", "0"])), "Err(BodyTooLarge)");
}

#[wasm_bindgen_test]
fn reading_that_is_given_up_is_broken_off() {
    let step = task(async |host| {
        let body = own(&host, "https://a.test/").await.expect("it answers").into_body();
        let read: Task<'_, bool> = Box::pin(async { host.collect(body, 100, SECOND).await.is_ok() });
        let late: Task<'_, bool> = Box::pin(async {
            host.sleep(SECOND).await;
            false
        });
        first(vec![read, late]).await.0
    });
    let Several { begun, .. } = several(&reply(&step, &["R", "200", "1"]));
    assert_eq!([&begun[0][0], &begun[0][2]], ["B", &step[1]]);
    let (gone, answer) = gone(&reply(&begun[1], &["V", "0"]));
    assert_eq!(gone, [begun[0][1].clone()], "the body is read, or nobody's");
    assert_eq!(said(&answer), "false");
}

#[wasm_bindgen_test]
fn reply_that_cannot_be_read_lets_its_response_go() {
    let step = task(async |host| own(&host, "https://a.test/").await.is_err());
    let (gone, answer) = gone(&reply(&step, &["R", "7", "1"]));
    assert_eq!((gone, said(&answer)), (vec![step[1].clone()], "true".to_owned()));
}

#[wasm_bindgen_test]
fn bytes_go_with_their_operations() {
    let step = task(async |host| {
        let send = |content: &'static [u8]| -> Task<'_, bool> {
            let host = Rc::clone(&host);
            Box::pin(
                async move { fetch(&host, &HeaderMap::new(), Body::Bytes(Bytes::from_static(content))).await.is_ok() },
            )
        };
        all(vec![send(b"1"), send(b"2")]).await
    });
    let Several { begun, .. } = several(&step);
    let taken = |step: &[String]| body(step[1].parse().expect("it is a number"));
    assert_eq!((taken(&begun[1]), taken(&begun[0])), (b"2".to_vec(), b"1".to_vec()));
}

#[wasm_bindgen_test]
fn nothing_is_said_for_another_task() {
    let waiting = || WAITING.with(|all| all.borrow().len());
    let before = waiting();
    let forgotten = task(async |host| all(vec![host.sleep(SECOND), host.sleep(2 * SECOND)]).await.len());
    assert_eq!(waiting(), before + 2);
    // Long after: it is swept out, with all that it waited for.
    load_proxy("");
    for _ in 0..64 {
        let step = lines(&begin(NOW + 2_000.0 + GRACE_MS + 1.0, false, 0, "TRACE\nhttps://gw.test/\n1\n".to_owned()));
        assert!(!step.contains(&"X".to_owned()), "{step:?}");
    }
    assert!(waiting() <= before);
    assert_eq!(several(&forgotten).begun.len(), 2);
}
