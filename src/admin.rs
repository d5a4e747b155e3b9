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
use crate::rule::Rule;
use answer::{list, respond, shown};
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
        return if reset { Err(question::no_limit(limits)) } else { Ok(respond(&list(limits))) };
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
    Ok(respond(&shown(&meant, reset, &counted)))
}

/// What a counter says, by the numbers of the limit or of a tier.
struct Counted<'a> {
    /// The tier's rule.
    when: Option<&'a Rule>,
    numbers: &'a Numbers,
    meter: Meter,
    count: Count,
}

/// Asks the counters of a key, that of the limit itself and then each tier's: those that count something else have their
/// own.
async fn ask<'a>(host: &SharedHost, meant: &Meant<'a>, act: Act) -> Result<Vec<Counted<'a>>, Reject> {
    let limit = meant.limit;
    let mut counted = Vec::new();
    let mut questions = Vec::new();
    for tier in std::iter::once(None).chain(limit.tiers.iter().map(Some)) {
        let (when, numbers) = tier.map_or((None, &limit.numbers), |(rule, numbers)| (Some(rule), numbers));
        let meter = limit.meter(&**host, numbers);
        questions.push(Question { counter: limit.counter(numbers, &meant.values), ask: Ask { act, meter } });
        counted.push(Counted { when, numbers, meter, count: Count::default() });
    }
    let answers = match limit.accuracy {
        Accuracy::Local => here(host, meant, &questions),
        _ => host.count(&limit.counters, &questions, limit.timeout).await,
    };
    for (one, answer) in counted.iter_mut().zip(answers) {
        one.count = answer.map_err(|error| unavailable(host, limit, &error))?;
    }
    Ok(counted)
}

/// Asks the counters of this instance.
fn here(host: &SharedHost, meant: &Meant<'_>, questions: &[Question]) -> Vec<Result<Count, HostError>> {
    let now = host.now().0;
    let answer = |(position, question): (usize, &Question)| {
        // Before those of the tiers comes the limit's own.
        let place = meant.limit.place(&meant.values, position.checked_sub(1));
        let count = meant.limit.known.ask(place, &question.ask, now);
        count.ok_or_else(|| HostError::Other("the question cannot be asked".to_owned()))
    };
    questions.iter().enumerate().map(answer).collect()
}

fn unavailable(host: &SharedHost, limit: &Limit, error: &HostError) -> Reject {
    let message = format!("its counters cannot be asked for an operator: {error}");
    event(host, Level::Warning, Subject::Limit(&limit.name), &message);
    Reject::LimitUnavailable
}
