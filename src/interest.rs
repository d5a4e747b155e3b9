//! Which header fields a gateway reads or writes, and what it asks of clients, known when it is loaded. A host for
//! which a field costs something may keep all others, and pass them on unseen: on Workers, half of the work of proxying
//! is header fields that cross into wasm and back.

use crate::template::{Source, Template};
use http::HeaderName;
use std::collections::HashSet;

/// The fields of requests and of responses that a gateway must see, and what it wants to know of clients.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Interest {
    pub request: HashSet<HeaderName>,
    pub response: HashSet<HeaderName>,
    /// Whether every field of requests must be seen: a signature may cover any of them, and a copy has all.
    pub all_request_fields: bool,
    /// Whether every field of responses must be seen: one whose body is read is made anew.
    pub all_response_fields: bool,
    /// Whether the country of a client is looked at.
    pub country: bool,
    /// Whether client certificates are looked at.
    pub certificate: bool,
}

impl Interest {
    /// Adds what another one must see.
    pub fn add(&mut self, other: &Interest) {
        self.request.extend(other.request.iter().cloned());
        self.response.extend(other.response.iter().cloned());
        self.all_request_fields |= other.all_request_fields;
        self.all_response_fields |= other.all_response_fields;
        self.country |= other.country;
        self.certificate |= other.certificate;
    }

    /// What a template must see of the request.
    pub fn template(&mut self, template: &Template) {
        template.sources().for_each(|source| self.source(source));
    }

    /// What a value must be seen of.
    pub fn source(&mut self, source: &Source) {
        match source {
            Source::Header(name) => drop(self.request.insert(name.clone())),
            Source::ClientCountry => self.country = true,
            _ => {}
        }
    }
}
