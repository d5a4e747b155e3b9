//! Which header fields a gateway reads or writes, known when it is loaded. A host for which a field costs something may
//! keep all others, and pass them on unseen: on Workers, half of the work of proxying is header fields that cross into
//! wasm and back.

use crate::template::{Part, Source, Template};
use http::HeaderName;
use std::collections::HashSet;

/// The fields of requests and of responses that a gateway must see.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Interest {
    pub request: HashSet<HeaderName>,
    pub response: HashSet<HeaderName>,
}

impl Interest {
    /// What a template must see of the request.
    pub fn template(&mut self, template: &Template) {
        self.request.extend(template.parts.iter().filter_map(|part| match part {
            Part::Value(Source::Header(name)) => Some(name.clone()),
            _ => None,
        }));
    }
}
