//! The gateway's answers, as people read them.

use crate::cli::moment::rough;
use crate::cli::routes::columns;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use std::collections::BTreeMap;

#[derive(Deserialize)]
struct List {
    limits: Vec<Described>,
}

#[derive(Deserialize)]
struct Described {
    limit: String,
    key: Vec<String>,
    counts: String,
    tiers: Vec<Tier>,
    accuracy: String,
    dry_run: bool,
}

#[derive(Deserialize)]
struct Tier {
    when: String,
    counts: String,
}

#[derive(Deserialize)]
struct Shown {
    limit: String,
    key: BTreeMap<String, Option<String>>,
    accuracy: String,
    this_instance_only: bool,
    reset: bool,
    counters: Vec<Counter>,
}

#[derive(Deserialize)]
struct Counter {
    when: Option<String>,
    counts: String,
    left: u64,
    taken: Option<u64>,
    held: Option<u64>,
    retry_s: Option<u64>,
    reset_s: Option<u64>,
    #[serde(default)]
    unreadable: bool,
}

/// All limits.
pub fn list(body: &str) -> Result<String, String> {
    let List { limits } = read(body)?;
    let row = |limit: &Described| {
        let key = if limit.key.is_empty() { "all requests".to_owned() } else { limit.key.join(", ") };
        let tiers: Vec<String> =
            limit.tiers.iter().map(|tier| format!("{} where {}", tier.counts, tier.when)).collect();
        let note = if limit.dry_run { "refuses nobody" } else { "" };
        [&limit.limit, &limit.counts, &key, &limit.accuracy, note, &tiers.join("; ")].map(plain)
    };
    let rows: Vec<_> = limits.iter().map(row).collect();
    if rows.is_empty() {
        return Ok("there are no limits\n".to_owned());
    }
    Ok(columns(["LIMIT", "COUNTS", "KEY", "ACCURACY", "NOTE", "TIERS"], &rows))
}

/// The counters of a key.
pub fn counter(body: &str) -> Result<String, String> {
    let shown: Shown = read(body)?;
    let mut rows = vec![["limit".to_owned(), format!("{}, {}", plain(&shown.limit), plain(&shown.accuracy))]];
    let value = |value: &Option<String>| value.as_ref().map_or("none".to_owned(), |value| format!("{value:?}"));
    rows.extend(shown.key.iter().map(|(name, found)| [plain(name), value(found)]));
    let held = shown.counters.iter().any(|counter| counter.held.is_some());
    let titles = ["TIER", "COUNTS", "LEFT", if held { "HELD" } else { "TAKEN" }, "MORE", "ALL", "NOTE"];
    let counters: Vec<_> = shown.counters.iter().map(Counter::row).collect();
    let notes: String = shown.notes().into_iter().map(|note| format!("\n{note}\n")).collect();
    Ok(format!("{}\n{}{notes}", columns([""; 2], &rows), columns(titles, &counters)))
}

impl Counter {
    fn row(&self) -> [String; 7] {
        let when = |seconds: Option<u64>| match seconds {
            None => "unknown".to_owned(),
            Some(0) => "now".to_owned(),
            Some(seconds) => format!("in {}", rough(seconds)),
        };
        let gone = self.taken.or(self.held).map(|gone| gone.to_string()).unwrap_or_default();
        let note = if self.unreadable { "could not be read, and begins anew" } else { "" };
        [
            plain(self.when.as_deref().unwrap_or_default()),
            plain(&self.counts),
            self.left.to_string(),
            gone,
            when(self.retry_s),
            when(self.reset_s),
            note.to_owned(),
        ]
    }
}

impl Shown {
    /// What the numbers do not say.
    fn notes(&self) -> Vec<&'static str> {
        let mut notes = Vec::new();
        match (self.reset, self.this_instance_only) {
            (true, true) => notes.push("The counter of the instance that answered began anew; each has its own."),
            (true, false) => {
                notes.push("The counter began anew. Instances that refused this key may go on doing so for 10s.");
            }
            (false, true) => notes.push("This is the counter of the instance that answered; each has its own."),
            (false, false) => {}
        }
        if self.accuracy == "leased" {
            notes.push("What instances have taken in advance counts as taken.");
        }
        notes
    }
}

fn read<T: DeserializeOwned>(body: &str) -> Result<T, String> {
    serde_json::from_str(body).map_err(|_| "the answer is none of edgate's, or of another version of it".to_owned())
}

/// Without what would move the terminal's cursor.
fn plain(text: impl AsRef<str>) -> String {
    text.as_ref().chars().filter(|c| !c.is_control()).collect()
}
