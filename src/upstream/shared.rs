//! What instances tell each other of an upstream's targets through a key-value store: which ones they leave out, and how
//! those are that are asked for their health. It is as good as the store is fast, and nobody waits for it: an instance reads
//! it behind its requests, and goes by what it has read last.

use super::Upstream;
use super::breaker::Rules;
use super::target::Target;
use crate::config::units;
use crate::event::{Level, Subject, event};
use crate::host::{Host, HostError, MadeOf, Outgoing, SharedHost};
use bytes::Bytes;
use http::{HeaderMap, Method};
use serde_json::{Map, Value, json};
use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

/// Where instances find what others know of an upstream.
#[derive(Debug)]
pub struct Shared {
    pub store: Rc<str>,
    /// What the keys of the store begin with: the gateway's name and the upstream's.
    pub name: String,
    /// Whether instances tell each other which targets they leave out.
    pub breaker: bool,
    pub health: Option<Health>,
    /// When the store was last asked, or began to be.
    pub asked: Cell<f64>,
}

/// How targets are asked for their health.
#[derive(Debug)]
pub struct Health {
    /// After the target's own path.
    pub path: String,
    /// In minutes: platforms keep no finer schedule.
    pub every: u64,
    pub timeout: Duration,
    /// Statuses of a healthy target; those of success where there are none.
    pub statuses: Vec<u16>,
    /// After how many bad answers a target is left out, and after how many good ones it comes back.
    pub unhealthy: u64,
    pub healthy: u64,
}

/// How often an instance reads what others know, in milliseconds.
const REFRESH_MS: f64 = 10_000.0;

/// What stores keep, they keep for this long at least.
const LEAST_TTL: Duration = Duration::from_secs(60);

impl Shared {
    fn key(&self, kind: &str) -> String {
        ["edgate.", kind, ".", &self.name].concat()
    }

    fn text_key(target: &Target) -> String {
        format!("{:016x}", target.number)
    }
}

/// Reads a table of a store: an empty one where there is none that can be read. `None` where the store fails.
async fn table(host: &dyn Host, store: &str, key: &str) -> Option<Map<String, Value>> {
    let text = host.get(store, key).await.ok()?.unwrap_or_default();
    match serde_json::from_slice(&text) {
        Ok(Value::Object(table)) => Some(table),
        _ => Some(Map::new()),
    }
}

impl Upstream {
    /// Reads behind a request what others know, when that is long ago.
    pub fn learn(self: &Rc<Self>, host: &SharedHost) {
        let Some(shared) = &self.shared else { return };
        let now = host.now().0;
        if now - shared.asked.get() < REFRESH_MS {
            return;
        }
        shared.asked.set(now);
        let (upstream, task_host) = (Rc::clone(self), Rc::clone(host));
        host.wait_until(Box::pin(async move {
            let Some(shared) = &upstream.shared else { return };
            if shared.breaker
                && let Some(open) = table(&*task_host, &shared.store, &shared.key("open")).await
            {
                upstream.follow(&task_host, &open);
            }
            if shared.health.is_some()
                && let Some(known) = table(&*task_host, &shared.store, &shared.key("health")).await
            {
                upstream.believe(&known);
            }
        }));
    }

    /// Leaves out the targets that others leave out, as far as that may be.
    fn follow(&self, host: &SharedHost, open: &Map<String, Value>) {
        let now = host.now().0;
        for (position, target) in self.targets.iter().enumerate() {
            let until = open.get(&Shared::text_key(target)).and_then(Value::as_f64).unwrap_or_default();
            if self.may_open() && target.open_until(until, now) {
                let left = Duration::from_secs(((until - now) as u64).div_ceil(1_000));
                let message =
                    format!("it gets no requests for {}: another instance has seen it fail", units::Duration(left));
                event(host, Level::Warning, self.subject(position), &message);
            }
        }
    }

    /// Leaves out the targets that are not well, as far as that may be.
    fn believe(&self, known: &Map<String, Value>) {
        let mut left = self.most_ejected;
        for target in &self.targets {
            let said = known.get(&Shared::text_key(target)).and_then(|said| said.get("well")?.as_bool());
            let unhealthy = said == Some(false) && left > 0;
            left -= usize::from(unhealthy);
            target.unhealthy.set(unhealthy);
        }
    }

    /// Tells others which targets this instance leaves out.
    pub fn tell(self: &Rc<Self>, host: &SharedHost, rules: &Rules) {
        let Some(shared) = self.shared.as_ref().filter(|shared| shared.breaker) else { return };
        let (upstream, task_host, store, key) =
            (Rc::clone(self), Rc::clone(host), Rc::clone(&shared.store), shared.key("open"));
        let ttl = Duration::from_secs_f64(rules.open_ms / 1000.0).max(LEAST_TTL);
        host.wait_until(Box::pin(async move {
            let now = task_host.now().0;
            // What is over is nothing.
            let goes_on = |until: &Value| until.as_f64().is_some_and(|until| until > now);
            let known = table(&*task_host, &store, &key).await.unwrap_or_default();
            let mut open = Map::new();
            for (target, until) in known.iter().filter(|(_, until)| goes_on(until)) {
                open.insert(target.clone(), until.clone());
            }
            for target in &upstream.targets {
                if let Some(until) = target.until(now) {
                    open.insert(Shared::text_key(target), until.into());
                }
            }
            drop(task_host.put(&store, &key, Bytes::from(Value::Object(open).to_string()), Some(ttl)).await);
        }));
    }

    /// Asks the targets for their health, where it is time to, and leaves what came of it where instances find it.
    pub async fn check(&self, host: &SharedHost) {
        let Some((shared, health)) = self.shared.as_ref().and_then(|shared| Some((shared, shared.health.as_ref()?)))
        else {
            return;
        };
        if !(host.now().whole_ms() / 60_000).is_multiple_of(health.every) {
            return;
        }
        let key = shared.key("health");
        let before = table(&**host, &shared.store, &key).await.unwrap_or_default();
        let mut after = Map::new();
        for (position, target) in self.targets.iter().enumerate() {
            let name = Shared::text_key(target);
            let found = health.ask(&**host, &target.base).await;
            let (said, change) = health.judge(before.get(&name), found.is_ok());
            if let Some(well) = change {
                let why = found.err().unwrap_or_default();
                let (level, message) = match well {
                    true => (Level::Info, "it is well again".to_owned()),
                    false => (Level::Warning, format!("it is not well: {why}")),
                };
                event(host, level, self.subject(position), &message);
            }
            after.insert(name, said);
        }
        self.believe(&after);
        // Where nobody asks any more, nobody is left out for ever.
        let ttl = Duration::from_secs(health.every * 180).max(LEAST_TTL);
        let text = Bytes::from(Value::Object(after).to_string());
        if let Err(error) = host.put(&shared.store, &key, text, Some(ttl)).await {
            let message = format!("what is known of its targets could not be kept: {error}");
            event(host, Level::Warning, Subject::Upstream(&self.name), &message);
        }
    }
}

impl Health {
    /// Asks a target. `Err` says what is wrong.
    async fn ask(&self, host: &dyn Host, base: &str) -> Result<(), String> {
        let request = Outgoing {
            method: Method::GET,
            url: [base, &self.path].concat(),
            headers: &HeaderMap::new(),
            made_of: MadeOf::Nothing,
            body: crate::body::Body::Empty,
            timeout: self.timeout,
            upgrade: false,
            whole: None,
        };
        let status = host.fetch(request).await.map_err(|error: HostError| error.to_string())?.status();
        let well = match self.statuses.as_slice() {
            [] => status.is_success(),
            statuses => statuses.contains(&status.as_u16()),
        };
        if well { Ok(()) } else { Err(format!("status {}", status.as_u16())) }
    }

    /// What is known of a target after another answer, and whether that is something else than before.
    fn judge(&self, before: Option<&Value>, good: bool) -> (Value, Option<bool>) {
        let was_well = before.and_then(|before| before.get("well")?.as_bool()).unwrap_or(true);
        let against = before.and_then(|before| before.get("against")?.as_u64()).unwrap_or_default();
        if good == was_well {
            return (json!({ "well": was_well, "against": 0 }), None);
        }
        let enough = if good { self.healthy } else { self.unhealthy };
        match against + 1 {
            now if now >= enough => (json!({ "well": good, "against": 0 }), Some(good)),
            now => (json!({ "well": was_well, "against": now }), None),
        }
    }
}
