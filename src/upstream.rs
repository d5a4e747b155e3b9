//! Calling an upstream: which of its targets gets a request, whether it is tried again, and what its answer, or its
//! failure, means. [`Upstream::send`] is the only place that calls one, and shows every step in order. What is decided
//! there is decided by functions of what happened and of the time: [`balance`], [`breaker`], [`retry`], [`verdict`].

pub mod balance;
pub mod bounds;
pub mod breaker;
pub mod candidates;
pub mod credentials;
pub mod fallback;
pub mod hash;
pub mod hedge;
pub mod internal_token;
pub mod mirror;
pub mod own;
pub mod proxy;
pub mod request;
pub mod retry;
pub mod retry_after;
pub mod rewrite;
pub mod shared;
pub mod split;
pub mod stale;
pub mod tally;
pub mod target;
pub mod verdict;

use crate::body::Body;
use crate::config::units;
use crate::event::{Level, Subject, event};
use crate::exchange::Attempt;
use crate::headers::IDEMPOTENCY_KEY;
use crate::host::{Host, HostError, Outgoing, SharedHost, Timestamp};
use crate::interest::Interest;
use crate::reject::Reject;
use crate::secret::SecretSlot;
use balance::Turns;
use breaker::{Change, Outcome, Rules};
use credentials::Credentials;
use fallback::Fallback;
use http::{Response, StatusCode, header};
use internal_token::InternalToken;
use proxy::Sticky;
use request::Request;
use retry::{Budget, Failed, Next, Retry};
use retry_after::retry_after_ms;
use shared::Shared;
use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;
use target::{Target, Ticket};
use verdict::{Facts, Verdict, blame, judge};

/// A service behind the gateway.
#[derive(Debug)]
pub struct Upstream {
    pub name: Rc<str>,
    /// Its addresses: one at least.
    pub targets: Vec<Target>,
    pub balance: Balance,
    /// How long an answer may take to begin, for each try.
    pub timeout: Duration,
    pub retry: Option<Retry>,
    /// How long the first target has before a second one is asked, too.
    pub hedge: Option<Duration>,
    pub breaking: Option<Breaking>,
    /// How many targets may be left out because of what they did.
    pub most_ejected: usize,
    /// What instances tell each other of its targets.
    pub shared: Option<Shared>,
    /// What is done where it gives no answer, or a bad one.
    pub fallback: Option<Fallback>,
    /// What tells it who calls.
    pub internal_token: Option<InternalToken>,
    /// What the gateway shows it of itself.
    pub credentials: Option<Credentials>,
    pub state: State,
}

/// Which target gets a request.
#[derive(Debug)]
pub enum Balance {
    InOrder,
    RoundRobin,
    Random,
    LeastInFlight,
    TwoChoices,
    Sticky(Sticky),
}

/// When a target is left out.
#[derive(Debug)]
pub struct Breaking {
    pub rules: Rules,
    /// Statuses that are failures.
    pub statuses: Vec<u16>,
}

/// What an instance remembers of an upstream beside what it knows of each target. It is lost with the instance: others take
/// turns, and have budgets, of their own.
#[derive(Debug, Default)]
pub struct State {
    turns: RefCell<Option<Turns>>,
    /// How many copies are on their way.
    pub copies: Rc<Cell<u32>>,
    budget: RefCell<Budget>,
}

/// How far a request has come.
struct Course {
    /// The positions of the targets that were asked.
    asked: Vec<usize>,
    /// Until when some of them do not want to be asked again.
    waits: Vec<(usize, f64)>,
    /// Why the next one is.
    why: Option<&'static str>,
    /// Whether it was made once more with another token.
    renewed: bool,
}

/// What a try came to.
struct Tried {
    result: Result<Response<Body>, Reject>,
    verdict: Verdict,
    /// Its position among the attempts of the request.
    attempt: usize,
    /// Whether it was refused for its credentials, and others may do better.
    renews: bool,
}

impl Course {
    /// For how many milliseconds a target does not want to be asked again.
    fn waits_ms(&self, position: usize, now: Timestamp) -> f64 {
        let said = self.waits.iter().rev().find(|(of, _)| *of == position);
        said.map_or(0.0, |(_, until)| (until - now.0).max(0.0))
    }
}

impl Tried {
    /// Whether nobody could have done better.
    fn is_good(&self) -> bool {
        self.verdict.failed.is_none() && self.result.as_ref().is_ok_and(|response| !response.status().is_server_error())
    }
}

impl Upstream {
    /// Sends a request until it has an answer that is good enough, or none that could be better, and waits until that
    /// begins.
    pub async fn send(self: &Rc<Self>, host: &SharedHost, request: &Request<'_>) -> Result<Response<Body>, Reject> {
        self.learn(host);
        let mut course = Course { asked: Vec::new(), waits: Vec::new(), why: request.why, renewed: false };
        let mut ticket = self.pick(&**host, request, &course)?;
        self.state.budget.borrow_mut().request(host.now().0);
        loop {
            course.asked.push(ticket.position);
            let came = match self.hedge.filter(|_| request.only_reads()) {
                Some(after) => self.hedged(host, request, (ticket, after), &mut course).await,
                None => self.try_once(host, request, &mut ticket, course.why).await,
            };
            if came.renews && !course.renewed {
                // The target has done nothing, and none of the tries is used up.
                course = Course { asked: Vec::new(), waits: Vec::new(), why: Some("credentials"), renewed: true };
                let Ok(next) = self.pick(&**host, request, &course) else { return came.result };
                ticket = next;
                continue;
            }
            let Some(failed) = came.verdict.failed else { return came.result };
            let stopped = match self.next(&**host, request, &came, &mut course) {
                Some(Next::Again { after_ms }) => {
                    host.sleep(Duration::from_secs_f64(after_ms / 1000.0)).await;
                    course.why = Some(failed);
                    match self.pick(&**host, request, &course) {
                        Ok(next) => {
                            ticket = next;
                            continue;
                        }
                        // Meanwhile the last one was left out, or the time is over: the answer that there is counts.
                        Err(_) => "no-target",
                    }
                }
                Some(Next::Stop(reason)) => reason,
                None => return came.result,
            };
            note(request, came.attempt, |attempt| attempt.stopped = Some(stopped));
            return came.result;
        }
    }

    /// One request to one target.
    async fn try_once(
        self: &Rc<Self>,
        host: &SharedHost,
        request: &Request<'_>,
        ticket: &mut Ticket<'_>,
        why: Option<&'static str>,
    ) -> Tried {
        let attempt = self.begin(request, ticket.position, why);
        let shown = match &self.credentials {
            Some(credentials) => match Box::pin(self.show(credentials, host, request, &ticket.target.base)).await {
                Ok(shown) => Some(shown),
                Err(reject) => return unshown(request, attempt, reject),
            },
            None => None,
        };
        let begun = host.now();
        let left = request.time_left(begun).unwrap_or_default();
        let (url, headers) = match &shown {
            Some(shown) => (shown.url.clone(), &shown.headers),
            None => ([&ticket.target.base, request.target].concat(), request.headers),
        };
        let outgoing = Outgoing {
            method: request.method.clone(),
            url,
            headers,
            made_of: request.made_of,
            body: request.content.take(),
            timeout: request.timeout.min(left),
            upgrade: request.upgrade,
            reads: request.reads,
        };
        let result = match left.is_zero() {
            true => Err(HostError::Timeout),
            false => host.fetch(outgoing).await,
        };
        let now = host.now();
        let facts = Facts {
            again: self.retry.as_ref().map(|retry| retry.statuses.as_slice()).unwrap_or_default(),
            failures: self.breaking.as_ref().map(|breaking| breaking.statuses.as_slice()).unwrap_or_default(),
            streamed: !request.content.is_kept(),
            hurried: left < request.timeout && left.as_secs_f64() < FRESH * request.whole.as_secs_f64(),
        };
        let verdict = judge(&result, facts);
        self.record(host, ticket, verdict.outcome, now);
        note(request, attempt, |attempt| {
            attempt.duration = now.since(begun);
            attempt.outcome = match &result {
                Ok(response) => Ok(response.status().as_u16()),
                Err(error) => Err(error.to_string()),
            };
        });
        // RFC 9110, section 15.5.2: a request that is answered 401 was not applied.
        let refused = result.as_ref().is_ok_and(|response| response.status() == StatusCode::UNAUTHORIZED);
        let renews = refused && self.renews(&**host, shown.as_ref()) && request.content.is_kept();
        if !verdict.unsent && !renews {
            request.may_be_done.set(true);
        }
        let result = result.map_err(|error| match error {
            HostError::Timeout if left < request.timeout => Reject::DeadlineExceeded,
            error => blame(&error),
        });
        Tried { result, verdict, attempt, renews }
    }

    /// What is done after a try that was no success. `None` where nothing is ever tried again.
    fn next(&self, host: &dyn Host, request: &Request<'_>, came: &Tried, course: &mut Course) -> Option<Next> {
        let retry = self.retry.as_ref().filter(|_| came.verdict.hopeful)?;
        let now = host.now();
        let response = came.result.as_ref().ok();
        let said = response.and_then(|response| retry_after_ms(response.headers(), now.0));
        if let (Some(said), Some(last)) = (said, course.asked.last()) {
            course.waits.push((*last, now.0 + said));
        }
        let next = match (self.candidates(now.0, &course.asked).as_slice(), self.candidates(now.0, &[]).as_slice()) {
            ([_, ..], _) => Some(retry::Target::Another),
            ([], [_, ..]) => Some(retry::Target::Same),
            ([], []) => None,
        };
        let failed = Failed {
            tries: course.asked.len(),
            repeatable: request.repeatable || (came.verdict.unsent && !request.may_be_done.get()),
            replayable: request.content.is_kept(),
            next,
            retry_after_ms: match next {
                Some(retry::Target::Same) => self.soonest(course, now),
                _ => said,
            },
            is_throttled: response.is_some_and(|response| response.status() == StatusCode::TOO_MANY_REQUESTS),
            // A try that has hardly any time comes to nothing.
            left_ms: (request.time_left(now).unwrap_or_default().as_secs_f64() - LEAST * request.timeout.as_secs_f64())
                * 1000.0,
        };
        Some(retry.decide(&failed, &mut self.state.budget.borrow_mut(), uniform(host), now.0))
    }

    /// Tells a target's breaker, and the log where that changes something.
    fn record(self: &Rc<Self>, host: &SharedHost, ticket: &mut Ticket<'_>, outcome: Outcome, now: Timestamp) {
        let Some(Breaking { rules, .. }) = &self.breaking else { return };
        let Some(change) = ticket.settle(rules, outcome, self.left_out(now.0) < self.most_ejected, now.0) else {
            return;
        };
        let open = units::Duration(Duration::from_millis(rules.open_ms as u64));
        let left = format!("it gets no requests for {open}");
        let (level, message) = match change {
            Change::Failures(count) => (Level::Warning, format!("{left}: {count} failures in a row")),
            Change::Rate(bad, all) => (Level::Warning, format!("{left}: {bad} of {all} requests failed")),
            Change::Probe => (Level::Warning, format!("{left}: it still fails")),
            Change::Closed => (Level::Info, "it gets requests again".to_owned()),
        };
        event(host, level, self.subject(ticket.position), &message);
        if change != Change::Closed {
            self.tell(host, rules);
        }
    }

    fn subject(&self, position: usize) -> Subject<'_> {
        Subject::Target(&self.name, position + 1)
    }

    /// Notes an attempt before anything has come of it: one that nobody waits for any more keeps this.
    fn begin(&self, request: &Request<'_>, position: usize, why: Option<&'static str>) -> usize {
        let mut attempts = request.attempts.borrow_mut();
        attempts.push(Attempt {
            upstream: Rc::clone(&self.name),
            target: (self.targets.len() > 1).then_some(position + 1),
            duration: 0.0,
            outcome: Err("given up".to_owned()),
            why,
            stopped: None,
        });
        attempts.len() - 1
    }

    /// Adds what it reads and writes of messages.
    pub fn interest(&self, interest: &mut Interest) {
        self.credentials.iter().for_each(|credentials| credentials.interest(interest));
        if let Some(token) = &self.internal_token {
            interest.request.insert(token.field.clone());
            token.claims.iter().for_each(|(_, template)| interest.template(template));
        }
        match &self.balance {
            Balance::Sticky(Sticky::Key(key)) => split::interest_of(key, interest),
            Balance::Sticky(Sticky::Cookie { .. }) => drop(interest.request.insert(header::COOKIE)),
            _ => {}
        }
        if self.retry.is_some() {
            interest.response.insert(header::RETRY_AFTER);
        }
        if self.retry.is_some() || self.fallback.is_some() {
            interest.request.insert(IDEMPOTENCY_KEY.clone());
        }
        if self.fallback.as_ref().is_some_and(|fallback| fallback.stale.is_some()) {
            interest.request.extend(stale::VARY.iter().chain(&stale::PRIVATE).cloned());
            // An answer that is read is made anew, of what was seen alone.
            interest.all_response_fields = true;
        }
    }

    /// The secrets that it needs.
    pub fn secrets(&self) -> impl Iterator<Item = &SecretSlot> {
        let shown = self.credentials.iter().flat_map(Credentials::secrets);
        self.internal_token.iter().map(|token| &token.secret).chain(shown)
    }
}

/// A try that was not made, since there are no credentials for it.
fn unshown(request: &Request<'_>, attempt: usize, reject: Reject) -> Tried {
    note(request, attempt, |attempt| attempt.outcome = Err("no credentials for it".to_owned()));
    Tried { result: Err(reject), verdict: Verdict::UNMADE, attempt, renews: false }
}

/// A try has what its deadline gives it where so much of that is left: else others have taken their time.
const FRESH: f64 = 0.9;

/// How much of its time-out a further try must have at least.
const LEAST: f64 = 0.05;

fn note(request: &Request<'_>, attempt: usize, change: impl FnOnce(&mut Attempt)) {
    if let Some(attempt) = request.attempts.borrow_mut().get_mut(attempt) {
        change(attempt);
    }
}

/// A number between 0 and 1.
pub fn uniform(host: &dyn Host) -> f64 {
    let mut bytes = [0; 8];
    host.random(&mut bytes);
    hash::uniform(u64::from_be_bytes(bytes))
}
