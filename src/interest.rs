//! Which header fields a gateway reads or writes, known when it is loaded. A host for which a field costs something may
//! keep all others, and pass them on unseen: on Workers, half of the work of proxying is header fields that cross into
//! wasm and back.

use crate::gateway::{Action, Gateway};
use crate::headers::{HOP_BY_HOP, forwarded};
use crate::template::{Part, Source, Template};
use crate::upstream::HANDSHAKE;
use http::header::{self, HeaderName};
use std::collections::HashSet;

/// The fields of requests and of responses that a gateway must see.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Interest {
    pub request: HashSet<HeaderName>,
    pub response: HashSet<HeaderName>,
}

impl Interest {
    /// What a gateway must see.
    pub fn of(gateway: &Gateway) -> Interest {
        let mut interest = Interest::default();
        let own = [
            header::HOST,
            header::EXPECT,
            header::VIA,
            header::ACCEPT,
            header::CONTENT_LENGTH,
            header::MAX_FORWARDS,
            HeaderName::from_static("cdn-loop"),
            HeaderName::from_static("x-request-id"),
        ];
        let others = HOP_BY_HOP.iter().chain(&forwarded::FIELDS).chain(&HANDSHAKE);
        interest.request.extend(own.into_iter().chain(others.cloned()));
        interest.request.extend(gateway.log.headers.iter().cloned());
        let own = [header::VIA, header::CONTENT_LENGTH, HeaderName::from_static("x-request-id")];
        interest.response.extend(own.into_iter().chain(HOP_BY_HOP.iter().cloned()));
        interest.request.extend(gateway.router.fields().cloned());
        for route in &gateway.routes {
            for policy in &route.policies {
                policy.interest(&mut interest);
            }
            match &route.action {
                Action::Proxy(proxy) => proxy.templates().for_each(|template| interest.template(template)),
                Action::Redirect(redirect) => interest.template(&redirect.to),
                Action::Respond(_) => {}
            }
        }
        interest
    }

    /// What a template must see of the request.
    pub fn template(&mut self, template: &Template) {
        self.request.extend(template.parts.iter().filter_map(|part| match part {
            Part::Value(Source::Header(name)) => Some(name.clone()),
            _ => None,
        }));
    }
}
