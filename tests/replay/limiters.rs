//! The rate limiters of Cloudflare that the regional limits of a configuration are bound to.

use edgate::config::units::Duration;
use edgate_kit::running::Limiter;
use serde_json::Value;
use std::collections::BTreeMap;

/// They by their bindings. What is wrong with a limit is for the gateway to say.
pub fn of(config: &Value) -> BTreeMap<String, Limiter> {
    let limits = config.get("limit").and_then(Value::as_object).into_iter().flatten();
    let regional = limits.filter(|(_, limit)| limit["accuracy"] == "regional");
    let limiters = regional.filter_map(|(name, limit)| {
        let (number, period) = limit["rate"].as_str()?.split_once('/')?;
        let period = period.trim().parse::<Duration>().ok()?.0.as_secs();
        Some((edgate::limit::binding(name), Limiter { limit: number.trim().parse().ok()?, period }))
    });
    limiters.collect()
}
