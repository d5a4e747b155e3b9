//! The action `aggregate`: one answer in JSON, made of what several upstreams answer.
//!
//! # The life of an aggregate
//!
//! 1. [`run`] asks the parts: each as soon as those that it names have answered, as many at once as may be. A part is
//!    asked if its rule says so, once or for each item of an array ([`request`]), and its answer is read and decoded
//!    ([`call`], [`decode`]).
//! 2. A part without an answer is stood in for: by its last good answer ([`stale`]), by what the configuration says, by
//!    another part. If nothing does, its absence is told, or is the end ([`state`], [`outcome`]).
//! 3. Each answer gets its shape ([`shape`]), and all of them become one ([`merge`], [`answer`]).
//!
//! # What holds
//!
//! - What comes of it depends on what upstreams answer, never on which of them is first. Only where it comes to an end
//!   before all have answered, because a required part is missing or a rule stops it, does the first one decide.
//! - Nothing of a client's request reaches a part's upstream unless the configuration names it.
//! - What is lacking is never hidden: the answer says that it is not complete, and may not be cached.

pub mod answer;
pub mod call;
pub mod decode;
pub mod failure;
pub mod fill;
pub mod merge;
pub mod outcome;
pub mod plan;
pub mod request;
pub mod run;
pub mod shape;
pub mod stale;
pub mod state;

use crate::config::aggregate::{Decode, Need, OnCollision, Shape as Layout};
use crate::headers::IDEMPOTENCY_KEY;
use crate::interest::Interest;
use crate::part::{Answer, Of, Reference};
use crate::policy::transform::FieldValue;
use crate::rule::{Rule, source};
use crate::secret::SecretSlot;
use crate::template::{Source, Template};
use crate::upstream::Upstream;
use crate::upstream::bounds::What;
use fill::Form;
use http::{HeaderName, Method, StatusCode, header};
use shape::Shape;
use std::rc::Rc;
use std::time::Duration;

/// One answer made of several.
#[derive(Debug)]
pub struct Aggregate {
    /// In the order of the answer.
    pub parts: Vec<Part>,
    pub layout: Layout,
    pub on_collision: OnCollision,
    /// The status of an answer that lacks an optional part.
    pub partial: StatusCode,
    /// The member that tells what came of each part.
    pub outcomes: Option<String>,
    /// How many requests are under way at the same time.
    pub at_once: usize,
    /// The last good answers of its parts.
    pub stale: Rc<stale::Shelf>,
}

/// A part of an answer. Parts are known by their position.
#[derive(Debug)]
pub struct Part {
    pub name: Rc<str>,
    /// Its position among the gateway's.
    pub upstream: usize,
    pub ask: Ask,
    /// Whom it waits for.
    pub after: Vec<usize>,
    /// Those of them whose answers its request is made of.
    pub needs: Vec<usize>,
    pub when: Option<Rule>,
    pub stop: Option<Stop>,
    pub each: Option<Each>,
    pub need: Need,
    /// What the configuration says instead of its answer.
    pub fallback: Option<Rc<Answer>>,
    /// The part that stands in for it.
    pub stand_in: Option<usize>,
    /// The part that it stands in for.
    pub for_part: Option<usize>,
    /// How old the last good answer may be that stands in for it.
    pub stale: Option<Duration>,
    pub accept: Accept,
    pub shape: Shape,
    pub group: Option<String>,
}

/// What an upstream is asked.
#[derive(Debug)]
pub struct Ask {
    pub method: Method,
    pub path: Template,
    pub query: Vec<(String, Template)>,
    pub headers: Vec<(HeaderName, FieldValue)>,
    pub body: Option<Form>,
    /// Of the client's.
    pub forward_headers: Vec<HeaderName>,
    /// Of the client's.
    pub forward_query: Vec<String>,
}

/// What is taken for an answer.
#[derive(Debug)]
pub struct Accept {
    /// Those of success, where there are none.
    pub statuses: Vec<u16>,
    /// How long it may take, to its end; the upstream's time-out, for each of its tries, where it is not said.
    pub timeout: Option<Duration>,
    /// In bytes.
    pub most: u64,
    /// As the media type says, where it is not said.
    pub decode: Option<Decode>,
    /// The fields that others ask for.
    pub fields: Vec<HeaderName>,
}

/// What a part is repeated over.
#[derive(Debug)]
pub struct Each {
    pub over: Reference,
    /// The most items that are asked for.
    pub most: usize,
    /// How many of them at the same time.
    pub at_once: usize,
}

/// An answer that takes the place of the whole.
#[derive(Debug)]
pub struct Stop {
    pub when: Rule,
    pub status: StatusCode,
    pub body: Option<Form>,
}

/// What a part's upstream must not be sent twice, and which fields of it the gateway keeps.
const TOLD: [HeaderName; 3] =
    [header::VIA, HeaderName::from_static("cdn-loop"), HeaderName::from_static("x-request-id")];

impl Aggregate {
    /// Adds what it has to see of messages.
    pub fn interest(&self, interest: &mut Interest) {
        interest.request.extend(TOLD);
        interest.response.insert(header::CONTENT_TYPE);
        if self.parts.iter().any(|part| part.stale.is_some()) {
            interest.response.insert(header::CACHE_CONTROL);
        }
        for part in &self.parts {
            interest.request.extend(part.ask.forward_headers.iter().cloned());
            interest.response.extend(part.accept.fields.iter().cloned());
            let mut see = |source: &Source| interest.source(source);
            part.ask.each(&mut see);
            part.stop_body().into_iter().for_each(|body| body.each(&mut see));
            part.rules().for_each(|rule| rule.interest(interest));
        }
    }

    /// Adds the secrets that it needs.
    pub fn secrets<'a>(&'a self, slots: &mut Vec<&'a SecretSlot>) {
        for (_, value) in self.parts.iter().flat_map(|part| &part.ask.headers) {
            if let FieldValue::Secret { secret, .. } = value {
                slots.push(secret);
            }
        }
    }

    /// How long it takes at most.
    pub fn longest(&self, upstreams: &[Rc<Upstream>]) -> Duration {
        // One lane may stand empty, for what is required; and a part may leave some.
        let kept = usize::from(self.at_once > 1 && self.parts.iter().any(|part| part.need == Need::Optional));
        let own = self.parts.iter().filter_map(|part| part.each.as_ref().map(|each| each.at_once));
        let lanes = own.fold(self.at_once - kept, usize::min);
        plan::longest(&self.steps(upstreams), lanes as u64)
    }

    /// The plan that its parts make.
    pub fn steps(&self, upstreams: &[Rc<Upstream>]) -> Vec<plan::Step> {
        self.parts.iter().map(|part| part.step(upstreams)).collect()
    }
}

impl Part {
    /// Its rules.
    pub fn rules(&self) -> impl Iterator<Item = &Rule> {
        self.when.iter().chain(self.stop.iter().map(|stop| &stop.when))
    }

    /// What it is in a plan.
    pub fn step(&self, upstreams: &[Rc<Upstream>]) -> plan::Step {
        let upstream = upstreams.get(self.upstream);
        plan::Step {
            after: self.after.clone(),
            items: self.each.as_ref().map_or(1, |each| each.most as u64),
            tries: upstream.map_or(1, |upstream| upstream.most_calls(self.ask.what())),
            timeout: upstream.map_or(Duration::ZERO, |upstream| self.timeout(upstream)),
        }
    }

    /// How long an answer to it may take, to its end: with all tries of its upstream, where it does not say itself.
    pub fn timeout(&self, upstream: &Upstream) -> Duration {
        self.accept.timeout.unwrap_or_else(|| upstream.longest(self.ask.what()))
    }

    /// What its request is made of, of other parts.
    pub fn asks_for(&self) -> Vec<&Reference> {
        let mut references = Vec::new();
        self.ask.each(&mut |source| references.extend(referred(source)));
        references.extend(self.each.as_ref().map(|each| &each.over));
        references
    }

    /// What it looks at of other parts, and of itself.
    pub fn looks_at(&self) -> Vec<&Reference> {
        let mut references: Vec<&Reference> = self.rules().flat_map(references).collect();
        self.stop_body().into_iter().for_each(|body| body.each(&mut |source| references.extend(referred(source))));
        references
    }

    fn stop_body(&self) -> Option<&Form> {
        self.stop.as_ref()?.body.as_ref()
    }
}

/// What a rule looks at.
pub fn references(rule: &Rule) -> impl Iterator<Item = &Reference> {
    rule.uses.iter().filter_map(|(source, _)| match source {
        source::Source::Part(reference) => Some(reference),
        _ => None,
    })
}

fn referred(source: &Source) -> Option<&Reference> {
    match source {
        Source::Part(reference) => Some(reference),
        _ => None,
    }
}

impl Ask {
    /// What its upstream may do with it.
    pub fn what(&self) -> What {
        let keyed = self.headers.iter().map(|(name, _)| name).chain(&self.forward_headers);
        What::of(&self.method, keyed.into_iter().any(|name| *name == IDEMPOTENCY_KEY))
    }

    /// Shows every source in it.
    pub fn each<'a>(&'a self, see: &mut dyn FnMut(&'a Source)) {
        self.path.sources().for_each(&mut *see);
        self.query.iter().for_each(|(_, template)| template.sources().for_each(&mut *see));
        for (_, value) in &self.headers {
            if let FieldValue::Template(template) = value {
                template.sources().for_each(&mut *see);
            }
        }
        self.body.iter().for_each(|form| form.each(see));
    }
}

/// The field of a reference, if it is one.
pub fn field(reference: &Reference) -> Option<&HeaderName> {
    match &reference.of {
        Of::Header(name) => Some(name),
        Of::Status | Of::Body(_) => None,
    }
}
