//! Client certificates, as the platform has checked them. Workers alone knows them, so a configuration for Spin that asks
//! for one is refused when it is checked.

use super::{Authenticate, Outcome};
use crate::config::words::Method;
use crate::exchange::Exchange;
use crate::identity::Identity;
use crate::refusal::{Kind, Refusal};
use std::rc::Rc;

impl Authenticate {
    pub(super) fn certificate(&self, ex: &Exchange) -> Outcome {
        let Some(shown) = &ex.facts.certificate else { return Ok(None) };
        let refuse = |reason, detail| Err(Refusal::new(Method::Certificate, Kind::Invalid, reason, detail));
        if !shown.verified {
            return refuse("unverified", "the platform could not verify the certificate");
        }
        let is = |wanted: &Option<String>, have: &str| wanted.as_ref().is_none_or(|wanted| wanted == have);
        let found = self
            .consumers
            .certificates
            .iter()
            .find(|known| is(&known.sha256, &shown.sha256) && is(&known.subject, &shown.subject));
        match found.and_then(|found| self.consumers.at(found.consumer)) {
            Some(consumer) => {
                let identity = Identity::of(Method::Certificate, consumer);
                Ok(Some(Rc::new(Identity { subject: Some(shown.subject.clone()), ..identity })))
            }
            None => refuse("unknown-certificate", "nobody has this certificate"),
        }
    }
}
