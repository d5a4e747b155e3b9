//! Cloudflare Workers. The request path is driven by hand: `entry.js` calls [`begin`] with the request as one string,
//! gets back what to do (fetch this, read that key, answer now), does it with the platform's own objects, and calls
//! [`resume`] with the result as one string, until the answer. A task may wait for several things at once, and is resumed
//! with each. The core's futures are polled with a waker that does nothing, so no promise and no closure is made for an
//! `await`. `docs/platforms.md` says what that saves.
//!
//! The `worker` crate serves what is off that path: the bindings.

mod fields;
mod handle;
mod host;
mod talk;
mod wire;
mod zones;

#[cfg(test)]
mod tests;

use crate::config::document::{Binding, Sections};
use crate::config::json;
use crate::config::sorted::Sorted;
use crate::config::{Platform, document};
use crate::host::{Capabilities, SharedHost, Task};
use crate::instance::Instance;
use crate::interest::Interest;
use crate::meter::{self, Act, Ask, Count};
use fields::{Fields, Received};
use host::WorkersHost;
use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use talk::Arrived;
use wasm_bindgen::prelude::*;
use wire::Step;
use worker::Env;

thread_local! {
    /// One isolate runs one request at a time between two `await`s, so one of each is enough.
    static INSTANCE: RefCell<Option<Rc<Instance>>> = const { RefCell::new(None) };
    static HOST: Rc<WorkersHost> = Rc::default();
    /// What the tasks wait for, by the identifiers of the operations.
    static WAITING: RefCell<Sorted<u32, Waiting>> = const { RefCell::new(Sorted::new()) };
    /// What goes out beside steps, by the identifiers of the operations; the answer's under 0.
    static BYTES: RefCell<Sorted<u32, Vec<u8>>> = const { RefCell::new(Sorted::new()) };
    /// What the entry knows of the fields that the gateway has to see.
    static TOLD: RefCell<Option<Rc<Interest>>> = const { RefCell::new(None) };
    /// When forgotten operations were looked for last.
    static SWEPT: Cell<f64> = const { Cell::new(0.0) };
}

/// A request, or what goes on after one.
struct Running {
    /// None when it is done.
    future: RefCell<Option<Task<'static, Step>>>,
    /// The header section as it came in: what has not changed is not sent back.
    received: RefCell<Received>,
    /// Replies that it has not taken yet.
    left: RefCell<Vec<Arrived>>,
    /// How many operations are under way for it.
    open: Cell<usize>,
}

/// An operation that is under way.
struct Waiting {
    task: Rc<Running>,
    /// When it can only have been forgotten: its client went away, and the platform with it.
    gives_up: f64,
}

/// How long a task may outlive the longest of what it waits for: timers may be late.
const GRACE_MS: f64 = 10_000.0;

/// How often forgotten operations are looked for: until then, an upstream's target is taken to be busy with them.
const SWEEP_MS: f64 = 1_000.0;

/// Reads the configuration among the bindings. Called once for each isolate.
#[wasm_bindgen]
pub fn load(env: Env) {
    let mut mistakes = Vec::new();
    let keys = js_sys::Object::keys(env.unchecked_ref::<js_sys::Object>());
    let names = keys.iter().filter_map(|name| name.as_string());
    let bindings = names.filter(|name| document::section_of(name).is_some()).filter_map(|name| {
        let value = js_sys::Reflect::get(&env, &JsValue::from_str(&name)).ok()?;
        let binding = match value.as_string() {
            Some(text) => Binding::Text(text),
            None => Binding::Value(json::parse(&String::from(js_sys::JSON::stringify(&value).ok()?)).ok()?),
        };
        Some((name, binding))
    });
    let sections = Sections::from_bindings(bindings, &mut mistakes);
    let instance = Instance::new(Capabilities::of(Platform::Cloudflare), sections, mistakes);
    INSTANCE.with(|slot| *slot.borrow_mut() = Some(instance));
    HOST.with(|host| host.bind(env));
}

/// Begins a request. Gives back the first step.
#[wasm_bindgen]
pub fn begin(now: f64, has_body: bool, headers_size: u32, request: String) -> String {
    let host = HOST.with(Rc::clone);
    let Some(instance) = INSTANCE.with(|slot| slot.borrow().clone()) else { return wire::unavailable() };
    let Some((incoming, fields)) = wire::incoming(request, has_body, headers_size as usize) else {
        return wire::unavailable();
    };
    host.set_time(now);
    sweep(now);
    let shared: SharedHost = host.clone();
    let future = Box::pin(async move { Step::Answer(instance.handle(shared, incoming).await) });
    advance(&host, Running::new(future, fields), None)
}

/// Begins what is done on a schedule. Gives back the first step.
#[wasm_bindgen]
pub fn schedule(now: f64) -> String {
    let host = HOST.with(Rc::clone);
    let Some(instance) = INSTANCE.with(|slot| slot.borrow().clone()) else { return wire::DONE.to_owned() };
    host.set_time(now);
    let shared: SharedHost = host.clone();
    let future = Box::pin(async move {
        instance.check(shared).await;
        Step::Done
    });
    advance(&host, Running::new(future, Fields::default()), None)
}

/// Goes on with what waited for this operation. Gives back the next step.
#[wasm_bindgen]
pub fn resume(id: u32, now: f64, reply: String) -> String {
    let host = HOST.with(Rc::clone);
    host.set_time(now);
    let reply = host.talk.arrived(id, reply);
    match over(id) {
        Some(task) => advance(&host, task, Some(reply)),
        None => wire::unavailable(),
    }
}

/// The bytes that belong to this operation, or, for 0, to the answer. Asked for once, right after the step.
#[wasm_bindgen]
pub fn body(id: u32) -> Vec<u8> {
    BYTES.with(|bytes| bytes.borrow_mut().remove(&id)).unwrap_or_default()
}

/// Bytes that the next reply is about. Several pieces are one after the other.
#[wasm_bindgen]
pub fn deliver(piece: Vec<u8>) {
    HOST.with(|host| host.talk.deliver(piece));
}

/// Decides for the Durable Object of a counter: the answer, for how many milliseconds the state says anything, and the
/// state, where there is one. Nothing for a question that cannot be read.
#[wasm_bindgen]
pub fn decide(state: Option<String>, ask: &str, now: f64) -> Option<String> {
    // A time that is none is 0.
    let decision = meter::decide(state.as_deref(), ask, now as u64)?;
    let mut lines = decision.answer.line();
    wire::push_number(&mut lines, decision.keep_ms);
    if let Some(state) = decision.state {
        wire::push(&mut lines, &state);
    }
    Some(lines)
}

/// What to ask of a counter whose answer came when nobody waited for it any more, so that what it gave is not lost.
/// Nothing where it gave nothing.
#[wasm_bindgen(js_name = givingBack)]
pub fn giving_back(ask: &str, answer: &str) -> Option<String> {
    let Ask { act: Act::Take { .. }, meter } = Ask::parse(ask)? else { return None };
    let Count { taken: amount @ 1.., stamp, .. } = Count::parse(answer)? else { return None };
    Some(Ask { act: Act::Return { amount, stamp }, meter }.line())
}

impl Running {
    fn new(future: Task<'static, Step>, fields: Fields) -> Rc<Running> {
        Rc::new(Running {
            future: RefCell::new(Some(future)),
            received: RefCell::new(Received { fields, watched: false }),
            left: RefCell::default(),
            open: Cell::new(0),
        })
    }

    fn poll(&self) -> Poll<Step> {
        let mut future = self.future.borrow_mut();
        let Some(task) = future.as_mut() else { return Poll::Pending };
        let polled = task.as_mut().poll(&mut Context::from_waker(Waker::noop()));
        if polled.is_ready() {
            *future = None;
        }
        polled
    }
}

/// Polls a task once: either it answers, or it says what it waits for beside what is under way for it.
fn advance(host: &Rc<WorkersHost>, task: Rc<Running>, reply: Option<Arrived>) -> String {
    host.enter(task.received.take());
    host.talk.enter(task.left.take(), reply);
    let polled = task.poll();
    let (received, later) = host.leave();
    let answer = match polled {
        Poll::Ready(Step::Answer(response)) => {
            let (text, bytes) = wire::answer(response, received.watched);
            keep(0, bytes);
            Some(text)
        }
        Poll::Ready(Step::Done) => Some(wire::DONE.to_owned()),
        Poll::Pending => {
            *task.received.borrow_mut() = received;
            *task.left.borrow_mut() = host.talk.left();
            None
        }
    };
    let gone = host.talk.gone();
    gone.iter().for_each(|id| drop(over(*id)));
    let mut step = answer.unwrap_or_else(|| wait(host, &task));
    if let Some(news) = news() {
        step = news + &step;
    }
    step = later.into_iter().fold(step, |step, task| format!("{}{step}", spawn(host, task)));
    if gone.is_empty() { step } else { wire::gone(&gone, &step) }
}

/// Puts down what a task has begun to wait for. Gives back the step that says so.
fn wait(host: &Rc<WorkersHost>, task: &Rc<Running>) -> String {
    let mut wanted = host.talk.wanted();
    let before = task.open.get();
    task.open.set(before + wanted.len());
    for wanted in &mut *wanted {
        let waiting = Waiting { task: Rc::clone(task), gives_up: host.time().0 + wanted.longest_ms + GRACE_MS };
        WAITING.with(|all| all.borrow_mut().insert(wanted.id, waiting));
        keep(wanted.id, wanted.bytes.take());
    }
    match (before, wanted.len()) {
        (0, 0) => wire::unavailable(),
        (0, 1) => wanted.pop().map_or_else(wire::unavailable, |wanted| wanted.text),
        _ => wire::several(&mut wanted),
    }
}

/// An operation is not under way any more. Gives back the task that it was for.
fn over(id: u32) -> Option<Rc<Running>> {
    let Waiting { task, .. } = WAITING.with(|all| all.borrow_mut().remove(&id))?;
    task.open.set(task.open.get().saturating_sub(1));
    Some(task)
}

/// Keeps what [`body`] will be asked for.
fn keep(id: u32, bytes: Option<Vec<u8>>) {
    if let Some(bytes) = bytes {
        BYTES.with(|kept| kept.borrow_mut().insert(id, bytes));
    }
}

/// What the entry has to be told of header fields: something only after a configuration was loaded.
fn news() -> Option<String> {
    let interest = INSTANCE.with(|slot| slot.borrow().as_ref()?.interest())?;
    let known = TOLD.with(|told| told.replace(Some(Rc::clone(&interest))));
    let changed = known.is_none_or(|known| !Rc::ptr_eq(&known, &interest));
    changed.then(|| wire::interest(&interest))
}

/// Begins what goes on after a response. Gives back its first step, for the entry to go on with.
fn spawn(host: &Rc<WorkersHost>, task: Task<'static, ()>) -> String {
    let future = Box::pin(async move {
        task.await;
        Step::Done
    });
    wire::later(&advance(host, Running::new(future, Fields::default()), None))
}

/// Forgets operations that nobody will tell of, now and then, and so the tasks that wait for nothing else.
fn sweep(now: f64) {
    if (now - SWEPT.get()).abs() >= SWEEP_MS {
        SWEPT.set(now);
        let is_dead = |(id, waiting): (&u32, &Waiting)| (waiting.gives_up < now).then_some(*id);
        let dead: Vec<u32> = WAITING.with(|all| all.borrow().iter().filter_map(is_dead).collect());
        dead.into_iter().for_each(|id| drop(over(id)));
    }
}
