//! The limits that a request counts for: the tier that holds, the values of the key, and where they are counted.

use super::Scene;
use super::story::Rows;
use crate::cli::needs::redis_origin;
use crate::config::Platform;
use crate::config::limit::Accuracy;
use crate::exchange::{Exchange, LimitNote, Stage};
use crate::limit::key::{Found, Part};
use crate::limit::{Cost, Limit};
use crate::policy::Policy;
use crate::policy::throttle::{Applied, Throttle};

/// What is told of each limit of the route that took the request.
pub fn rows(scene: &Scene<'_>, ex: &Exchange) -> Rows {
    let route = ex.matched.as_ref().and_then(|matched| scene.gateway.routes.get(matched.route.0));
    let mut rows = Rows::new();
    for policy in route.map(|route| route.policies.as_slice()).unwrap_or_default() {
        let (Policy::ThrottleClient(Throttle { stage, limits, .. })
        | Policy::ThrottleIdentity(Throttle { stage, limits, .. })) = policy
        else {
            continue;
        };
        for (position, applied) in limits.iter().enumerate() {
            let Applied { limit, cost } = applied;
            let cost = cost.as_ref().unwrap_or(&limit.cost);
            rows.extend(one(scene, ex, limit, cost, note(ex, *stage, position)));
        }
    }
    rows
}

fn note(ex: &Exchange, stage: Stage, position: usize) -> Option<&LimitNote> {
    ex.notes.limits.iter().find(|note| note.stage == stage && note.position == position)
}

fn one(scene: &Scene<'_>, ex: &Exchange, limit: &Limit, cost: &Cost, note: Option<&LimitNote>) -> Rows {
    let mut rows = Rows::new();
    let mut push = |name: &str, value: String| rows.push([name.to_owned(), value]);
    let counts_nothing = *cost == Cost::Fixed(0);
    if note.is_none() && !counts_nothing {
        push("limit", format!("{}: not asked, since the request was refused before", limit.name));
        return rows;
    }
    if limit.is_exempt(ex) {
        push("limit", format!("{}: this request is exempt", limit.name));
        return rows;
    }
    let (numbers, tier) = limit.numbers(ex);
    let tier = tier.and_then(|tier| limit.tiers.get(tier)).map(|(rule, _)| format!(", since {rule}"));
    push("limit", format!("{}: {}{}", limit.name, numbers.describe(), tier.unwrap_or_default()));
    for (part, found) in limit.key.parts.iter().zip(limit.key.find(ex)) {
        push("  key", value(part, &found));
    }
    if limit.key.parts.is_empty() {
        push("  key", "none: all requests count together".to_owned());
    }
    match cost {
        Cost::Fixed(1) => {}
        Cost::Fixed(cost) => push("  cost", cost.to_string()),
        Cost::Answered { field, estimate, most } => {
            push("  cost", format!("what the answer's field {field} says, up to {most}; {estimate} until then"));
        }
    }
    push("  counted", counted(scene, limit));
    if limit.dry_run {
        push("  dry run", "it refuses nobody, and only tells the log".to_owned());
    }
    rows
}

/// A value of the key.
fn value(part: &Part, found: &Found) -> String {
    match found {
        Found::Value { source, text } => {
            let name = part.text.split(" or ").nth(*source).unwrap_or(&part.text);
            format!("{name} = {text:?}")
        }
        Found::Indefinite => format!("{}: several, and such requests count together", part.text),
        Found::Nothing => format!("{}: none, and such requests count together", part.text),
    }
}

/// Where it is counted, on each of the platforms.
fn counted(scene: &Scene<'_>, limit: &Limit) -> String {
    match limit.accuracy {
        Accuracy::Local => return "by each instance for itself".to_owned(),
        Accuracy::Regional => return format!("by Cloudflare, in each of its locations: {}", limit.binding()),
        Accuracy::Exact | Accuracy::Leased => {}
    }
    let counters = &limit.counters;
    let on = |platform: &Platform| match (platform, &counters.redis) {
        (Platform::Cloudflare, _) => "a Durable Object on Cloudflare Workers".to_owned(),
        (Platform::Spin, Some(redis)) => format!("{} on Spin", redis_origin(redis).unwrap_or_default()),
        (Platform::Spin, None) => format!("the key-value store `{}` on Spin", counters.store),
    };
    let places: Vec<String> = scene.platforms.iter().map(on).collect();
    let how = if limit.accuracy == Accuracy::Leased { ", of which instances take blocks" } else { "" };
    format!("by {}{how}", places.join(", and by "))
}
