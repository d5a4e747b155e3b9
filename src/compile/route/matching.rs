//! What a route matches: its ways in.

use super::{Diagnostics, One, Placed, placed};
use crate::compile::bad_header_name;
use crate::config::diagnostic::{Code, Diagnostic, Place, did_you_mean};
use crate::config::words::Presence;
use crate::routing::condition::{Conditions, METHODS};
use crate::routing::pattern::Pattern;
use crate::routing::{Entry, HostPattern, RouteId};
use http::{HeaderName, Method};
use std::rc::Rc;

impl One<'_> {
    pub fn patterns(&self, diagnostics: &mut Diagnostics) -> Vec<(Rc<Pattern>, Place)> {
        let place = self.place.key("match").key("path");
        let paths = &self.section.r#match.path;
        if paths.items.is_empty() {
            let message = "a route has one path at least";
            diagnostics.push(Diagnostic::new(Code::OutOfRange, place.clone(), message, "no path"));
        }
        let mut patterns = Vec::new();
        for (place, text) in placed(paths, &place) {
            match Pattern::parse(text) {
                Ok(pattern) => patterns.push((Rc::new(pattern), place)),
                Err(malformed) => {
                    let message = format!("the pattern cannot be parsed: {}", malformed.reason);
                    let help = "patterns are like \"/orders\", \"/orders/{id}\" and \"/files/{*rest}\"";
                    let place = place.within(malformed.range);
                    diagnostics.push(Diagnostic::new(Code::BadPattern, place, message, "here").help(help));
                }
            }
        }
        patterns
    }

    pub fn entries(
        &self,
        route: RouteId,
        name: &str,
        patterns: &[(Rc<Pattern>, Place)],
        diagnostics: &mut Diagnostics,
    ) -> Vec<Placed> {
        let hosts = self.hosts(diagnostics);
        let conditions = Rc::new(self.conditions(diagnostics));
        let mut entries = Vec::new();
        for host in &hosts {
            for (pattern, place) in patterns {
                let entry = Entry {
                    route,
                    host: host.clone(),
                    pattern: Rc::clone(pattern),
                    conditions: Rc::clone(&conditions),
                };
                entries.push(Placed { entry, pattern: place.clone(), name: name.to_owned() });
            }
        }
        entries
    }

    fn hosts(&self, diagnostics: &mut Diagnostics) -> Vec<HostPattern> {
        let place = self.place.key("match").key("host");
        let mut hosts = Vec::new();
        for (place, text) in placed(&self.section.r#match.host, &place) {
            match host(text) {
                Some(host) => hosts.push(host),
                None => {
                    let message = format!("`{text}` is no host to match");
                    let help = match text {
                        "*" => "take the key away: then any host matches",
                        text if !text.is_ascii() => "write the name in its ASCII form, `xn--..`",
                        _ => "write \"api.example.com\" or \"*.example.com\", without scheme, port and path",
                    };
                    diagnostics.push(Diagnostic::new(Code::BadHost, place, message, "not a host").help(help));
                }
            }
        }
        if self.section.r#match.host.items.is_empty() {
            hosts.push(HostPattern::Any);
        }
        hosts
    }

    fn conditions(&self, diagnostics: &mut Diagnostics) -> Conditions {
        let place = self.place.key("match");
        let mut conditions = Conditions::default();
        for (index, text) in self.section.r#match.methods.iter().enumerate() {
            let known = text.parse::<Method>().is_ok_and(|method| conditions.methods.insert(&method));
            if !known {
                let message = format!("`{text}` is no method that can be routed by name");
                let names = METHODS.iter().map(Method::as_str);
                let help = did_you_mean(text, names.clone()).unwrap_or_else(|| {
                    let names: Vec<&str> = names.collect();
                    format!("methods are {}; a route without `methods` takes any other too", names.join(", "))
                });
                let place = place.key("methods").index(index);
                diagnostics.push(Diagnostic::new(Code::BadMethod, place, message, "not a method").help(help));
            }
        }
        for (text, wanted) in &self.section.r#match.headers {
            match text.parse::<HeaderName>() {
                Ok(name) => conditions.headers.push((name, wanted.clone())),
                Err(_) => diagnostics.push(bad_header_name(text, place.key("headers").key(text).name())),
            }
        }
        let query = &self.section.r#match.query;
        conditions.query =
            query.iter().map(|(name, wanted): (&String, &Presence)| (name.clone(), wanted.clone())).collect();
        conditions
    }
}

/// A host as it is matched: small letters, in its ASCII form.
fn host(text: &str) -> Option<HostPattern> {
    let (wildcard, name) = match text.strip_prefix("*.") {
        Some(name) => (true, name),
        None => (false, text),
    };
    let address = name.starts_with('[') && name.ends_with(']');
    let label = |label: &str| {
        !label.is_empty()
            && label.len() <= 63
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
    };
    if name.len() > 253 || !(address || name.split('.').all(label)) {
        return None;
    }
    let name = name.to_ascii_lowercase();
    Some(if wildcard { HostPattern::Wildcard(format!(".{name}")) } else { HostPattern::Exact(name) })
}
