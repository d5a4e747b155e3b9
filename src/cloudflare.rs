//! Cloudflare Workers. The request path is driven by hand: `entry.js` calls [`begin`] with the request as one string,
//! gets back what to do (fetch this, read that key, answer now), does it with the platform's own objects, and calls
//! [`resume`] with the result as one string, until the answer. The core's futures are polled with a waker that does
//! nothing, so no promise and no closure is made for an `await`. `docs/platforms.md` says what that saves.
//!
//! The `worker` crate serves what is off that path: the bindings.

mod fields;
mod host;
mod wire;
mod zones;

#[cfg(test)]
mod tests;

use crate::config::document::{Binding, Sections};
use crate::config::json;
use crate::config::{Platform, document};
use crate::host::{Capabilities, SharedHost, Task};
use crate::instance::Instance;
use crate::interest::Interest;
use crate::meter::{self, Act, Ask, Count};
use fields::Received;
use host::WorkersHost;
use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use wasm_bindgen::prelude::*;
use wire::Step;
use worker::Env;

thread_local! {
    /// One isolate runs one request at a time between two `await`s, so one of each is enough.
    static INSTANCE: RefCell<Option<Rc<Instance>>> = const { RefCell::new(None) };
    static HOST: Rc<WorkersHost> = Rc::default();
    static TASKS: RefCell<Tasks> = RefCell::default();
    /// What goes out beside steps, by the identifiers of their tasks; the answer's under 0.
    static BYTES: RefCell<BTreeMap<u32, Vec<u8>>> = const { RefCell::new(BTreeMap::new()) };
    /// What the entry knows of the fields that the gateway has to see.
    static TOLD: RefCell<Option<Rc<Interest>>> = const { RefCell::new(None) };
    static BEGUN: Cell<u32> = const { Cell::new(0) };
}

/// What has begun and is waiting for the platform.
#[derive(Default)]
struct Tasks {
    last: u32,
    waiting: BTreeMap<u32, Waiting>,
}

/// A request, or what goes on after one.
struct Waiting {
    future: Task<'static, Step>,
    /// The header sections as they came in: what has not changed is not sent back.
    received: Received,
    /// When it can only have been forgotten: its client went away, and the platform with it.
    gives_up: f64,
}

/// How long a task may outlive the longest of what it waits for.
const GRACE_MS: f64 = 60_000.0;

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
    let id = TASKS.with(|tasks| {
        let mut tasks = tasks.borrow_mut();
        tasks.last = tasks.last.wrapping_add(1);
        tasks.last
    });
    advance(&host, id, Waiting { future, received: Received::new(fields), gives_up: 0.0 }, None)
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
    let id = TASKS.with(|tasks| {
        let mut tasks = tasks.borrow_mut();
        tasks.last = tasks.last.wrapping_add(1);
        tasks.last
    });
    advance(&host, id, Waiting { future, received: Received::default(), gives_up: 0.0 }, None)
}

/// Goes on with what waited. Gives back the next step.
#[wasm_bindgen]
pub fn resume(id: u32, now: f64, reply: String) -> String {
    let host = HOST.with(Rc::clone);
    host.set_time(now);
    let Some(waiting) = TASKS.with(|tasks| tasks.borrow_mut().waiting.remove(&id)) else { return wire::unavailable() };
    advance(&host, id, waiting, Some(reply))
}

/// The bytes that belong to a step of this task, or, for 0, to the answer. Asked for once, right after the step.
#[wasm_bindgen]
pub fn body(id: u32) -> Vec<u8> {
    BYTES.with(|bytes| bytes.borrow_mut().remove(&id)).unwrap_or_default()
}

/// Bytes that the next reply is about. Several pieces are one after the other.
#[wasm_bindgen]
pub fn deliver(piece: Vec<u8>) {
    HOST.with(|host| host.deliver(piece));
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

/// Polls a task once: either it answers, or it says what it waits for.
fn advance(host: &Rc<WorkersHost>, id: u32, mut waiting: Waiting, reply: Option<String>) -> String {
    host.enter(std::mem::take(&mut waiting.received), reply);
    let polled = waiting.future.as_mut().poll(&mut Context::from_waker(Waker::noop()));
    let (received, wanted, later) = host.leave();
    let step = match (polled, wanted) {
        (Poll::Ready(Step::Answer(response)), _) => {
            let (text, bytes) = wire::answer(response, &received);
            keep(0, bytes);
            text
        }
        (Poll::Ready(Step::Done), _) => wire::DONE.to_owned(),
        (Poll::Pending, Some(wanted)) => {
            waiting.received = received;
            waiting.gives_up = host.time().0 + wanted.longest_ms + GRACE_MS;
            TASKS.with(|tasks| tasks.borrow_mut().waiting.insert(id, waiting));
            keep(id, wanted.bytes);
            wire::with_id(id, &wanted.text)
        }
        (Poll::Pending, None) => wire::unavailable(),
    };
    let step = match news() {
        Some(news) => news + &step,
        None => step,
    };
    later.into_iter().fold(step, |step, task| format!("{}{step}", spawn(host, task)))
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
    let id = TASKS.with(|tasks| {
        let mut tasks = tasks.borrow_mut();
        tasks.last = tasks.last.wrapping_add(1);
        tasks.last
    });
    let step = advance(host, id, Waiting { future, received: Received::default(), gives_up: 0.0 }, None);
    wire::later(&step)
}

/// Forgets tasks that nobody will resume, now and then.
fn sweep(now: f64) {
    let count = BEGUN.get().wrapping_add(1);
    BEGUN.set(count);
    if count.is_multiple_of(64) {
        let forgotten: Vec<Waiting> = TASKS.with(|tasks| {
            let mut tasks = tasks.borrow_mut();
            let dead: Vec<u32> =
                tasks.waiting.iter().filter(|(_, task)| task.gives_up < now).map(|(id, _)| *id).collect();
            dead.into_iter().filter_map(|id| tasks.waiting.remove(&id)).collect()
        });
        drop(forgotten);
    }
}
