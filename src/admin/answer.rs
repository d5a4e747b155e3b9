//! What operators are told, as JSON. It is made of values rather than of types of its own: those would weigh more in the
//! wasm than all the rest of it, and nobody waits here.

use super::Counted;
use super::question::Meant;
use crate::body::Body;
use crate::config::limit::Accuracy;
use crate::limit::{Limit, Numbers};
use crate::meter::{MOST, Meter};
use http::Response;
use http::header::{self, HeaderValue};
use serde_json::{Value, json};
use std::rc::Rc;

/// What all limits say: `limits`, each with
///
/// - `limit`, its name; `key`, a list that is empty where all requests count together; `counts`, in words;
/// - `tiers`, each with `when` and `counts`; `accuracy`; `dry_run`, whether it refuses nobody.
pub fn list(limits: &[Rc<Limit>]) -> Value {
    json!({ "limits": limits.iter().map(|limit| described(limit)).collect::<Vec<_>>() })
}

fn described(limit: &Limit) -> Value {
    let tiers =
        limit.tiers.iter().map(|(rule, numbers)| json!({ "when": rule.to_string(), "counts": numbers.describe() }));
    let key = limit.key.parts.iter().map(|part| part.text.as_str());
    json!({
        "limit": &*limit.name,
        "key": key.collect::<Vec<_>>(),
        "counts": limit.numbers.describe(),
        "tiers": tiers.collect::<Vec<_>>(),
        "accuracy": limit.accuracy.name(),
        "dry_run": limit.dry_run,
    })
}

/// What the counters of a key say:
///
/// - `limit`, its name; `key`, the values by their names, null for one that the requests do not have; `accuracy`;
/// - `this_instance_only`, whether other instances count for themselves; `reset`, whether all have just begun anew;
/// - `counters`, that of the limit itself, and then each tier's.
pub fn shown(meant: &Meant<'_>, reset: bool, counted: &[Counted<'_>]) -> Value {
    let limit = meant.limit;
    // `collect` would sort them first, which is 7 KB of the wasm.
    let mut key = serde_json::Map::new();
    for (name, value) in &meant.key {
        key.insert((*name).to_owned(), json!(value));
    }
    json!({
        "limit": &*limit.name,
        "key": Value::Object(key),
        "accuracy": limit.accuracy.name(),
        "this_instance_only": limit.accuracy == Accuracy::Local,
        "reset": reset,
        "counters": counted.iter().map(counter).collect::<Vec<_>>(),
    })
}

/// What one counter says:
///
/// - `when`, the tier's rule; `counts`, in words; `most`, how much there is when nothing was taken; `left`;
/// - `taken`, how much was, or `held`, how much is; `retry_s`, in how many seconds something is there, and `reset_s`, in
///   how many all is, if nobody takes anything: null where nobody knows;
/// - `unreadable`, where what it said could not be read, so that it begins anew.
fn counter(counted: &Counted<'_>) -> Value {
    let Counted { when, numbers, meter, count } = counted;
    let (Meter::Bucket { burst: most, .. } | Meter::Until { limit: most, .. } | Meter::Within { limit: most, .. }) =
        *meter;
    let seconds = |ms: u64| (ms < MOST).then(|| ms.div_ceil(1_000));
    let gone = if matches!(numbers, Numbers::Concurrency { .. }) { "held" } else { "taken" };
    let mut told = json!({
        "counts": numbers.describe(),
        "most": most,
        "left": count.left,
        gone: most.saturating_sub(count.left),
        "retry_s": seconds(count.retry_ms),
        "reset_s": seconds(count.reset_ms),
    });
    if let (Some(members), Some(when)) = (told.as_object_mut(), when) {
        members.insert("when".to_owned(), when.to_string().into());
    }
    if let (Some(members), true) = (told.as_object_mut(), count.unreadable) {
        members.insert("unreadable".to_owned(), true.into());
    }
    told
}

/// An answer that nobody keeps.
pub fn respond(told: &Value) -> Response<Body> {
    let mut response = Response::new(Body::bytes(told.to_string()));
    let fields = response.headers_mut();
    fields.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    fields.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
