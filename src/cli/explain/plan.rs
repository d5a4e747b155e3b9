//! The plan of an aggregate: its parts in the order in which they can be asked, how many requests that makes, and how long
//! it can take.

use super::Sent;
use super::story::{Rows, body, fields};
use crate::aggregate::{Aggregate, Part, plan};
use crate::config::aggregate::Need;
use crate::config::document::Sections;
use crate::config::units::Duration;
use crate::gateway::{Gateway, Route};
use crate::upstream::Upstream;
use http::HeaderName;
use serde_json::Value;
use std::time::Duration as Std;

/// What a client can get instead of the answer, where its parts have answered nothing as here.
const OF_ANSWERS: [&str; 3] = ["part-failed", "part-late", "part-collision"];

/// Whether a refusal only says that no upstream was really asked.
pub fn is_of_answers(reject: Option<&str>) -> bool {
    reject.is_some_and(|code| OF_ANSWERS.contains(&code))
}

pub fn rows(gateway: &Gateway, sections: &Sections, route: &Route, aggregate: &Aggregate) -> Rows {
    let steps = aggregate.steps(&gateway.upstreams);
    let stages = plan::stages(&steps).unwrap_or_default();
    let longest = aggregate.longest(&gateway.upstreams);
    let (calls, at_once) = (plan::calls(&steps), aggregate.at_once);
    let requests = if calls == 1 { "1 request".to_owned() } else { format!("{calls} requests at most") };
    let deadline = Duration(route.deadline);
    let time = match longest > route.deadline {
        true => format!("{deadline}, the deadline: the time-outs come to {}", Duration(longest)),
        false => format!("{}, within the deadline of {deadline}", Duration(longest)),
    };
    let mut rows = vec![
        ["action".to_owned(), format!("aggregate of {}: {requests}, {at_once} at once", count(aggregate.parts.len()))],
        ["  longest".to_owned(), time],
    ];
    let mut order: Vec<usize> = (0..aggregate.parts.len()).collect();
    order.sort_by_key(|at| (stages.get(*at).copied(), *at));
    for at in order {
        let (Some(part), Some(stage)) = (aggregate.parts.get(at), stages.get(at)) else { continue };
        let timeout = steps.get(at).map_or(Std::ZERO, |step| step.timeout);
        let written =
            sections.routes.get(&*route.name).and_then(|section| section.pointer(&format!("/aggregate/parts/{at}")));
        let what = describe(
            part,
            aggregate,
            written.unwrap_or(&Value::Null),
            gateway.upstreams.get(part.upstream).map(|upstream| &**upstream),
        );
        rows.push([format!("  {stage}. {}", part.name), format!("{what}, {}", Duration(timeout))]);
    }
    rows
}

fn count(parts: usize) -> String {
    if parts == 1 { "1 part".to_owned() } else { format!("{parts} parts") }
}

/// A part in a line: what is asked, when, and what its absence means.
fn describe(part: &Part, aggregate: &Aggregate, written: &Value, upstream: Option<&Upstream>) -> String {
    let text = |key: &str| written.get(key).and_then(Value::as_str).unwrap_or_default();
    let name = |at: &usize| aggregate.parts.get(*at).map_or("", |part| &part.name);
    let base = upstream.and_then(|upstream| upstream.targets.first()).map_or("", |target| &target.base);
    let mut words = vec![format!("{} {base}{}", part.ask.method, text("path"))];
    match upstream.map_or(1, |upstream| upstream.targets.len()) {
        0 | 1 => {}
        targets => words.push(format!("or another of {targets} targets")),
    }
    match upstream.map_or(1, |upstream| upstream.most_calls(part.ask.what())) {
        1 => {}
        tries => words.push(format!("{tries} tries at most")),
    }
    if let Some(each) = &part.each {
        words.push(format!("for each of {}, {} at most", each.over, each.most));
        if each.at_once < aggregate.at_once {
            words.push(format!("{} at once", each.at_once));
        }
    }
    if let Some(other) = &part.for_part {
        words.push(format!("in place of {}", name(other)));
    } else if !part.after.is_empty() {
        words.push(format!("after {}", part.after.iter().map(name).collect::<Vec<_>>().join(" and ")));
    }
    if let Some(rule) = &part.when {
        words.push(format!("when {rule}"));
    }
    if let Some(stop) = &part.stop {
        words.push(format!("stops with {} when {}", stop.status.as_u16(), stop.when));
    }
    words.push(match (part.need, part.for_part) {
        (_, Some(_)) => "if needed".to_owned(),
        (Need::Required, None) => "required".to_owned(),
        (Need::Optional, None) => "optional".to_owned(),
    });
    let stands_in = [
        part.stale.map(|stale| format!("its last good answer of {}", Duration(stale))),
        part.fallback.as_ref().map(|_| "a fixed answer".to_owned()),
        part.stand_in.map(|other| name(&other).to_owned()),
    ];
    let stands_in: Vec<String> = stands_in.into_iter().flatten().collect();
    if !stands_in.is_empty() {
        words.push(format!("or else {}", stands_in.join(", then ")));
    }
    words.join(", ")
}

/// What was sent for the parts that wait for nothing.
pub fn sent(asked: &[Sent], hidden: &[HeaderName]) -> String {
    let mut text =
        "\nthe upstreams of the first parts get, and those of later ones what is made of the answers:\n".to_owned();
    for (at, Sent { method, url, headers, content, .. }) in asked.iter().enumerate() {
        text += if at == 0 { "" } else { "\n" };
        text += &format!("  {method} {url}\n{}", fields(headers, hidden));
        if !content.is_empty() {
            text += &body(content);
        }
    }
    text
}
