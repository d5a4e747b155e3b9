//! What the services do, one time after the other.

use crate::judge::Kind;
use anyhow::Result;
use edgate_kit::scenario::answer::{Answer, AnswerBody, Fault};
use edgate_kit::scenario::content::Content;
use edgate_kit::scenario::service::{Script, Service};
use edgate_kit::upstream::Upstream;
use serde_json::{Value, json};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// A part of the page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    User,
    Orders,
    News,
    First,
    Totals,
}

impl Part {
    pub const ALL: [Part; 5] = [Part::User, Part::Orders, Part::News, Part::First, Part::Totals];
}

/// A time in which the services do the same.
#[derive(Debug)]
pub struct Phase {
    pub name: &'static str,
    /// What fails.
    what: What,
    /// The parts that have no answer then.
    pub down: &'static [Part],
    /// What clients are answered, besides what they are answered for the time before.
    pub expected: Kind,
    pub time: Duration,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum What {
    Nothing,
    /// The service is not there.
    UsersKilled,
    OrdersKilled,
    BothKilled,
    /// Requests to this path are read, and the connection is closed.
    Closes(&'static str),
    /// .., and nothing follows.
    Hangs(&'static str),
    /// Requests to this path are answered with this status.
    Says(&'static str, u16),
}

const USER: &str = "/users/7";
const NEWS: &str = "/news";
const FIRST: &str = "/v1/orders/1";
const SECOND: &str = "/v1/orders/2";

const SOME: Duration = Duration::from_millis(900);

/// Longer than the deadline of the route, which is 3 s.
const LONG: Duration = Duration::from_millis(3_800);

/// Between two that fail all is well for a while, for as long as it takes until nobody waits for what hung.
pub const PHASES: [Phase; 17] = [
    well(SOME),
    phase("the news close connections", What::Closes(NEWS), &[Part::News], Kind::WithoutNews),
    well(SOME),
    phase("users are killed", What::UsersKilled, &[Part::User, Part::News], Kind::Failed),
    well(SOME),
    phase("orders are killed", What::OrdersKilled, &[Part::Orders, Part::First, Part::Totals], Kind::Failed),
    well(SOME),
    phase("one order is broken", What::Says(SECOND, 503), &[Part::Totals], Kind::Failed),
    well(SOME),
    phase("the first order closes connections", What::Closes(FIRST), &[Part::First, Part::Totals], Kind::Failed),
    well(SOME),
    phase("the user is not there", What::Says(USER, 404), &[], Kind::NoPage),
    phase("all are killed", What::BothKilled, &Part::ALL, Kind::Failed),
    well(SOME),
    Phase { time: LONG, ..phase("the news hang", What::Hangs(NEWS), &[Part::News], Kind::WithoutNews) },
    Phase { time: LONG, ..phase("the user hangs", What::Hangs(USER), &[Part::User], Kind::Late) },
    well(LONG),
];

const fn phase(name: &'static str, what: What, down: &'static [Part], expected: Kind) -> Phase {
    Phase { name, what, down, expected, time: SOME }
}

const fn well(time: Duration) -> Phase {
    Phase { name: "all is well", what: What::Nothing, down: &[], expected: Kind::Whole, time }
}

impl Phase {
    /// Whether nobody is there for whom there is a page.
    pub fn has_no_user(&self) -> bool {
        self.what == What::Says(USER, 404)
    }
}

/// The two services of the page.
pub struct Services {
    pub orders: Upstream,
    pub users: Upstream,
}

impl Services {
    pub async fn start() -> Result<Services> {
        Ok(Services { orders: Upstream::start().await?, users: Upstream::start().await? })
    }

    async fn set(&mut self, what: What) -> Result<()> {
        let users = [(USER, json!({ "id": 7, "name": "Ada" })), (NEWS, json!(["a", "b"]))];
        let orders = [
            (
                "/v1/orders",
                json!({ "orders": [{ "id": 1, "item": "lamp", "total": 4900 }, { "id": 2, "item": "desk" }] }),
            ),
            (FIRST, json!({ "id": 1, "total": 4900 })),
            (SECOND, json!({ "id": 2, "total": 24900 })),
        ];
        let killed = |one| what == one || what == What::BothKilled;
        self.users.play(script(&users, what, killed(What::UsersKilled))).await?;
        self.orders.play(script(&orders, what, killed(What::OrdersKilled))).await?;
        // What was seen is of no interest, and would be kept.
        for service in [&self.users, &self.orders] {
            service.take_seen(0, Duration::ZERO).await;
        }
        Ok(())
    }
}

/// What a service answers where all is well, and what it does instead.
fn script(contents: &[(&str, Value)], what: What, killed: bool) -> Script {
    if killed {
        return Script::in_order(vec![Answer { fault: Some(Fault::Refuse), ..Answer::default() }]);
    }
    let service = |(path, value): &(&str, Value)| {
        let body = AnswerBody::Whole(Content::Bytes(value.to_string().into_bytes()));
        let well = Answer { body, ..Answer::default() };
        let fault = |fault| Answer { fault: Some(fault), ..Answer::default() };
        let answer = match what {
            What::Closes(at) if at == *path => fault(Fault::Close),
            What::Hangs(at) if at == *path => fault(Fault::Hang),
            What::Says(at, status) if at == *path => Answer { status, ..well },
            _ => well,
        };
        Service { at: String::new(), path: Some((*path).to_owned()), method: None, answer, restore: false }
    };
    Script::serving(contents.iter().map(service).collect())
}

/// When it was what. Two phases overlap for as long as it takes to go from one to the other.
#[derive(Debug, Default)]
pub struct Past(Mutex<Vec<Entry>>);

#[derive(Debug)]
struct Entry {
    phase: usize,
    begin: Instant,
    /// `None` of the last one.
    end: Option<Instant>,
}

/// A connection that was kept may break when it is used again, some time after the service is back.
const GRACE: Duration = Duration::from_millis(300);

impl Past {
    /// Goes on to the next phase.
    pub async fn enter(&self, phase: usize, services: &mut Services) -> Result<()> {
        self.lock().push(Entry { phase, begin: Instant::now(), end: None });
        services.set(PHASES[phase].what).await?;
        let now = Instant::now();
        if let Some(before) = self.lock().iter_mut().rev().nth(1) {
            before.end = Some(now);
        }
        Ok(())
    }

    /// The phase that it is.
    pub fn now(&self) -> usize {
        self.lock().last().map_or(0, |entry| entry.phase)
    }

    /// The phases that may have to do with an answer.
    pub fn during(&self, asked: Instant, answered: Instant) -> Vec<&'static Phase> {
        let meant = |entry: &&Entry| entry.begin <= answered && entry.end.is_none_or(|end| end + GRACE >= asked);
        self.lock().iter().filter(meant).map(|entry| &PHASES[entry.phase]).collect()
    }

    /// Another task's panic leaves the past as it was.
    fn lock(&self) -> MutexGuard<'_, Vec<Entry>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
