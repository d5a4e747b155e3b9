//! How much a request counts, held against what there ever is.

use super::super::{Code, Diagnostic, Place, bad_header_name, out_of_range};
use crate::config::limit::{self as section, Accuracy, AnsweredCost};
use crate::limit::{Cost, Limit, Numbers};
use http::HeaderName;

type Diagnostics = Vec<Diagnostic>;

/// The most that an answer can say it cost, where the configuration says nothing.
const MOST_COST: u64 = 1_000_000;

/// The most that it can say at all.
const MOST_BELIEVED: u64 = 1_000_000_000_000;

/// Reads a cost.
pub fn compile(section: &section::Cost, place: &Place, diagnostics: &mut Diagnostics) -> Option<Cost> {
    let AnsweredCost { response_header, estimate, most } = match section {
        section::Cost::Fixed(cost) => return Some(Cost::Fixed(*cost)),
        section::Cost::Answered(answered) => answered,
    };
    let before = diagnostics.len();
    let field = response_header.parse::<HeaderName>();
    if field.is_err() {
        diagnostics.push(bad_header_name(response_header, place.key("response_header")));
    }
    let most = most.unwrap_or(MOST_COST);
    if !(1..=MOST_BELIEVED).contains(&most) {
        diagnostics.push(out_of_range(&most.to_string(), &place.key("most"), format!("1 to {MOST_BELIEVED}")));
    }
    let estimate = estimate.unwrap_or(1);
    if !(1..=most.max(1)).contains(&estimate) {
        // With 0, nobody would be asked for anything, and nobody be refused.
        let range = format!("1 to {most}, the most that is believed");
        diagnostics.push(out_of_range(&estimate.to_string(), &place.key("estimate"), range));
    }
    field.ok().filter(|_| diagnostics.len() == before).map(|field| Cost::Answered { field, estimate, most })
}

/// Whether a limit can count so.
pub fn check(limit: &Limit, cost: &Cost, place: &Place, diagnostics: &mut Diagnostics) {
    let counts = match cost {
        Cost::Fixed(cost) => *cost,
        Cost::Answered { estimate, .. } => *estimate,
    };
    let all = || std::iter::once(&limit.numbers).chain(limit.tiers.iter().map(|(_, numbers)| numbers));
    let least = all().map(|numbers| limit.most_at_once(numbers)).min().unwrap_or_default();
    if counts > least {
        let message = format!("a request that counts {counts} never passes a limit of {least} at once");
        let help = match all().map(Numbers::most_at_once).min() {
            Some(most) if counts <= most => {
                "a part of a leased limit's burst is held back: make that larger, or the limit `exact`"
            }
            _ => "make the limit larger, its `burst`, or the cost smaller",
        };
        let diagnostic = Diagnostic::new(Code::BadLimit, place.clone(), message, "more than there ever is");
        diagnostics.push(diagnostic.help(help));
    }
    if let (Cost::Answered { .. }, Numbers::Concurrency { .. }) = (cost, &limit.numbers) {
        let message = "what is held at the same time is over when the answer says what it cost";
        let help = "write a number, or limit what it costs with a `rate` or a `quota`";
        diagnostics.push(Diagnostic::new(Code::BadLimit, place.clone(), message, "too late").help(help));
    }
}

/// A route's own cost of a limit.
pub fn check_of_route(limit: &Limit, cost: &Cost, place: &Place, diagnostics: &mut Diagnostics) {
    check(limit, cost, place, diagnostics);
    if limit.accuracy == Accuracy::Regional {
        let message = "Cloudflare's rate limiting counts each request as one";
        diagnostics.push(Diagnostic::new(Code::Unsupported, place.clone(), message, "not regional"));
    }
}
