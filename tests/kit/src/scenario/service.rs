//! What an upstream answers: the steps of an exchange, in order, and services, which answer any number of requests.

use super::answer::{Answer, Fault};
use super::expected::ExpectedRequest;
use super::{Exchange, UpstreamStep};
use crate::seen::AnsweredBy;
use anyhow::{Result, ensure};
use serde::Deserialize;
use std::collections::VecDeque;

/// What an upstream answers to any number of requests, in any exchange, where no step says otherwise: the key set of an
/// issuer. Where several go with a request, the last of them answers.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Service {
    /// `NAME.test`.
    pub at: String,
    /// The path of the requests it answers; any when not given.
    pub path: Option<String>,
    /// Their method; any when not given.
    pub method: Option<String>,
    #[serde(default)]
    pub answer: Answer,
    /// In an exchange: what exchanges have said of this upstream, and of this path where one is given, holds no longer.
    #[serde(default)]
    pub restore: bool,
}

/// What one upstream answers during one exchange.
#[derive(Debug, Clone, Default)]
pub struct Script {
    steps: VecDeque<UpstreamStep>,
    services: Vec<Service>,
}

impl Service {
    fn answers(&self, method: &str, path: &str) -> bool {
        self.path.as_deref().is_none_or(|own| own == path) && self.method.as_deref().is_none_or(|own| own == method)
    }

    pub(super) fn check(&self) -> Result<()> {
        self.answer.check()?;
        if self.answer.fault == Some(Fault::Refuse) {
            ensure!(self.path.is_none() && self.method.is_none(), "who refuses connections sees no path and no method");
        }
        Ok(())
    }
}

/// Adds what an exchange says to what was said before.
pub(super) fn change(services: &mut Vec<Service>, own: &[Service], changes: &[Service]) {
    for change in changes.iter().cloned() {
        if change.restore {
            let meant = |one: &Service| one.at == change.at && (change.path.is_none() || one.path == change.path);
            services.retain(|one| !meant(one));
            services.extend(own.iter().filter(|one| meant(one)).cloned());
        } else {
            services.push(change);
        }
    }
}

impl Script {
    /// What the upstream of this name answers in an exchange.
    pub fn of(exchange: &Exchange, name: &str) -> Script {
        let services = exchange.services.iter().filter(|service| service.at == name).cloned().collect();
        Script { steps: exchange.steps_of(name).cloned().collect(), services }
    }

    /// These answers, one after the other, whatever the requests are.
    pub fn in_order(answers: Vec<Answer>) -> Script {
        let step = |answer| UpstreamStep { at: String::new(), expect: ExpectedRequest::default(), answer };
        Script { steps: answers.into_iter().map(step).collect(), services: Vec::new() }
    }

    /// These services alone.
    pub fn serving(services: Vec<Service>) -> Script {
        Script { steps: VecDeque::new(), services }
    }

    /// Whether it ends connections without an answer.
    pub fn breaks_off(&self) -> bool {
        let ends = |answer: &Answer| matches!(answer.fault, Some(Fault::Close | Fault::Reset));
        let mut services = self.services.iter().map(|service| &service.answer);
        services.any(ends) || self.steps.iter().any(|step| ends(&step.answer))
    }

    /// Whether it refuses connections: every step says so, or what was said last of its services.
    ///
    /// # Errors
    ///
    /// It refuses some and takes others.
    pub fn refuses(&self) -> Result<bool> {
        let refuse = |answer: &Answer| answer.fault == Some(Fault::Refuse);
        let refusing = self.steps.iter().filter(|step| refuse(&step.answer)).count();
        ensure!(refusing == 0 || refusing == self.steps.len(), "an upstream refuses all connections or none");
        let down = self.services.last().is_some_and(|service| refuse(&service.answer));
        ensure!(!down || refusing == self.steps.len(), "an upstream that refuses connections takes no steps");
        Ok(down || refusing > 0)
    }

    /// Answers a request: with the next step, unless that is for another path and a service is for this one. 599 where
    /// nothing was said.
    pub fn answer(&mut self, method: &str, target: &str) -> (Answer, AnsweredBy) {
        let path = path_of(target);
        let service = self.services.iter().rev().find(|service| service.answers(method, path));
        let elsewhere = |step: &UpstreamStep| step.expect.target.as_deref().is_some_and(|own| path_of(own) != path);
        match (self.steps.pop_front_if(|step| service.is_none() || !elsewhere(step)), service) {
            (Some(step), _) => (step.answer, AnsweredBy::Step),
            (None, Some(service)) => (service.answer.clone(), AnsweredBy::Service),
            (None, None) => (Answer { status: 599, ..Answer::default() }, AnsweredBy::Nothing),
        }
    }
}

/// A target without its query.
pub(crate) fn path_of(target: &str) -> &str {
    target.split('?').next().unwrap_or_default()
}
