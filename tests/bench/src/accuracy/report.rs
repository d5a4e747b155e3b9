//! The results, as tables.

use crate::crowd::count;
use crate::plan::Event;
use crate::trial::Outcome;
use edgate_bench::machine::Machine;
use edgate_bench::table::Table;

/// What the tables begin with.
pub fn heading(machine: &Machine) -> String {
    format!("64 clients at once, each with one request after the other. {}.\n", machine.line())
}

/// Both tables: what came of it where nothing happened, and where something did.
pub fn tables(outcomes: &[Outcome]) -> [Table; 2] {
    let mut quiet =
        Table::new(&["where", "limit", "accuracy", "sent", "admitted", "over", "under", "later", "asked", "s"], 3);
    let mut eventful = Table::new(
        &["where", "meanwhile", "limit", "accuracy", "sent", "no answer", "503", "admitted", "over", "under", "s"],
        4,
    );
    for outcome in outcomes {
        match outcome.case.event {
            Event::Nothing => quiet.push(quiet_row(outcome)),
            _ => eventful.push(eventful_row(outcome)),
        }
    }
    [quiet, eventful]
}

fn quiet_row(outcome: &Outcome) -> Vec<String> {
    let case = outcome.case;
    let sent = count(&outcome.tally.sent);
    let asked = outcome.asked.map_or_else(none, |asked| format!("{:.2}", asked as f64 / sent.max(1) as f64));
    vec![
        case.place.text(),
        case.numbers(),
        case.accuracy.name().to_owned(),
        sent.to_string(),
        outcome.admitted.to_string(),
        outcome.over().to_string(),
        outcome.under().to_string(),
        outcome.under_later().map_or_else(none, |under| under.to_string()),
        asked,
        format!("{:.1}", outcome.time.as_secs_f64()),
    ]
}

fn eventful_row(outcome: &Outcome) -> Vec<String> {
    let case = outcome.case;
    let tally = &outcome.tally;
    vec![
        case.place.text(),
        case.place.happens(case.event).to_owned(),
        case.numbers(),
        case.accuracy.name().to_owned(),
        count(&tally.sent).to_string(),
        count(&tally.broken).to_string(),
        count(&tally.refused).to_string(),
        outcome.admitted.to_string(),
        outcome.over().to_string(),
        outcome.under().to_string(),
        format!("{:.1}", outcome.time.as_secs_f64()),
    ]
}

fn none() -> String {
    "–".to_owned()
}
