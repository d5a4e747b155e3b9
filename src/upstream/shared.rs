//! What instances tell each other of an upstream's targets through a key-value store: which ones they leave out, and how
//! those are that are asked for their health. It is as good as the store is fast, and nobody waits for it: an instance reads
//! it behind its requests, and goes by what it has read last.

use super::Upstream;
use super::breaker::Rules;
use super::credentials::Shown;
use super::target::Target;
use crate::body::Body;
use crate::config::units;
use crate::event::{Level, Subject, event};
use crate::host::{Host, HostError, MadeOf, Outgoing, SharedHost, Task};
use crate::race::all;
use bytes::Bytes;
use http::{Method, StatusCode};
use serde_json::{Map, Value, json};
use std::cell::{Cell, RefCell};
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
    /// What this instance has found out of their health last: stores take their time.
    pub found: RefCell<Map<String, Value>>,
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

/// Where a table has the minute that it is of. Targets are called by numbers.
const MINUTE: &str = "minute";

/// What stores keep, they keep for this long at least.
const LEAST_TTL: Duration = Duration::from_secs(60);

impl Shared {
    fn key(&self, kind: &str) -> String {
        ["edgate.", kind, ".", &self.name].concat()
    }

    fn text_key(target: &Target) -> String {
        format!("{:016x}", target.number)
    }

    /// What is known of their health: what this instance has found out, where that is newer than what others have.
    fn known(&self, read: Map<String, Value>) -> Map<String, Value> {
        let found = self.found.borrow();
        if minute(&found) > minute(&read) { found.clone() } else { read }
    }
}

/// Of which minute a table is.
fn minute(table: &Map<String, Value>) -> u64 {
    table.get(MINUTE).and_then(Value::as_u64).unwrap_or_default()
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
                upstream.believe(&shared.known(known));
            }
        }));
    }

    /// Leaves out the targets that others leave out, as far as that may be, for no longer than it would itself, and never the
    /// last one: where all fail at once, it may be whoever says so that has failed.
    fn follow(&self, host: &SharedHost, open: &Map<String, Value>) {
        let now = host.now().0;
        let latest = now + self.breaking.as_ref().map_or(0.0, |breaking| breaking.rules.open_ms);
        let active = self.targets.iter().filter(|target| target.weight > 0).count();
        for (position, target) in self.targets.iter().enumerate().filter(|(_, target)| target.weight > 0) {
            let until = open.get(&Shared::text_key(target)).and_then(Value::as_f64).unwrap_or_default().min(latest);
            let left_out = self.left_out(now);
            if left_out < self.most_ejected && left_out + 1 < active && target.open_until(until, now) {
                let left = Duration::from_secs(((until - now) as u64).div_ceil(1_000));
                let message =
                    format!("it gets no requests for {}: another instance has seen it fail", units::Duration(left));
                event(host, Level::Warning, self.subject(position), &message);
            }
        }
    }

    /// Leaves out the targets that are not well, as far as that may be, and until that should have been said again.
    fn believe(&self, known: &Map<String, Value>) {
        let Some(health) = self.shared.as_ref().and_then(|shared| shared.health.as_ref()) else { return };
        let until = minute(known).saturating_add(3 * health.every) as f64 * 60_000.0;
        let unwell = |target: &&Target| {
            let said = known.get(&Shared::text_key(target)).and_then(|said| said.get("well")?.as_bool());
            target.weight > 0 && said == Some(false)
        };
        let active = || self.targets.iter().filter(|target| target.weight > 0);
        // Where all are said to be unwell, it is more likely that whoever asks them is.
        let believed = active().any(|target| !unwell(&target));
        let mut left = self.most_ejected.saturating_sub(active().filter(|target| target.is_open()).count());
        for target in &self.targets {
            let out = believed && left > 0 && unwell(&target);
            left -= usize::from(out);
            target.unwell.set(if out { until } else { f64::NEG_INFINITY });
        }
    }

    /// Tells others which targets this instance leaves out.
    pub fn tell(self: &Rc<Self>, host: &SharedHost, rules: &Rules) {
        let Some(shared) = self.shared.as_ref().filter(|shared| shared.breaker) else { return };
        let (upstream, task_host, store, key) =
            (Rc::clone(self), Rc::clone(host), Rc::clone(&shared.store), shared.key("open"));
        let open_ms = rules.open_ms;
        let ttl = Duration::from_secs_f64(open_ms / 1000.0).max(LEAST_TTL);
        host.wait_until(Box::pin(async move {
            let Some(known) = table(&*task_host, &store, &key).await else { return };
            let now = task_host.now().0;
            // What is over is nothing, and nothing takes longer than that.
            let goes_on = |until: &Value| until.as_f64().is_some_and(|until| until > now && until <= now + open_ms);
            let mut open = Map::new();
            for (target, until) in known.iter().filter(|(_, until)| goes_on(until)) {
                open.insert(target.clone(), until.clone());
            }
            for target in &upstream.targets {
                if let Some(until) = target.opened().filter(|until| *until > now) {
                    open.insert(Shared::text_key(target), until.into());
                }
            }
            drop(task_host.put(&store, &key, Bytes::from(Value::Object(open).to_string()), Some(ttl)).await);
        }));
    }

    /// Asks the targets for their health, where it is time to, and leaves what came of it where instances find it.
    pub async fn check(&self, host: &SharedHost, now: u64) {
        let Some((shared, health)) = self.shared.as_ref().and_then(|shared| Some((shared, shared.health.as_ref()?)))
        else {
            return;
        };
        if !now.is_multiple_of(health.every) {
            return;
        }
        let key = shared.key("health");
        // Without what was before, nobody can be said to be well again.
        let Some(before) = table(&**host, &shared.store, &key).await else {
            event(host, Level::Warning, Subject::Upstream(&self.name), "what is known of its targets cannot be read");
            return;
        };
        let before = shared.known(before);
        if minute(&before) >= now {
            return;
        }
        let asked = self.targets.iter().map(|target| -> Task<'_, _> {
            Box::pin(async move {
                let url = [&target.base, &*health.path].concat();
                health.ask(&**host, self.show_check(host, url, health.timeout).await?).await
            })
        });
        let asked = asked.collect();
        let mut after = Map::from_iter([(MINUTE.to_owned(), now.into())]);
        for ((position, target), found) in self.targets.iter().enumerate().zip(all(asked, usize::MAX).await) {
            let name = Shared::text_key(target);
            let said = before.get(&name);
            let (said, change) = match &found {
                // It could not be asked, which says nothing of it.
                Err(HostError::Unsendable(_)) => (said.cloned().unwrap_or_default(), None),
                found => health.judge(said, found.as_ref().is_ok_and(|status| health.is_well(*status))),
            };
            if let Some(well) = change {
                let why = found.map_or_else(|error| error.to_string(), |status| format!("status {}", status.as_u16()));
                let (level, message) = match well {
                    true => (Level::Info, "it is well again".to_owned()),
                    false => (Level::Warning, format!("it is not well: {why}")),
                };
                event(host, level, self.subject(position), &message);
            }
            after.insert(name, said);
        }
        self.believe(&after);
        shared.found.borrow_mut().clone_from(&after);
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
    /// Asks a target: the status of its answer.
    async fn ask(&self, host: &dyn Host, shown: Shown) -> Result<StatusCode, HostError> {
        let request = Outgoing {
            method: Method::GET,
            url: shown.url,
            headers: &shown.headers,
            made_of: MadeOf::Nothing,
            body: Body::Empty,
            timeout: self.timeout,
            upgrade: false,
            reads: None,
        };
        host.fetch(request).await.map(|response| response.status())
    }

    fn is_well(&self, status: StatusCode) -> bool {
        match self.statuses.as_slice() {
            [] => status.is_success(),
            statuses => statuses.contains(&status.as_u16()),
        }
    }

    /// What is known of a target after another answer, and whether that is something else than before.
    fn judge(&self, before: Option<&Value>, good: bool) -> (Value, Option<bool>) {
        let was_well = before.and_then(|before| before.get("well")?.as_bool()).unwrap_or(true);
        let against = before.and_then(|before| before.get("against")?.as_u64()).unwrap_or_default();
        if good == was_well {
            return (json!({ "well": was_well, "against": 0 }), None);
        }
        let enough = if good { self.healthy } else { self.unhealthy };
        match against.saturating_add(1) {
            now if now >= enough => (json!({ "well": good, "against": 0 }), Some(good)),
            now => (json!({ "well": was_well, "against": now }), None),
        }
    }
}
