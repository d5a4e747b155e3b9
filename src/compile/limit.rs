//! The section `limit`: numbers, keys, tiers and accuracy, held against what the platforms can do; and the limits that a
//! route names, held against what the route has.

mod cost;
mod numbers;

use super::{Code, Diagnostic, Place, networks, within};
use crate::compile::route::placed;
use crate::config::diagnostic::did_you_mean;
use crate::config::document::{Kind, Sections, binding_of, place_of};
use crate::config::limit::{self as section, Accuracy, LimitFields, Named, OnFailure};
use crate::config::read::{Read, read};
use crate::config::sorted::Sorted;
use crate::exchange::Stage;
use crate::host::{Capabilities, Counters};
use crate::limit::key::{Key, Part};
use crate::limit::known::Known;
use crate::limit::{Cost, Exempt, Limit, Numbers};
use crate::policy::Policy;
use crate::policy::throttle::{Applied, Throttle};
use crate::rule::source::Source;
use crate::rule::{self, Rule};
use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration as Std;

type Diagnostics = Vec<Diagnostic>;

/// How long a counter may take where the configuration says nothing.
const TIMEOUT: Std = Std::from_secs(1);

/// More limits on one route help nobody.
const MOST_LIMITS: usize = 16;

/// What limits refer to.
pub struct Scope<'a> {
    /// The gateway's name.
    pub gateway: &'a str,
    pub counters: Rc<Counters>,
    pub targets: &'a [Capabilities],
}

/// Every limit by name: `None` for one with a mistake.
pub type Limits = Sorted<String, Option<Rc<Limit>>>;

/// Compiles every limit.
pub fn compile(sections: &Sections, scope: &Scope<'_>, diagnostics: &mut Diagnostics) -> Limits {
    let mut limits = Limits::new();
    for (name, value) in &sections.limits {
        let place = place_of(Kind::Limit, name);
        let found = read::<section::Limit>(&place, value, diagnostics);
        let compiled = found.filter(|read| read.complete).and_then(|Read { section, .. }| {
            One { name, place: &place, section: &section, scope }.compile(diagnostics)
        });
        limits.insert(name.clone(), compiled.map(Rc::new));
    }
    limits
}

/// One limit while it is compiled.
struct One<'a> {
    name: &'a str,
    place: &'a Place,
    section: &'a section::Limit,
    scope: &'a Scope<'a>,
}

impl One<'_> {
    fn compile(&self, diagnostics: &mut Diagnostics) -> Option<Limit> {
        let before = diagnostics.len();
        let section = self.section;
        let numbers = numbers::own(section, self.place, diagnostics);
        let key = self.key(diagnostics);
        let tiers = numbers.map(|numbers| self.tiers(&numbers, diagnostics)).unwrap_or_default();
        let accuracy = section.accuracy.unwrap_or(Accuracy::Exact);
        let cost = section.cost.as_ref().map(|cost| cost::compile(cost, &self.place.key("cost"), diagnostics));
        let rules = self.place.key("exempt").key("rules");
        let exempt = Exempt {
            networks: networks(&section.exempt.addresses, &self.place.key("exempt").key("addresses"), diagnostics),
            rules: read_rules(&section.exempt.rules, &rules, diagnostics),
        };
        let times = Std::from_millis(1)..=Std::from_secs(10);
        within(section.timeout, times, &self.place.key("timeout"), diagnostics);
        if let Some(numbers) = &numbers {
            self.accuracy(accuracy, numbers, diagnostics);
        }
        let limit = Limit {
            name: Rc::from(self.name),
            prefix: [self.scope.gateway, "/", self.name].concat(),
            key,
            numbers: numbers?,
            tiers,
            accuracy,
            cost: cost.flatten().unwrap_or(Cost::Fixed(1)),
            exempt,
            on_failure: section.on_failure.unwrap_or(OnFailure::Allow),
            timeout: section.timeout.map_or(TIMEOUT, |timeout| timeout.0),
            dry_run: section.dry_run,
            zone: section.zone.clone(),
            counters: Rc::clone(&self.scope.counters),
            known: Known::default(),
            window: Cell::new(None),
        };
        if diagnostics.len() == before {
            cost::check(&limit, &limit.cost, &self.place.key("cost"), diagnostics);
        }
        (diagnostics.len() == before).then_some(limit)
    }

    fn key(&self, diagnostics: &mut Diagnostics) -> Key {
        let place = self.place.key("key");
        let items = placed(&self.section.key, &place);
        if items.is_empty() {
            let message = "it is not said whose requests count together";
            let help = "name a value, such as \"client.address\", or write \"global\"";
            diagnostics.push(Diagnostic::new(Code::BadLimit, place, message, "nothing").help(help));
            return Key::default();
        }
        if let [(_, "global")] = items.as_slice() {
            return Key::default();
        }
        if let Some((place, _)) = items.iter().find(|(_, text)| *text == "global") {
            let message = "`global` counts all requests together, so nothing stands beside it";
            let help = "take it away, or make two limits: a route takes several";
            diagnostics.push(Diagnostic::new(Code::BadLimit, place.clone(), message, "not alone").help(help));
            return Key::default();
        }
        Key { parts: items.iter().filter_map(|(place, text)| part(text, place, diagnostics)).collect() }
    }

    fn tiers(&self, numbers: &Numbers, diagnostics: &mut Diagnostics) -> Vec<(Rule, Numbers)> {
        let mut tiers = Vec::new();
        for (index, tier) in self.section.tiers.iter().enumerate() {
            let place = self.place.key("tiers").index(index);
            let rule = Rule::read(&tier.when, &place.key("when"), diagnostics);
            let numbers = numbers::of_tier(tier, numbers, &place, diagnostics);
            tiers.extend(rule.zip(numbers));
        }
        tiers
    }

    /// Whether it can be so exact, and so cheap, on all platforms.
    fn accuracy(&self, accuracy: Accuracy, numbers: &Numbers, diagnostics: &mut Diagnostics) {
        let place = self.place.key("accuracy");
        let mut refuse = |message: &str, label: &str, help: &str| {
            diagnostics.push(Diagnostic::new(Code::Unsupported, place.clone(), message, label).help(help));
        };
        match accuracy {
            Accuracy::Leased if matches!(numbers, Numbers::Concurrency { .. }) => {
                refuse("what is held at the same time cannot be taken in advance", "not leased", "make it `exact`");
            }
            Accuracy::Regional => {
                let fits =
                    matches!(numbers, Numbers::Rate { limit, period_ms: 10_000 | 60_000, burst } if limit == burst);
                let simple = self.section.tiers.is_empty() && self.section.cost.is_none();
                if !fits || !simple {
                    let message = "Cloudflare's rate limiting counts requests in 10 s or in 1 m, and nothing else";
                    let help =
                        "write a `rate` in \"10s\" or \"1m\" without `burst`, `tiers` and `cost`, or make it `exact`";
                    refuse(message, "not regional", help);
                }
                for target in self.scope.targets.iter().filter(|target| !target.rate_limiter) {
                    let message = format!("{} has no rate limiting of its own", target.platform);
                    let help =
                        "make it `leased`, or name the platforms that this configuration is for: `gateway.targets`";
                    refuse(&message, "not on this platform", help);
                }
            }
            Accuracy::Exact | Accuracy::Leased => self.is_shared(diagnostics),
            Accuracy::Local => {}
        }
    }

    /// Whether all platforms have counters that instances share.
    fn is_shared(&self, diagnostics: &mut Diagnostics) {
        let needs = self.scope.targets.iter().filter(|target| target.counters_need_redis);
        for target in needs.filter(|_| self.scope.counters.redis.is_none()) {
            let message = format!("on {}, instances of this build need a Redis to count together", target.platform);
            let diagnostic = Diagnostic::new(Code::Unsupported, self.place.clone().name(), message, "needs a Redis");
            diagnostics.push(diagnostic.help("add `gateway.redis`, or make it `local`"));
        }
    }
}

/// A part of a key: the first of some values.
pub fn part(text: &str, place: &Place, diagnostics: &mut Diagnostics) -> Option<Part> {
    let mut sources = Vec::new();
    let mut start = 0;
    for word in text.split(" or ") {
        let range = start..start + word.len();
        start = range.end + " or ".len();
        let found = crate::config::names::path(word)
            .map_err(|_| rule::Mistake { range: range.clone(), reason: format!("`{word}` names no value"), help: None })
            .and_then(|names| Source::find(&names, range.clone()));
        match found {
            Ok(source) => sources.push(source),
            Err(mistake) => {
                let diagnostic = mistake.diagnostic(place);
                diagnostics.push(Diagnostic { code: Code::BadLimit, ..diagnostic });
                return None;
            }
        }
    }
    Some(Part { text: text.to_owned(), sources })
}

fn read_rules(texts: &[String], place: &Place, diagnostics: &mut Diagnostics) -> Vec<Rule> {
    texts.iter().enumerate().filter_map(|(index, text)| Rule::read(text, &place.index(index), diagnostics)).collect()
}

/// The limits that a route names, or the gateway for it, and the place of the list.
pub fn apply(
    (named, place): (&[Named], &Place),
    limits: &Limits,
    scope: &rule::Scope<'_>,
    (route, fields): (&Place, LimitFields),
    diagnostics: &mut Diagnostics,
) -> Vec<Policy> {
    let (mut client, mut identity): (Vec<Applied>, Vec<Applied>) = (Vec::new(), Vec::new());
    if named.len() > MOST_LIMITS {
        let message = format!("{} limits are more than {MOST_LIMITS}", named.len());
        diagnostics.push(Diagnostic::new(Code::OutOfRange, place.clone(), message, "too many"));
        return Vec::new();
    }
    for (index, named) in named.iter().enumerate() {
        let item = place.index(index);
        let name = if named.table { item.key("limit") } else { item.clone() };
        let Some(found) = limits.get(&named.limit) else {
            diagnostics.push(unknown(&named.limit, limits, name));
            continue;
        };
        let Some(limit) = found else { continue };
        if named_before(limit, &[&client, &identity]) {
            let message = format!("the limit `{}` is named twice", limit.name);
            let help = format!("where a request counts more, write `{{ limit = \"{}\", cost = 2 }}`", limit.name);
            diagnostics.push(Diagnostic::new(Code::BadLimit, name, message, "once more").help(help));
            continue;
        }
        check(limit, &name, route, scope, diagnostics);
        let place = item.key("cost");
        let cost = named.cost.as_ref().and_then(|cost| cost::compile(cost, &place, diagnostics));
        if let Some(cost) = &cost {
            cost::check_of_route(limit, cost, &place, diagnostics);
        }
        let stage = if limit.asks_who() { &mut identity } else { &mut client };
        stage.push(Applied { limit: Rc::clone(limit), cost });
    }
    let alone = identity.is_empty();
    let throttle = |stage, limits, last| Throttle { stage, limits, fields, last };
    let client = (!client.is_empty()).then(|| Policy::ThrottleClient(throttle(Stage::Client, client, alone)));
    let identity = (!identity.is_empty()).then(|| Policy::ThrottleIdentity(throttle(Stage::Identity, identity, true)));
    client.into_iter().chain(identity).collect()
}

fn named_before(limit: &Rc<Limit>, applied: &[&Vec<Applied>]) -> bool {
    applied.iter().copied().flatten().any(|applied| Rc::ptr_eq(&applied.limit, limit))
}

/// What the route does not have, of all that a limit looks at.
fn check(limit: &Limit, place: &Place, route: &Place, scope: &rule::Scope<'_>, diagnostics: &mut Diagnostics) {
    let of_key = limit.key.parts.iter().flat_map(|part| &part.sources);
    let of_rules = limit.rules().flat_map(|rule| rule.uses.iter().map(|(source, _)| source));
    for source in of_key.chain(of_rules) {
        let before = diagnostics.len();
        source.check(place, scope, diagnostics);
        for diagnostic in &mut diagnostics[before..] {
            diagnostic.message = format!("the limit `{}` cannot be used here: {}", limit.name, diagnostic.message);
            // The gateway's list is that of many routes.
            if place.path.get(1) != route.path.get(1) {
                diagnostic.related = Some((route.clone().name(), "for this route".to_owned()));
            }
        }
    }
}

fn unknown(name: &str, limits: &Limits, place: Place) -> Diagnostic {
    let known = || limits.keys().map(String::as_str);
    let help = did_you_mean(name, known()).unwrap_or_else(|| match limits.is_empty() {
        true => format!("there is none: add [limit.{name}], or the binding {}", binding_of(Kind::Limit, name)),
        false => format!("limits are `{}`", known().collect::<Vec<_>>().join("`, `")),
    });
    Diagnostic::new(Code::UnknownLimit, place, format!("no limit is named `{name}`"), "no such limit").help(help)
}

/// Limits that no route names.
pub fn unused(limits: &Limits, policies: &[&Policy], diagnostics: &mut Diagnostics) {
    for (name, limit) in limits {
        let Some(limit) = limit else { continue };
        let names = |policy: &&&Policy| match policy {
            Policy::ThrottleClient(throttle) | Policy::ThrottleIdentity(throttle) => {
                throttle.limits.iter().any(|applied| Rc::ptr_eq(&applied.limit, limit))
            }
            _ => false,
        };
        if !policies.iter().any(|policy| names(&policy)) {
            let message = format!("no route names the limit `{name}`");
            let help = "name it in `limits`, of a route or of the gateway";
            let place = place_of(Kind::Limit, name).name();
            diagnostics.push(Diagnostic::new(Code::UnusedLimit, place, message, "never asked").help(help));
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::compile::load;
    use crate::config::Platform;
    use crate::config::document::Sections;
    use crate::host::Capabilities;
    use serde_json::{Value, json};

    fn says(gateway: Value, accuracy: &str) -> Vec<String> {
        let mut mistakes = Vec::new();
        let document = json!({
            "gateway": gateway,
            "limit": { "hot": { "rate": "10/1s", "key": "global", "accuracy": accuracy } },
            "route": { "all": { "match": { "path": "/" }, "limits": ["hot"], "respond": {} } },
        });
        let sections = Sections::from_document(document, &mut mistakes);
        let hosted = Capabilities { counters_need_redis: true, ..Capabilities::of(Platform::Spin) };
        let loaded = load(&sections, Some(hosted));
        mistakes.iter().chain(&loaded.diagnostics).map(|diagnostic| diagnostic.message.clone()).collect()
    }

    #[test]
    fn hosts_without_counters_need_a_redis_for_what_instances_share() {
        for accuracy in ["exact", "leased"] {
            let said = says(json!({}), accuracy);
            assert!(matches!(said.as_slice(), [one] if one.contains("need a Redis to count together")), "{said:?}");
            assert_eq!(says(json!({ "redis": "redis://127.0.0.1:6379" }), accuracy), Vec::<String>::new());
        }
        assert_eq!(says(json!({}), "local"), Vec::<String>::new());
    }
}
