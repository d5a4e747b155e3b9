//! What a route does.

use super::{Diagnostics, One, Scope};
use crate::compile::{address, admin, aggregate, batch, unknown_upstream, upstream, within};
use crate::config;
use crate::config::diagnostic::{Code, Diagnostic, Place};
use crate::gateway::Action;
use crate::respond::{Redirect, Respond};
use crate::routing::pattern::Pattern;
use crate::rule;
use crate::template::Template;
use crate::upstream::proxy::Proxy;
use crate::upstream::rewrite::{PathRewrite, QueryRewrite};
use crate::upstream::split::{Arm, Mirror};
use bytes::Bytes;
use http::{HeaderValue, StatusCode};
use std::time::Duration as Std;

impl One<'_> {
    /// The one thing that the route does. `None` after a mistake.
    pub fn action(&self, patterns: &[&Pattern], diagnostics: &mut Diagnostics) -> Option<Action> {
        let config::Route { upstream, aggregate, batch, redirect, respond, admin, .. } = self.section;
        let given = [
            ("upstream", upstream.is_some()),
            ("aggregate", aggregate.is_some()),
            ("batch", batch.is_some()),
            ("redirect", redirect.is_some()),
            ("respond", respond.is_some()),
            ("admin", admin.is_some()),
        ];
        let given: Vec<&str> = given.into_iter().filter_map(|(key, given)| given.then_some(key)).collect();
        match given.as_slice() {
            [] if self.complete => {
                let message = "the route does not say what to do";
                let help = "add `upstream`, `aggregate`, `batch`, `redirect`, `respond` or `admin`";
                diagnostics
                    .push(Diagnostic::new(Code::NoAction, self.place.clone().name(), message, "no action").help(help));
                return None;
            }
            [first, second, ..] => {
                let message = format!("a route does one thing, not `{}`", given.join("` and `"));
                let diagnostic =
                    Diagnostic::new(Code::SeveralActions, self.place.key(second).name(), message, "a second action")
                        .help("keep one of them, or make two routes")
                        .related(self.place.key(first).name(), "the first action");
                diagnostics.push(diagnostic);
                return None;
            }
            _ => {}
        }
        if upstream.is_none() {
            self.misplaced(diagnostics);
        }
        if let Some(section) = aggregate {
            let (parameters, place) = (self.parameters(patterns), self.place.key("aggregate"));
            let Scope { targets, upstreams, .. } = *self.scope;
            let scope =
                aggregate::Scope { parameters, targets, upstreams, compiled: self.upstreams, shelf: self.shelf };
            return aggregate::compile(section, &place, &scope, diagnostics).map(Action::Aggregate);
        }
        if let Some(section) = batch {
            return Some(Action::Batch(batch::compile(
                section,
                &self.place.key("batch"),
                self.scope.targets,
                diagnostics,
            )));
        }
        if let Some(redirect) = redirect {
            return self.redirect(redirect, patterns, diagnostics).map(Action::Redirect);
        }
        if let Some(respond) = respond {
            return self::respond(respond, &self.place.key("respond"), diagnostics).map(Action::Respond);
        }
        if let Some(admin) = admin {
            admin::check(self.section, self.place, self.authenticates(), diagnostics);
            return Some(Action::Admin(*admin));
        }
        self.proxy(upstream.as_deref()?, patterns, diagnostics).map(Box::new).map(Action::Proxy)
    }

    /// Keys that mean nothing unless the route calls an upstream.
    fn misplaced(&self, diagnostics: &mut Diagnostics) {
        let keys = [
            ("rewrite", self.section.rewrite.is_some()),
            ("split", !self.section.split.is_empty()),
            ("mirror", self.section.mirror.is_some()),
            ("idempotency", self.section.idempotency.is_some()),
            ("request_headers", self.section.request_headers.is_some()),
            ("websocket", self.section.websocket),
        ];
        for (key, _) in keys.into_iter().filter(|(_, given)| *given) {
            let place = self.place.key(key).name();
            let (message, label) = match self.section.aggregate {
                Some(_) => (format!("`{key}` has no meaning on an aggregate"), "its parts say what they are asked"),
                None => (format!("`{key}` has no meaning on a route that calls no upstream"), "no upstream is called"),
            };
            diagnostics.push(Diagnostic::new(Code::MisplacedKey, place, message, label));
        }
    }

    fn proxy(&self, upstream: &str, patterns: &[&Pattern], diagnostics: &mut Diagnostics) -> Option<Proxy> {
        let position = self.scope.upstreams.iter().position(|known| *known == upstream);
        if position.is_none() {
            diagnostics.push(unknown_upstream(upstream, self.scope.upstreams, self.place.key("upstream")));
        }
        if self.section.websocket {
            for target in self.scope.targets.iter().filter(|target| !target.websocket) {
                let message = format!("{} has no WebSockets", target.platform);
                let help = "take the key away, or name the platforms that this configuration is for: `gateway.targets`";
                let place = self.place.key("websocket");
                diagnostics.push(Diagnostic::new(Code::Unsupported, place, message, "not on this platform").help(help));
            }
        }
        let (path, query) = self.rewrite(patterns, diagnostics);
        let (split, mirror) = self.others(upstream, patterns, diagnostics);
        // A name that is none was told of already.
        let set = self.section.request_headers.iter().flat_map(|edits| edits.set.keys().chain(edits.add.keys()));
        let fields = set.filter_map(|name| name.parse().ok()).collect();
        Some(Proxy { upstream: position?, split, mirror, path, query, websocket: self.section.websocket, fields })
    }

    /// The upstreams beside the route's own.
    fn others(&self, own: &str, patterns: &[&Pattern], diagnostics: &mut Diagnostics) -> (Vec<Arm>, Option<Mirror>) {
        let parameters = &self.parameters(patterns);
        let rules = rule::Scope { parameters, targets: self.scope.targets, has_identity: parameters.identity };
        let scope = upstream::route::Scope { names: self.scope.upstreams, complete: self.complete, rules };
        let split = upstream::route::split(&self.section.split, &self.place.key("split"), &scope, diagnostics);
        let place = self.place.key("mirror");
        let mirror = self.section.mirror.as_ref();
        let mirror = mirror.and_then(|mirror| upstream::route::mirror(mirror, Some(own), &place, &scope, diagnostics));
        (split, mirror)
    }

    fn rewrite(&self, patterns: &[&Pattern], diagnostics: &mut Diagnostics) -> (PathRewrite, QueryRewrite) {
        let mut query = QueryRewrite::default();
        let Some(rewrite) = &self.section.rewrite else { return (PathRewrite::Keep, query) };
        let place = self.place.key("rewrite");
        let parameters = self.parameters(patterns);
        query.keep.clone_from(&rewrite.query.keep);
        query.remove.clone_from(&rewrite.query.remove);
        for (name, text) in &rewrite.query.set {
            let place = place.key("query").key("set").key(name);
            if let Some(template) = Template::compile(text, &place, &parameters, diagnostics) {
                query.set.push((name.clone(), template));
            }
        }
        if let (Some(_), Some(_)) = (&rewrite.path, &rewrite.strip_prefix) {
            let message = "a path is written by a template, or loses a prefix, not both";
            let diagnostic =
                Diagnostic::new(Code::MisplacedKey, place.key("strip_prefix").name(), message, "beside `path`")
                    .related(place.key("path").name(), "the template");
            diagnostics.push(diagnostic);
        }
        let path = match (&rewrite.path, &rewrite.strip_prefix) {
            (Some(path), _) => {
                address::path(path, &place.key("path"), &parameters, diagnostics).map(PathRewrite::Template)
            }
            (None, Some(prefix)) => address::strip(prefix, &place.key("strip_prefix"), patterns, diagnostics),
            (None, None) => None,
        };
        (path.unwrap_or(PathRewrite::Keep), query)
    }

    fn redirect(
        &self,
        redirect: &config::Redirect,
        patterns: &[&Pattern],
        diagnostics: &mut Diagnostics,
    ) -> Option<Redirect> {
        let place = self.place.key("redirect");
        let status = redirect.status.unwrap_or(307);
        if !matches!(status, 301 | 302 | 303 | 307 | 308) {
            let message = format!("{status} is no redirection to another address");
            let help = "it can be 301, 302, 303, 307 or 308";
            diagnostics
                .push(Diagnostic::new(Code::BadStatus, place.key("status"), message, "not a redirection").help(help));
        }
        let to = address::redirection(&redirect.to, &place.key("to"), &self.parameters(patterns), diagnostics)?;
        Some(Redirect {
            to,
            status: StatusCode::from_u16(status).ok()?,
            keep_query: redirect.keep_query.unwrap_or(true),
        })
    }
}

/// A fixed response.
pub fn respond(respond: &config::Respond, place: &Place, diagnostics: &mut Diagnostics) -> Option<Respond> {
    let status = respond.status.unwrap_or(200);
    if !(200..=599).contains(&status) {
        let message = format!("{status} is no status of a final response");
        diagnostics.push(Diagnostic::new(Code::BadStatus, place.key("status"), message, "200 to 599"));
    }
    if let (Some(_), Some(_)) = (&respond.body, &respond.json) {
        let message = "a response has one body";
        let diagnostic = Diagnostic::new(Code::MisplacedKey, place.key("json").name(), message, "beside `body`")
            .related(place.key("body").name(), "the other body");
        diagnostics.push(diagnostic);
    }
    // RFC 9110, sections 15.3.5, 15.3.6 and 15.4.5.
    let key = if respond.json.is_some() { "json" } else { "body" };
    if matches!(status, 204 | 205 | 304) && (respond.body.is_some() || respond.json.is_some()) {
        let message = format!("a {status} response has no body");
        diagnostics.push(Diagnostic::new(Code::MisplacedKey, place.key(key).name(), message, "never sent"));
    }
    within(respond.delay, Std::ZERO..=Std::from_secs(60), &place.key("delay"), diagnostics);
    let (body, media_type) = match (&respond.json, &respond.body) {
        (Some(json), _) => (json.to_string(), Some("application/json")),
        (None, Some(body)) => (body.clone(), Some("text/plain; charset=utf-8")),
        (None, None) => (String::new(), None),
    };
    Some(Respond {
        status: StatusCode::from_u16(status).ok()?,
        media_type: media_type.map(HeaderValue::from_static),
        body: Bytes::from(body),
        delay: respond.delay.map_or(Std::ZERO, |delay| delay.0),
    })
}
