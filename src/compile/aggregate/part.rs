//! A part of an aggregate by itself: what is asked, what is taken for an answer, and which shape it gets. Whom it waits
//! for is looked at when all parts are known.

use super::{Diagnostics, Scope, form, paths, position};
use crate::aggregate::shape::{Shape, Tree};
use crate::aggregate::{Accept, Ask, Each, Part, Stop};
use crate::compile::{WAIT, address, edits, out_of_range, size, unknown_upstream, within};
use crate::config::aggregate::{self as section, Need};
use crate::config::diagnostic::{Code, Diagnostic, Place, did_you_mean};
use crate::config::names;
use crate::part::{Answer, Of, Reference};
use crate::policy::transform::FieldValue;
use crate::raw::Document;
use crate::routing::condition::METHODS;
use crate::rule::{self, Rule};
use crate::template::{Parameters, Template};
use http::{HeaderName, Method, StatusCode, header};
use std::ops::RangeInclusive;
use std::rc::Rc;
use std::time::Duration as Std;

const MAX_SIZE: u64 = 1_000_000;
const SIZE: RangeInclusive<u64> = 1..=16_000_000;
const STALE: RangeInclusive<Std> = Std::from_secs(1)..=Std::from_secs(7 * 86_400);
const MOST: RangeInclusive<u64> = 1..=1_000;

/// One part while it is compiled.
pub struct One<'a> {
    pub section: &'a section::Part,
    pub place: &'a Place,
    pub scope: &'a Scope<'a>,
    /// The names of all parts.
    pub parts: &'a [&'a str],
    /// How many requests are under way at the same time.
    pub at_once: usize,
}

impl One<'_> {
    pub fn compile(&self, diagnostics: &mut Diagnostics) -> Option<Part> {
        let section = self.section;
        let upstream = self.scope.upstreams.iter().position(|known| *known == section.upstream);
        if upstream.is_none() {
            diagnostics.push(unknown_upstream(&section.upstream, self.scope.upstreams, self.place.key("upstream")));
        }
        let ask = self.ask(diagnostics);
        let when = section.when.as_ref().map(|text| self.rule(text, &self.place.key("when"), diagnostics));
        let stop = section.stop.as_ref().map(|stop| self.stop(stop, diagnostics));
        let each = self.each(diagnostics);
        let after = self.after(diagnostics);
        let accept = self.accept(diagnostics);
        let shape = self.shape(diagnostics);
        let fallback = section.fallback.as_ref().map(Document::of);
        if fallback.as_ref().is_some_and(|fallback| shape.fits(fallback.raw()).is_err()) {
            let message = "what stands in for the answer lacks what is taken of it";
            let help = "write it as the upstream would have answered it: `target` and `collection` come after it";
            let place = self.place.key("fallback");
            diagnostics.push(Diagnostic::new(Code::BadValue, place, message, "does not fit").help(help));
        }
        within(section.stale, STALE, &self.place.key("stale"), diagnostics);
        let reads = section.method.as_deref().is_none_or(|method| matches!(method, "GET" | "HEAD"));
        if section.stale.is_some() && !reads {
            let message = "what only reads may be answered with what was answered before";
            let place = self.place.key("stale").name();
            let diagnostic = Diagnostic::new(Code::MisplacedKey, place, message, "the method does more");
            diagnostics.push(diagnostic.related(self.place.key("method"), "not GET, nor HEAD"));
        }
        Some(Part {
            name: Rc::from(section.name.as_str()),
            upstream: upstream?,
            ask: ask?,
            after,
            needs: Vec::new(),
            when: when.map_or(Some(None), |rule| rule.map(Some))?,
            stop: stop.map_or(Some(None), |stop| stop.map(Some))?,
            each: each?,
            need: section.need.unwrap_or(Need::Required),
            fallback: fallback.map(|body| Rc::new(Answer { body: Some(body), good: true, ..Answer::default() })),
            stand_in: None,
            for_part: None,
            stale: section.stale.map(|stale| stale.0),
            accept,
            shape,
            group: section.group.clone(),
        })
    }

    /// What its templates can name.
    fn parameters(&self) -> Parameters<'_> {
        let Parameters { all, some, unsure, identity, without_country, .. } = &self.scope.parameters;
        Parameters {
            all: all.clone(),
            some: some.clone(),
            unsure: *unsure,
            identity: *identity,
            without_country: *without_country,
            parts: Some(self.parts),
            item: self.section.each.is_some(),
        }
    }

    fn ask(&self, diagnostics: &mut Diagnostics) -> Option<Ask> {
        let (section, parameters) = (self.section, self.parameters());
        let method = self.method(diagnostics);
        // RFC 9110, sections 9.3.1 and 9.3.2: content has no meaning there, and neither platform sends it.
        if let (Some(method @ (Method::GET | Method::HEAD)), Some(_)) = (&method, &section.body) {
            let message = format!("a {method} request has no body");
            let place = self.place.key("body").name();
            let diagnostic = Diagnostic::new(Code::MisplacedKey, place, message, "never sent");
            diagnostics.push(diagnostic.help("write another method: `method = \"POST\"`"));
        }
        let path = address::path(&section.path, &self.place.key("path"), &parameters, diagnostics);
        let mut query = Vec::new();
        for (name, text) in &section.query {
            let template = Template::compile(text, &self.place.key("query").key(name), &parameters, diagnostics);
            query.extend(template.map(|template| (name.clone(), template)));
        }
        let headers = self.headers(&parameters, diagnostics);
        let body =
            section.body.as_ref().map(|body| form::compile(body, &self.place.key("body"), &parameters, diagnostics));
        let place = self.place.key("forward_headers");
        let named = section.forward_headers.iter().enumerate();
        let forward_headers = named.filter_map(|(index, text)| field(text, place.index(index), diagnostics)).collect();
        let forward_query = section.forward_query.clone();
        Some(Ask { method: method?, path: path?, query, headers, body, forward_headers, forward_query })
    }

    fn method(&self, diagnostics: &mut Diagnostics) -> Option<Method> {
        let Some(text) = &self.section.method else { return Some(Method::GET) };
        let place = self.place.key("method");
        let known = METHODS.iter().find(|method| method.as_str() == text);
        if known.is_none() {
            let names = METHODS.iter().map(Method::as_str);
            let help = did_you_mean(text, names.clone())
                .unwrap_or_else(|| format!("methods are {}", names.collect::<Vec<_>>().join(", ")));
            let message = format!("`{text}` is no method that a part can have");
            diagnostics.push(Diagnostic::new(Code::BadMethod, place.clone(), message, "not a method").help(help));
        }
        known.cloned()
    }

    fn headers(&self, parameters: &Parameters<'_>, diagnostics: &mut Diagnostics) -> Vec<(HeaderName, FieldValue)> {
        let mut headers = Vec::new();
        for (text, value) in &self.section.headers {
            let place = self.place.key("headers").key(text);
            let name = field(text, place.clone().name(), diagnostics);
            let value = edits::field_value(value, &place, parameters, diagnostics);
            headers.extend(name.zip(value));
        }
        headers
    }

    fn rule(&self, text: &str, place: &Place, diagnostics: &mut Diagnostics) -> Option<Rule> {
        let parameters = self.parameters();
        let has_identity = parameters.identity;
        let scope = rule::Scope { parameters: &parameters, targets: self.scope.targets, has_identity };
        Rule::compile(text, place, &scope, diagnostics)
    }

    fn stop(&self, stop: &section::Stop, diagnostics: &mut Diagnostics) -> Option<Stop> {
        let place = self.place.key("stop");
        let when = self.rule(&stop.when, &place.key("when"), diagnostics);
        let place = place.key("respond");
        let status = stop.respond.status.unwrap_or(200);
        if !(200..=599).contains(&status) {
            let message = format!("{status} is no status of a final response");
            diagnostics.push(Diagnostic::new(Code::BadStatus, place.key("status"), message, "200 to 599"));
        }
        // RFC 9110, sections 15.3.5, 15.3.6 and 15.4.5.
        if matches!(status, 204 | 205 | 304) && stop.respond.json.is_some() {
            let message = format!("a {status} response has no body");
            diagnostics.push(Diagnostic::new(Code::MisplacedKey, place.key("json").name(), message, "never sent"));
        }
        let parameters = Parameters { item: false, ..self.parameters() };
        let json = stop.respond.json.as_ref();
        let body = json.map(|json| form::compile(json, &place.key("json"), &parameters, diagnostics));
        Some(Stop { when: when?, status: StatusCode::from_u16(status).ok()?, body })
    }

    /// What it is repeated over: `None` after a mistake.
    fn each(&self, diagnostics: &mut Diagnostics) -> Option<Option<Each>> {
        let (place, most) = (self.place.key("each"), self.section.most);
        let Some(text) = &self.section.each else {
            let keys = [("most", most.is_some()), ("at_once", self.section.at_once.is_some())];
            for (key, _) in keys.into_iter().filter(|(_, given)| *given) {
                let message = "nothing is repeated here";
                let help = "say what for: `each = \"part.NAME.body.items\"`";
                let place = self.place.key(key).name();
                diagnostics.push(Diagnostic::new(Code::MisplacedKey, place, message, "of nothing").help(help));
            }
            return Some(None);
        };
        if most.is_none() {
            let message = "it is not said how often the part is asked at most";
            let help = "add `most`: an array may have any number of items";
            diagnostics.push(Diagnostic::new(Code::BadPlan, place.clone().name(), message, "unbounded").help(help));
        }
        let most = most.unwrap_or(1);
        if !MOST.contains(&most) {
            diagnostics.push(out_of_range(&most.to_string(), &self.place.key("most"), "1 to 1000".to_owned()));
        }
        let at_once = self.section.at_once.unwrap_or(self.at_once as u64);
        if self.section.at_once.is_some() && !(1..=self.at_once as u64).contains(&at_once) {
            let allowed = format!("1 to {}, the `at_once` of the whole", self.at_once);
            diagnostics.push(out_of_range(&at_once.to_string(), &self.place.key("at_once"), allowed));
        }
        let over = self.array(text, &place, diagnostics)?;
        let [most, at_once] = [most, at_once].map(|count| usize::try_from(count).unwrap_or(1));
        Some(Some(Each { over, most, at_once }))
    }

    /// An array of an earlier part's answer.
    fn array(&self, text: &str, place: &Place, diagnostics: &mut Diagnostics) -> Option<Reference> {
        let names = names::path(text).ok().filter(|names| names.first().is_some_and(|first| first == "part"));
        let found = names.and_then(|names| Reference::find(names.get(1..)?).ok());
        match found {
            Some(reference @ Reference { of: Of::Body(_), .. }) => {
                position(&reference.part, self.parts, place, diagnostics).map(|_| reference)
            }
            _ => {
                let message = format!("`{text}` is no value of a part's answer");
                let help = "write \"part.NAME.body.items\"";
                diagnostics
                    .push(Diagnostic::new(Code::BadValue, place.clone(), message, "not such a value").help(help));
                None
            }
        }
    }

    /// Whom it says that it waits for.
    fn after(&self, diagnostics: &mut Diagnostics) -> Vec<usize> {
        let place = self.place.key("after");
        let named = self.section.after.iter().enumerate();
        named.filter_map(|(index, name)| position(name, self.parts, &place.index(index), diagnostics)).collect()
    }

    fn accept(&self, diagnostics: &mut Diagnostics) -> Accept {
        let section = self.section;
        for (index, status) in section.expect.iter().enumerate().filter(|(_, status)| !(200..=599).contains(*status)) {
            let message = format!("{status} is no status of a final response");
            let place = self.place.key("expect").index(index);
            diagnostics.push(Diagnostic::new(Code::BadStatus, place, message, "200 to 599"));
        }
        within(section.timeout, WAIT, &self.place.key("timeout"), diagnostics);
        Accept {
            statuses: section.expect.clone(),
            timeout: section.timeout.map(|timeout| timeout.0),
            most: size(section.max_size, MAX_SIZE, SIZE, &self.place.key("max_size"), diagnostics),
            decode: section.decode,
            fields: Vec::new(),
        }
    }

    fn shape(&self, diagnostics: &mut Diagnostics) -> Shape {
        let section = self.section;
        let place = |key: &str| self.place.key(key);
        let target = section.target.as_ref().map(|text| {
            names::path(text).unwrap_or_else(|(range, reason)| {
                let message = format!("`{text}` is no path into an answer: {reason}");
                let place = place("target").within(range);
                diagnostics.push(Diagnostic::new(Code::BadValue, place, message, "not a path"));
                Vec::new()
            })
        });
        let some = |tree: Tree| Some(tree).filter(|tree| *tree != Tree::default());
        let allowed = section.allow.as_deref().unwrap_or_default();
        let lists = [("allow", allowed), ("deny", &section.deny)];
        let listed = lists.into_iter().flat_map(|(key, paths)| {
            paths.iter().enumerate().map(move |(index, text)| (place(key).index(index), text))
        });
        let mapped = section.mapping.keys().map(|text| (place("mapping").key(text).name(), text));
        paths::dissolved(&section.flatten, listed.chain(mapped), diagnostics);
        Shape {
            target: target.unwrap_or_default(),
            collection: section.collection.as_ref().and_then(|collection| collection.0.clone()),
            flatten: some(paths::tree(&section.flatten, &place("flatten"), diagnostics)),
            allow: section.allow.as_ref().map(|allow| paths::tree(allow, &place("allow"), diagnostics)),
            deny: some(paths::tree(&section.deny, &place("deny"), diagnostics)),
            names: some(paths::names(&section.mapping, &place("mapping"), diagnostics)),
        }
    }
}

/// A field of a part's request.
fn field(text: &str, place: Place, diagnostics: &mut Diagnostics) -> Option<HeaderName> {
    let name = edits::editable(text, place.clone(), diagnostics)?;
    let message = match name {
        header::ACCEPT_ENCODING => "the answer of a part is read, so no other coding of it is asked for",
        // RFC 9110, sections 13.1 and 14.2.
        header::RANGE | header::IF_RANGE => "a part is made of a whole answer, not of a range",
        header::IF_MATCH | header::IF_NONE_MATCH | header::IF_MODIFIED_SINCE | header::IF_UNMODIFIED_SINCE => {
            "a part needs an answer, whatever there was before"
        }
        _ => return Some(name),
    };
    diagnostics.push(Diagnostic::new(Code::ReservedHeader, place, message, "not yours to set"));
    None
}
