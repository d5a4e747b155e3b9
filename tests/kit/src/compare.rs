//! Whether what happened is what a scenario expects. Pure, so that every host is judged alike: each function returns
//! the mismatches as sentences, none where all is well.

use crate::credentials::verify::verified;
use crate::scenario::UpstreamStep;
use crate::scenario::answer::Fault;
use crate::scenario::counters::ExpectedCount;
use crate::scenario::expected::{
    ExpectedBody, ExpectedField, ExpectedJson, ExpectedRequest, ExpectedResponse, ExpectedToken, matches_of,
};
use crate::scenario::service::path_of;
use crate::seen::{AnsweredBy, End, SeenBody, SeenRequest, SeenResponse, values};
use regex::Regex;
use serde_json::{Map, Value};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// How much earlier than its end a body must begin for `first_byte_before_end`.
pub const STREAMED: Duration = Duration::from_millis(30);

/// Compares what the upstreams saw during one exchange: everything that was expected, in order at each of them, and
/// nothing else but what services are for.
pub fn requests(expected: &[UpstreamStep], seen: &BTreeMap<String, Vec<SeenRequest>>) -> Vec<String> {
    let names: BTreeSet<&String> = expected.iter().map(|step| &step.at).chain(seen.keys()).collect();
    names.into_iter().flat_map(|name| requests_at(name, expected, seen)).collect()
}

fn requests_at(name: &str, expected: &[UpstreamStep], seen: &BTreeMap<String, Vec<SeenRequest>>) -> Vec<String> {
    let observable = |step: &&UpstreamStep| step.at == name && step.answer.fault != Some(Fault::Refuse);
    let steps: Vec<&UpstreamStep> = expected.iter().filter(observable).collect();
    // Where none is expected, one that broke off was not received.
    let received = |one: &&SeenRequest| one.complete || !steps.is_empty();
    let meant = |one: &&SeenRequest| one.answered_by != AnsweredBy::Service;
    let seen: Vec<&SeenRequest> = seen.get(name).into_iter().flatten().filter(received).filter(meant).collect();
    let mut mismatches = Vec::new();
    if steps.len() != seen.len() {
        let lines: Vec<String> = seen.iter().map(|one| format!("{} {}", one.method, one.target)).collect();
        mismatches.push(format!("{name}: expected {} requests, saw {}: {lines:?}", steps.len(), seen.len()));
    }
    for (at, (step, seen)) in steps.iter().zip(seen).enumerate() {
        let place = format!("{name}, request {}", at + 1);
        mismatches.extend(request(&step.expect, seen).into_iter().map(|found| format!("{place}: {found}")));
    }
    mismatches
}

/// Compares how many requests reached upstreams during one exchange.
pub fn calls(expected: &BTreeMap<String, u64>, seen: &BTreeMap<String, Vec<SeenRequest>>) -> Vec<String> {
    let mismatch = |(place, expected): (&String, &u64)| {
        let seen = calls_of(place, seen);
        let lines: Vec<String> = seen.iter().map(|one| format!("{} {}", one.method, one.target)).collect();
        (seen.len() as u64 != *expected)
            .then(|| format!("{place}: expected {expected} calls, saw {}: {lines:?}", seen.len()))
    };
    expected.iter().filter_map(mismatch).collect()
}

/// The requests to `NAME.test`, or to one path of it.
fn calls_of<'a>(place: &str, seen: &'a BTreeMap<String, Vec<SeenRequest>>) -> Vec<&'a SeenRequest> {
    let (name, path) = place.split_at(place.find('/').unwrap_or(place.len()));
    let all = seen.get(name).into_iter().flatten();
    all.filter(|one| path.is_empty() || path_of(&one.target) == path).collect()
}

/// Compares a request that an upstream saw.
pub fn request(expected: &ExpectedRequest, seen: &SeenRequest) -> Vec<String> {
    let mut mismatches = Vec::new();
    compare_text("method", expected.method.as_deref(), &seen.method, &mut mismatches);
    compare_text("target", expected.target.as_deref(), &seen.target, &mut mismatches);
    compare_fields("header", &expected.headers, &seen.headers, &mut mismatches);
    compare_absent(&expected.absent, &seen.headers, &mut mismatches);
    if let Some(body) = &expected.body {
        compare_body(body, &seen.body, &mut mismatches);
    }
    if let Some(size) = expected.body_size.filter(|size| *size != seen.body.length) {
        mismatches.push(format!("body: expected {size} bytes, saw {}", seen.body.length));
    }
    if !seen.complete {
        mismatches.push(format!("body: it ended after {} bytes, before its end", seen.body.length));
    }
    mismatches
}

/// Compares the response that the client saw.
pub fn response(expected: &ExpectedResponse, seen: &SeenResponse) -> Vec<String> {
    let mut mismatches = Vec::new();
    if let Some(status) = expected.status.filter(|status| *status != seen.status) {
        mismatches.push(format!("status: expected {status}, saw {}; body: {}", seen.status, excerpt(&seen.body)));
    }
    compare_fields("header", &expected.headers, &seen.headers, &mut mismatches);
    compare_absent(&expected.absent, &seen.headers, &mut mismatches);
    compare_fields("trailer", &expected.trailers, &seen.trailers, &mut mismatches);
    if let Some(body) = &expected.body {
        compare_body(body, &seen.body, &mut mismatches);
    }
    if expected.websocket.is_some() && expected.websocket != seen.websocket {
        mismatches.push(format!("websocket: expected {:?}, saw {:?}", expected.websocket, seen.websocket));
    }
    compare_end(expected, seen, &mut mismatches);
    mismatches
}

/// Compares the statuses of answers to requests that were sent at the same time.
pub fn statuses(expected: &BTreeMap<String, ExpectedCount>, seen: &[u16]) -> Vec<String> {
    let mut counts: BTreeMap<String, usize> = expected.keys().map(|status| (status.clone(), 0)).collect();
    for status in seen {
        *counts.entry(status.to_string()).or_default() += 1;
    }
    let none = ExpectedCount { at_least: 0, at_most: 0 };
    let mismatch = |(status, count): (&String, &usize)| {
        let expected = expected.get(status).unwrap_or(&none);
        let fits = (expected.at_least..=expected.at_most).contains(count);
        (!fits).then(|| format!("statuses: expected {status} {expected} times, saw it {count} times of {}", seen.len()))
    };
    counts.iter().filter_map(mismatch).collect()
}

fn compare_end(expected: &ExpectedResponse, seen: &SeenResponse, mismatches: &mut Vec<String>) {
    match (&seen.end, expected.truncated) {
        (End::Complete, true) => mismatches.push("end: expected a truncated body, saw a complete one".to_owned()),
        (End::Truncated(why), false) => mismatches.push(format!("end: expected a complete body, but {why}")),
        _ => {}
    }
    if expected.first_byte_before_end {
        let (first, last) = (seen.chunk_times.first().copied(), seen.chunk_times.last().copied());
        let lead = last.unwrap_or_default().saturating_sub(first.unwrap_or_default());
        if lead < STREAMED {
            mismatches.push(format!("streaming: the body began only {lead:?} before its end"));
        }
    }
}

/// Compares an access record.
pub fn log(expected: &ExpectedJson, record: &Value) -> Vec<String> {
    let mut mismatches = Vec::new();
    compare_value("log", &expected.0, Some(record), &mut mismatches);
    mismatches
}

/// Looks for what no line of the log may have.
pub fn unspeakable(texts: &[String], lines: &[String]) -> Vec<String> {
    let said = |text: &&String| lines.iter().any(|line| line.contains(text.as_str()));
    texts.iter().filter(said).map(|text| format!("log: it has `{text}`: {lines:#?}")).collect()
}

/// Compares what was logged beside the access record: each that is expected must be there.
pub fn events(expected: &[ExpectedJson], lines: &[String]) -> Vec<String> {
    let missing = expected.iter().filter(|expected| !lines.iter().any(|line| is_event(expected, line)));
    missing.map(|expected| format!("log: expected {}; it says: {lines:#?}", expected.0)).collect()
}

/// Whether a line is what is expected.
pub fn is_event(expected: &ExpectedJson, line: &str) -> bool {
    serde_json::from_str(line).is_ok_and(|record| log(expected, &record).is_empty())
}

/// Compares a value of a store.
pub fn stored(place: &str, expected: &ExpectedJson, seen: Option<&str>) -> Vec<String> {
    let mut mismatches = Vec::new();
    let value = seen.map(|text| serde_json::from_str(text).unwrap_or_else(|_| Value::from(text)));
    compare_value(place, &expected.0, value.as_ref(), &mut mismatches);
    mismatches
}

fn compare_value(place: &str, expected: &Value, seen: Option<&Value>, mismatches: &mut Vec<String>) {
    let Some(seen) = seen else {
        mismatches.push(format!("{place}: expected {expected}, saw nothing"));
        return;
    };
    if let Some(regex) = matches_of(expected) {
        let text = seen.as_str().map_or_else(|| seen.to_string(), str::to_owned);
        if !Regex::new(regex).is_ok_and(|regex| regex.is_match(&text)) {
            mismatches.push(format!("{place}: expected a match of `{regex}`, saw {seen}"));
        }
        return;
    }
    match (expected, seen) {
        (Value::Object(expected), Value::Object(seen)) => compare_tables(place, expected, seen, mismatches),
        (Value::Array(expected), Value::Array(seen)) if expected.len() == seen.len() => {
            for (at, (expected, seen)) in expected.iter().zip(seen).enumerate() {
                compare_value(&format!("{place}[{at}]"), expected, Some(seen), mismatches);
            }
        }
        _ if is_same(expected, seen) => {}
        _ => mismatches.push(format!("{place}: expected {expected}, saw {seen}")),
    }
}

fn compare_tables(place: &str, expected: &Map<String, Value>, seen: &Map<String, Value>, mismatches: &mut Vec<String>) {
    for (key, expected) in expected {
        match (key.as_str(), expected) {
            ("absent", Value::Array(names)) => {
                for name in names.iter().filter_map(Value::as_str).filter(|name| seen.contains_key(*name)) {
                    mismatches.push(format!("{place}.{name}: expected nothing, saw {}", seen[name]));
                }
            }
            _ => compare_value(&format!("{place}.{key}"), expected, seen.get(key), mismatches),
        }
    }
}

/// Whether two JSON values are the same, with numbers compared by their value: 1 is 1.0.
fn is_same(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Number(a), Value::Number(b)) => a == b || a.as_f64() == b.as_f64(),
        (Value::Array(a), Value::Array(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| is_same(a, b)),
        (Value::Object(a), Value::Object(b)) => {
            a.len() == b.len() && a.iter().all(|(key, a)| b.get(key).is_some_and(|b| is_same(a, b)))
        }
        _ => a == b,
    }
}

fn compare_text(what: &str, expected: Option<&str>, seen: &str, mismatches: &mut Vec<String>) {
    if let Some(expected) = expected.filter(|expected| *expected != seen) {
        mismatches.push(format!("{what}: expected `{expected}`, saw `{seen}`"));
    }
}

fn compare_fields(
    what: &str,
    expected: &BTreeMap<String, ExpectedField>,
    seen: &[(String, String)],
    mismatches: &mut Vec<String>,
) {
    for (name, expected) in expected {
        let seen = values(seen, name);
        match expected {
            ExpectedField::Values(expected) if !is_same_field(name, expected, &seen) => {
                mismatches.push(format!("{what} {name}: expected {expected:?}, saw {seen:?}"));
            }
            ExpectedField::Matches(regex) if seen.is_empty() || !regex.is_match(&seen.join(", ")) => {
                mismatches.push(format!("{what} {name}: expected a match of `{regex}`, saw {seen:?}"));
            }
            ExpectedField::Jwt(expected) => compare_token(&format!("{what} {name}"), expected, &seen, mismatches),
            _ => {}
        }
    }
}

/// A token, with or without `Bearer` before it.
fn compare_token(place: &str, expected: &ExpectedToken, seen: &[&str], mismatches: &mut Vec<String>) {
    let [token] = seen else {
        mismatches.push(format!("{place}: expected a token, saw {seen:?}"));
        return;
    };
    match verified(token.strip_prefix("Bearer ").unwrap_or(token), &expected.key) {
        Ok((header, claims)) => {
            compare_value(&format!("{place}: header"), &expected.header.0, Some(&header), mismatches);
            compare_value(&format!("{place}: claims"), &expected.claims.0, Some(&claims), mismatches);
        }
        Err(error) => mismatches.push(format!("{place}: expected a token, saw `{token}`: {error:#}")),
    }
}

/// RFC 9110, 5.3: several lines of a field mean the same as one line with all the values and commas between them;
/// `Set-Cookie` is the exception. Platforms join them at will.
fn is_same_field(name: &str, expected: &[String], seen: &[&str]) -> bool {
    if name.eq_ignore_ascii_case("set-cookie") || expected.is_empty() {
        return expected == seen;
    }
    !seen.is_empty() && expected.join(", ") == seen.join(", ")
}

fn compare_absent(absent: &[String], seen: &[(String, String)], mismatches: &mut Vec<String>) {
    for name in absent {
        let seen = values(seen, name);
        if !seen.is_empty() {
            mismatches.push(format!("header {name}: expected none, saw {seen:?}"));
        }
    }
}

fn compare_body(expected: &ExpectedBody, seen: &SeenBody, mismatches: &mut Vec<String>) {
    let (is_expected, wanted) = match expected {
        ExpectedBody::Exact(text) => (seen.is_whole() && seen.start == text.as_bytes(), format!("`{text}`")),
        ExpectedBody::Json(json) => (is_json(json, seen), json.to_string()),
        ExpectedBody::Contains(part) => (seen.text().contains(part.as_str()), format!("a text with `{part}` in it")),
        ExpectedBody::Matches(regex) => (regex.is_match(&seen.text()), format!("a match of `{regex}`")),
        ExpectedBody::Generated(size) => (seen.length == *size && seen.is_generated, format!("{size} generated bytes")),
    };
    if !is_expected {
        mismatches.push(format!("body: expected {wanted}, saw {}", excerpt(seen)));
    }
}

fn is_json(expected: &Value, seen: &SeenBody) -> bool {
    seen.is_whole() && serde_json::from_slice::<Value>(&seen.start).is_ok_and(|seen| is_same(expected, &seen))
}

fn excerpt(body: &SeenBody) -> String {
    let text: String = body.text().chars().take(400).collect();
    format!("{} bytes: `{text}`", body.length)
}
