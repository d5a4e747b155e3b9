//! What operators see of limits, and how they have a counter begin anew: the action of a route with `admin = "limits"`,
//! which asks who calls before.
//!
//! `GET` shows: without parameters all limits, with `limit=NAME` and a parameter for each value of its key one counter.
//! `DELETE` has that counter begin anew. The shared counters are asked, so what instances have taken of them in advance
//! counts as taken; limits of one instance are those of the instance that answers.

mod answer;
mod question;

use crate::body::Body;
use crate::config::limit::Accuracy;
use crate::event::{Level, Subject, event};
use crate::exchange::Exchange;
use crate::host::{HostError, Question, SharedHost};
use crate::limit::{Limit, Numbers};
use crate::meter::{Act, Ask, Count, Meter};
use crate::reject::Reject;
use answer::{Counter, Shown, list, respond};
use http::{Method, Response};
use question::Meant;
use std::rc::Rc;

/// What can be done here.
const METHODS: &str = "DELETE, GET, HEAD";

/// Answers an operator.
pub async fn answer(host: &SharedHost, ex: &Exchange, limits: &[Rc<Limit>]) -> Result<Response<Body>, Reject> {
    let reset = match ex.method {
        Method::GET | Method::HEAD => false,
        Method::DELETE => true,
        _ => return Err(Reject::MethodNotAllowed(METHODS.to_owned())),
    };
    let Some(meant) = question::read(ex.query.as_deref(), limits)? else {
        return if reset { Err(question::no_limit(limits)) } else { respond(&list(limits)) };
    };
    let limit = meant.limit;
    if limit.accuracy == Accuracy::Regional {
        let detail = format!("What Cloudflare counts for the limit `{}` is known to nobody else.", limit.name);
        return Err(Reject::BadQuestion(detail));
    }
    if reset {
        ask(host, &meant, Act::Forget).await?;
        limit.forget(&meant.values);
        event(host, Level::Info, Subject::Limit(&limit.name), "an operator had a counter begin anew");
    }
    let counted = ask(host, &meant, Act::Look { least: 1 }).await?;
    let counters = counted.iter().map(|one| Counter::new(one.when.clone(), one.numbers, &one.meter, &one.count));
    respond(&Shown::new(&meant, reset, counters.collect()))
}

/// What a counter says, by the numbers of the limit or of a tier.
struct Counted<'a> {
    when: Option<String>,
    numbers: &'a Numbers,
    meter: Meter,
    count: Count,
}

/// Asks the counters of a key: tiers that count something else have their own.
async fn ask<'a>(host: &SharedHost, meant: &Meant<'a>, act: Act) -> Result<Vec<Counted<'a>>, Reject> {
    let limit = meant.limit;
    let own = std::iter::once((None, &limit.numbers));
    let tiers = limit.tiers.iter().map(|(rule, numbers)| (Some(rule.to_string()), numbers));
    let asked = own.chain(tiers).map(|(when, numbers)| (when, numbers, limit.meter(&**host, numbers)));
    let asked: Vec<_> = asked.collect();
    let question = |(_, numbers, meter): &(_, &Numbers, Meter)| Question {
        counter: limit.counter(numbers, &meant.values),
        ask: Ask { act, meter: *meter },
    };
    let questions: Vec<Question> = asked.iter().map(question).collect();
    let answers = match limit.accuracy {
        Accuracy::Local => questions.iter().enumerate().map(|(at, one)| here(host, meant, at, &one.ask)).collect(),
        _ => host.count(&limit.counters, &questions, limit.timeout).await,
    };
    let mut counted = Vec::with_capacity(asked.len());
    for ((when, numbers, meter), answer) in asked.into_iter().zip(answers) {
        let count = answer.map_err(|error| unavailable(host, limit, &error))?;
        counted.push(Counted { when, numbers, meter, count });
    }
    Ok(counted)
}

/// Asks a counter of this instance: the limit's own is the first, and then come those of its tiers.
fn here(host: &SharedHost, meant: &Meant<'_>, at: usize, ask: &Ask) -> Result<Count, HostError> {
    let place = meant.limit.place(&meant.values, at.checked_sub(1));
    let count = meant.limit.known.ask(place, ask, host.now().0);
    count.ok_or_else(|| HostError::Other("the question cannot be asked".to_owned()))
}

fn unavailable(host: &SharedHost, limit: &Limit, error: &HostError) -> Reject {
    let message = format!("its counters cannot be asked for an operator: {error}");
    event(host, Level::Warning, Subject::Limit(&limit.name), &message);
    Reject::LimitUnavailable
}
