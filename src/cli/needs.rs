//! What a configuration needs its platform to declare: secrets, addresses it may call, a key-value store. Read from
//! the sections themselves, so that it is known of a configuration with mistakes too.

use crate::compile::address;
use crate::config::diagnostic::Place;
use crate::config::document::{Kind, Sections, place_of};
use crate::config::read::read;
use crate::config::words::Text;
use crate::config::{self, HeaderEdits};
use std::collections::BTreeMap;

/// What a configuration needs, each with the place that says so.
#[derive(Debug, Default, Clone)]
pub struct Needs {
    /// By name, in capitals.
    pub secrets: BTreeMap<String, Place>,
    /// Scheme, host and, where it is not the scheme's own, port.
    pub origins: BTreeMap<String, Place>,
    /// The key-value store that holds the configuration.
    pub store: Option<(String, Place)>,
}

impl Needs {
    /// What these sections need.
    pub fn of(sections: &Sections) -> Needs {
        let mut needs = Needs::default();
        needs.add(sections);
        needs
    }

    /// Adds what more sections need.
    pub fn add(&mut self, sections: &Sections) {
        // What cannot be read has been reported by others.
        let mut ignored = Vec::new();
        let place = place_of(Kind::Gateway, "");
        if let Some(gateway) = &sections.gateway
            && let Some(source) =
                read::<config::Gateway>(&place, gateway, &mut ignored).and_then(|read| read.section.source)
        {
            self.store = Some((source.store, place.key("source").key("store")));
        }
        for (name, value) in &sections.upstreams {
            let place = place_of(Kind::Upstream, name);
            let upstream = read::<config::Upstream>(&place, value, &mut ignored);
            let url = upstream.and_then(|read| address(&read.section.url).ok());
            if let Some(url) = url.filter(|url| matches!(url.scheme(), "http" | "https")) {
                self.origins.entry(url.origin().ascii_serialization()).or_insert(place.key("url"));
            }
        }
        for (name, value) in &sections.routes {
            let place = place_of(Kind::Route, name);
            if let Some(route) = read::<config::Route>(&place, value, &mut ignored) {
                self.edits(&place.key("request_headers"), route.section.request_headers.as_ref());
                self.edits(&place.key("response_headers"), route.section.response_headers.as_ref());
            }
        }
    }

    fn edits(&mut self, place: &Place, edits: Option<&HeaderEdits>) {
        let Some(edits) = edits else { return };
        for (key, fields) in [("set", &edits.set), ("add", &edits.add)] {
            for (name, value) in fields {
                if let Text::Secret(secret) = value {
                    let place = place.key(key).key(name).key("secret");
                    self.secrets.entry(secret.secret.clone()).or_insert(place);
                }
            }
        }
    }
}

/// The Spin variable that holds a secret.
pub fn variable_of(secret: &str) -> String {
    secret.to_ascii_lowercase()
}
