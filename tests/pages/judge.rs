//! Whether an answer is the documented one (docs/aggregation.md) for what was alive while it was made.

use crate::phases::{Part, Phase};
use anyhow::{Context, Result, bail, ensure};
use edgate_kit::seen::{End, SeenResponse, values};
use serde_json::{Value, json};
use std::time::Duration;

/// What kind of answer it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// 200 with all parts.
    Whole,
    /// 200 without the optional one.
    WithoutNews,
    /// 404: a rule stops the page.
    NoPage,
    /// 502: a part that is needed failed.
    Failed,
    /// 504: a part that is needed took too long.
    Late,
}

/// The deadline of the route, less what clocks differ by.
const DEADLINE: Duration = Duration::from_millis(2_950);

/// Longer than that nothing takes, on a machine that does other things too.
const HANGS: Duration = Duration::from_secs(8);

impl Part {
    fn name(self) -> &'static str {
        match self {
            Part::User => "user",
            Part::Orders => "orders",
            Part::News => "news",
            Part::First => "first",
            Part::Totals => "totals",
        }
    }

    /// What it is when it is there.
    fn value(self) -> Value {
        match self {
            Part::User => json!({ "id": 7, "name": "Ada" }),
            Part::Orders => json!([{ "id": 1, "item": "lamp" }, { "id": 2, "item": "desk" }]),
            Part::News => json!(["a", "b"]),
            Part::First => json!({ "total": 4900 }),
            Part::Totals => json!([4900, 24900]),
        }
    }
}

/// What an answer is, which took so long while these phases were.
pub fn judge(response: &SeenResponse, phases: &[&Phase], took: Duration) -> Result<Kind> {
    ensure!(took < HANGS, "it hangs");
    ensure!(response.end == End::Complete, "it is not complete");
    let may = |part| phases.iter().any(|phase| phase.down.contains(&part));
    // While one failure goes over into another, a part may find all that it needs.
    let must = |part| matches!(phases, [phase] if phase.down.contains(&part));
    let (late, field) = (took >= DEADLINE, |name: &str| values(&response.headers, name).join(", "));
    let body: Value = serde_json::from_slice(&response.body.start).context("it is no JSON")?;
    match response.status {
        200 => {
            ensure!(
                Part::ALL.into_iter().all(|part| part == Part::News || !must(part)),
                "a part that is needed is down"
            );
            let kind = page(&body)?;
            let completed = if kind == Kind::Whole { "true" } else { "false" };
            ensure!(field("x-edgate-completed") == completed, "its header says something else");
            ensure!(kind == Kind::Whole || field("cache-control") == "no-store", "it may be cached");
            ensure!(kind == Kind::Whole || may(Part::News) || late, "the news are there");
            ensure!(kind == Kind::WithoutNews || !must(Part::News), "there are no news");
            Ok(kind)
        }
        404 => {
            ensure!(phases.iter().any(|phase| phase.has_no_user()), "the user is there");
            ensure!(body == json!({ "error": "there is no page 7" }), "it is another answer");
            Ok(Kind::NoPage)
        }
        502 => {
            ensure!(body["code"] == "part-failed", "it is another failure");
            ensure!(named(&body).next().is_some() && named(&body).all(may), "a part that is there has failed");
            Ok(Kind::Failed)
        }
        504 => {
            ensure!(body["code"] == "part-late" && named(&body).next().is_some(), "it is another failure");
            ensure!(late, "it is early");
            Ok(Kind::Late)
        }
        status => bail!("{status} is not documented"),
    }
}

/// The parts that a problem document names.
fn named(body: &Value) -> impl Iterator<Item = Part> {
    let names = body["parts"].as_array().map(Vec::as_slice).unwrap_or_default();
    names.iter().flat_map(|name| Part::ALL.into_iter().filter(move |part| *name == part.name()))
}

/// A page, with or without the optional part.
fn page(body: &Value) -> Result<Kind> {
    let mut expected = json!({ "parts": {} });
    let with_news = body.get("news").is_some();
    for part in Part::ALL.into_iter().filter(|part| *part != Part::News || with_news) {
        expected[part.name()] = part.value();
        expected["parts"][part.name()] = json!({ "outcome": "ok" });
    }
    let mut body = body.clone();
    if !with_news {
        let outcome = body["parts"].as_object_mut().and_then(|parts| parts.remove("news"));
        ensure!(outcome.is_some_and(|outcome| outcome["outcome"] == "failed"), "nothing is said of the news");
    }
    ensure!(body == expected, "it is another page");
    Ok(if with_news { Kind::Whole } else { Kind::WithoutNews })
}
