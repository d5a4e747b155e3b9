//! What instances tell each other of an upstream's targets, and how targets are asked for their health.

use super::failing::number;
use super::{Code, Diagnostic, Diagnostics, One, Place, within};
use crate::compile::out_of_range;
use crate::config::upstream as section;
use crate::path::is_one_spelling;
use crate::upstream::shared::{Health, Shared};
use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration as Std;

const TIMEOUT: Std = Std::from_secs(5);

impl One<'_> {
    /// What instances tell each other. `None` where they tell nothing.
    pub fn shared(&self, diagnostics: &mut Diagnostics) -> Option<Shared> {
        let breaker = self.section.breaker.as_ref().is_some_and(|breaker| breaker.share);
        let health = self.section.health.as_ref().map(|health| self.health(health, diagnostics));
        let needs = [(breaker, self.place.key("breaker").key("share")), (health.is_some(), self.place.key("health"))];
        for (_, place) in needs.into_iter().filter(|(needs, _)| *needs && self.scope.store.is_none()) {
            let message = "instances have no place to tell each other";
            let help = "name a key-value store: `gateway.store`";
            diagnostics.push(Diagnostic::new(Code::MissingKey, place.name(), message, "needs a store").help(help));
        }
        let store = self.scope.store.as_ref().filter(|_| breaker || health.is_some())?;
        let name = [self.scope.gateway, ".", self.name].concat();
        Some(Shared {
            store: Rc::clone(store),
            name,
            breaker,
            health,
            asked: Cell::new(f64::NEG_INFINITY),
            found: RefCell::default(),
        })
    }

    fn health(&self, health: &section::Health, diagnostics: &mut Diagnostics) -> Health {
        let place = self.place.key("health");
        for target in self.scope.targets.iter().filter(|target| !target.has_schedule()) {
            let message = format!("{} does nothing on a schedule", target.platform);
            let help = "take it away, since a `breaker` sees failures too, or name the platforms that this configuration \
                        is for: `gateway.targets`";
            let place = place.clone().name();
            diagnostics.push(Diagnostic::new(Code::Unsupported, place, message, "not on this platform").help(help));
        }
        let path = health.path.split('?').next().unwrap_or_default();
        if !is_one_spelling(path) || health.path.contains('#') || health.path.contains(char::is_whitespace) {
            let message = format!("`{}` is no path", health.path);
            let help = "write \"/health\"";
            diagnostics.push(Diagnostic::new(Code::BadValue, place.key("path"), message, "not a path").help(help));
        }
        within(health.timeout, Std::from_millis(1)..=Std::from_secs(30), &place.key("timeout"), diagnostics);
        for (index, status) in health.statuses.iter().flatten().enumerate() {
            if !(200..=599).contains(status) {
                let message = format!("{status} is no status of a final response");
                let place = place.key("statuses").index(index);
                diagnostics.push(Diagnostic::new(Code::BadStatus, place, message, "200 to 599"));
            }
        }
        Health {
            path: health.path.clone(),
            every: minutes(health, &place.key("interval"), diagnostics),
            timeout: health.timeout.map_or(TIMEOUT, |timeout| timeout.0),
            statuses: health.statuses.clone().unwrap_or_default(),
            unhealthy: number(health.unhealthy, 2, 1..=10, &place.key("unhealthy"), diagnostics).into(),
            healthy: number(health.healthy, 1, 1..=10, &place.key("healthy"), diagnostics).into(),
        }
    }
}

fn minutes(health: &section::Health, place: &Place, diagnostics: &mut Diagnostics) -> u64 {
    let Some(interval) = health.interval else { return 1 };
    let seconds = interval.0.as_secs();
    let whole = interval.0 == Std::from_secs(seconds) && seconds.is_multiple_of(60);
    if !whole || !(60..=3_600).contains(&seconds) {
        diagnostics.push(out_of_range(&interval.to_string(), place, "whole minutes, 1m to 1h".to_owned()));
    }
    (seconds / 60).max(1)
}
