//! Whether a manifest declares what its configuration needs. Each platform has its own idea of what must be declared:
//! Workers key-value stores, Durable Objects, rate limiters and, so that a deployment without them fails, secrets; Spin
//! every address it may call.

use super::finding::{Finding, Spot};
use super::input::{Input, Kind};
use super::limiters::{self, KEY, Limiter};
use super::manifest::Scope;
use super::needs::{Needs, variable_of};
use super::objects::{Class, are_exported, free_tag, inherits};
use super::tree::{Node, Span};
use crate::config::diagnostic::{Code, Diagnostic, Place};

/// What a manifest lacks of what is needed, and the file that says so: the manifest itself, or the document.
pub fn missing(manifest: &Input, says_so: &Input, needs: &Needs) -> Vec<Finding> {
    let Some(scope) = &manifest.scope else { return Vec::new() };
    let found = match manifest.kind {
        Kind::Wrangler => wrangler(scope, needs),
        Kind::Spin => spin(scope, needs),
        Kind::Document | Kind::Stored => Vec::new(),
    };
    found.into_iter().map(|missing| missing.finding(manifest, scope, says_so)).collect()
}

/// One thing that is needed and not declared, or declared otherwise.
struct Missing {
    what: What,
    /// What needs it.
    place: Place,
    message: String,
    help: String,
    /// Where it should be declared, or is declared otherwise.
    list: Option<Span>,
}

/// What is wrong with a declaration.
#[derive(Clone, Copy)]
enum What {
    Missing,
    Different,
}

impl What {
    fn code(self) -> Code {
        match self {
            What::Missing => Code::NotDeclared,
            What::Different => Code::OutOfStep,
        }
    }

    /// What stands beside the carets: at the need and at the declaration, in one file; and in two, the declaration first.
    fn labels(self) -> [&'static str; 4] {
        match self {
            What::Missing => ["needed here", "not listed here", "not declared here", "needed here"],
            What::Different => ["said here", "and otherwise here", "this differs", "from this"],
        }
    }
}

impl Missing {
    fn of(place: &Place, message: String, help: String) -> Missing {
        Missing { what: What::Missing, place: place.clone(), message, help, list: None }
    }

    fn finding(self, manifest: &Input, scope: &Scope, says_so: &Input) -> Finding {
        let need = Spot::new(&says_so.file, says_so.tree.locate(&self.place));
        let help = format!("{}, or run `edgate bind`", self.help);
        let code = self.what.code();
        let [needed, unlisted, undeclared, wanted] = self.what.labels();
        let diagnostic = |label| Diagnostic::new(code, self.place.clone(), &self.message, label).help(&help);
        match (&self.list, manifest.file == says_so.file) {
            (list, true) => {
                let finding = Finding { diagnostic: diagnostic(needed), spot: need, related: None };
                match list {
                    Some(list) => finding.related(Spot::new(&manifest.file, list.clone()), unlisted),
                    None => finding,
                }
            }
            (list, false) => {
                let spot = Spot::new(&manifest.file, list.clone().or(scope.span.clone()));
                let finding = Finding { diagnostic: diagnostic(undeclared), spot, related: None };
                finding.related(need, wanted)
            }
        }
    }
}

fn wrangler(scope: &Scope, needs: &Needs) -> Vec<Missing> {
    let mut missing = Vec::new();
    let table = |name: &str| match &scope.name {
        Some(environment) => format!("env.{environment}.{name}"),
        None => name.to_owned(),
    };
    for (store, place) in needs.stores.iter().filter(|(store, _)| !binds_store(&scope.table, store)) {
        let message = format!("no KV namespace is bound as `{store}`");
        let help = format!("add [[{}]] with `binding = \"{store}\"`", table("kv_namespaces"));
        missing.push(Missing::of(place, message, help));
    }
    let secrets = scope.table.get("secrets").and_then(|secrets| secrets.entry("required"));
    let listed = |name: &str| lists(secrets.map(|entry| &entry.value), name);
    for (name, place) in needs.secrets.iter().filter(|(name, _)| !listed(name)) {
        let message = format!("the secret `{name}` is not declared");
        let help = format!("add it to `required` in [{}], so that no deployment lacks it", table("secrets"));
        let list = secrets.map(|entry| entry.span.clone());
        missing.push(Missing { list, ..Missing::of(place, message, help) });
    }
    if let Some(place) = needs.schedule.as_ref().filter(|_| !has_schedule(scope)) {
        let message = format!("no cron trigger runs each minute (`{EACH_MINUTE}`)");
        let help = format!("add it to `crons` of [{}]", table("triggers"));
        missing.push(Missing::of(place, message, help));
    }
    missing.extend(objects(scope, needs, &table));
    missing
        .extend(needs.limiters.iter().filter_map(|(binding, limiter)| rate_limiter(scope, binding, limiter, &table)));
    missing
}

/// The cron trigger that edgate's schedule needs.
pub const EACH_MINUTE: &str = "* * * * *";

/// Whether it is there. Environments inherit `triggers`, unless they have their own.
pub fn has_schedule(scope: &Scope) -> bool {
    let triggers = scope.table.get("triggers").or_else(|| scope.root.get("triggers"));
    lists(triggers.and_then(|triggers| triggers.get("crons")), EACH_MINUTE)
}

/// What is missing of the Durable Objects that decide for all instances.
fn objects(scope: &Scope, needs: &Needs, table: &dyn Fn(&str) -> String) -> Vec<Missing> {
    let wanted = needs.objects();
    let mut found = Vec::new();
    for (Class { name, binding }, place) in wanted.iter().filter(|(class, _)| !class.is_bound(&scope.table)) {
        let add = format!("add [[{}]] with `name = \"{binding}\"`", table("durable_objects.bindings"));
        let message = format!("no Durable Object namespace is bound as `{binding}`");
        found.push(Missing::of(place, message, format!("{add} and `class_name = \"{name}\"`")));
    }
    let mut unmade = wanted.iter().filter(|(class, _)| !class.is_made(scope)).peekable();
    if let Some((_, place)) = unmade.peek().copied() {
        let names: Vec<&str> = unmade.map(|(class, _)| class.name).collect();
        let plural = if names.len() > 1 { "classes" } else { "class" };
        let message = format!("no migration makes the {plural} `{}`", names.join("` and `"));
        found.push(Missing::of(place, message, make(scope, &names, table)));
    }
    found
}

/// How classes are made.
fn make(scope: &Scope, classes: &[&str], table: &dyn Fn(&str) -> String) -> String {
    let key = if are_exported(scope) { "exports" } else { "migrations" };
    let key = if inherits(scope, key) { key.to_owned() } else { table(key) };
    if are_exported(scope) {
        let headers: Vec<String> = classes.iter().map(|class| format!("[{key}.{class}]")).collect();
        return format!("add {} with `type = \"durable-object\"` and `storage = \"sqlite\"`", headers.join(" and "));
    }
    let add = format!("add [[{key}]] with `tag = \"{}\"`", free_tag(Some(scope)));
    format!("{add} and `new_sqlite_classes = [\"{}\"]`", classes.join("\", \""))
}

/// What is missing of a rate limiter, or said otherwise.
fn rate_limiter(scope: &Scope, binding: &str, limiter: &Limiter, table: &dyn Fn(&str) -> String) -> Option<Missing> {
    let simple = limiter.simple();
    let Some(bound) = limiters::find(&scope.table, binding) else {
        let message = format!("no rate limiter is bound as `{binding}`");
        let add = format!("add [[{}]] with `name = \"{binding}\"`, a `namespace_id` of its own", table(KEY));
        return Some(Missing::of(&limiter.place, message, format!("{add} and `{simple}`")));
    };
    let message = format!("the rate limiter `{binding}` is not for {}", limiter.describe());
    let differs = Missing::of(&limiter.place, message, format!("write `{simple}`"));
    let list = Some(bound.get("simple").unwrap_or(bound).span.clone());
    (!limiter.is(bound)).then_some(Missing { what: What::Different, list, ..differs })
}

/// Whether a KV namespace is bound by this name.
pub fn binds_store(table: &Node, store: &str) -> bool {
    let namespaces = table.get("kv_namespaces").map(Node::elements).unwrap_or_default();
    namespaces.iter().any(|one| one.get("binding").and_then(Node::text) == Some(store))
}

fn spin(scope: &Scope, needs: &Needs) -> Vec<Missing> {
    let mut missing = Vec::new();
    let component = scope.name.as_deref().unwrap_or("edgate");
    let hosts = scope.table.entry("allowed_outbound_hosts");
    let patterns = || hosts.iter().flat_map(|entry| entry.value.elements()).filter_map(Node::text);
    for (origin, place) in needs.origins.iter().filter(|(origin, _)| !patterns().any(|pattern| allows(pattern, origin)))
    {
        let message = format!("Spin will not let `{origin}` be called");
        let help = format!("add it to `allowed_outbound_hosts` of [component.{component}]");
        let list = hosts.map(|entry| entry.span.clone());
        missing.push(Missing { list, ..Missing::of(place, message, help) });
    }
    let stores = scope.table.entry("key_value_stores");
    let stored = |store: &str| lists(stores.map(|entry| &entry.value), store);
    for (store, place) in needs.spin_stores().iter().filter(|(store, _)| !stored(store)) {
        let message = format!("the component may not open the store `{store}`");
        let help = format!("add it to `key_value_stores` of [component.{component}]");
        let list = stores.map(|entry| entry.span.clone());
        missing.push(Missing { list, ..Missing::of(place, message, help) });
    }
    for (name, place) in &needs.secrets {
        let variable = variable_of(name);
        let given = scope.table.get("variables").is_some_and(|variables| variables.entry(&variable).is_some());
        let application = scope.root.get("variables").is_some_and(|variables| variables.entry(&variable).is_some());
        if !given || !application {
            let help = if given {
                format!("add `{variable} = {{ required = true, secret = true }}` to [variables]")
            } else {
                format!("add `{variable} = \"{{{{ {variable} }}}}\"` to [component.{component}.variables]")
            };
            let message = format!("the variable `{variable}`, which holds the secret `{name}`, is not declared");
            missing.push(Missing::of(place, message, help));
        }
    }
    missing
}

/// Whether a list of strings has this one.
pub fn lists(list: Option<&Node>, wanted: &str) -> bool {
    list.is_some_and(|list| list.elements().iter().any(|element| element.text() == Some(wanted)))
}

/// Whether an entry of `allowed_outbound_hosts` allows an origin, as Spin decides it. One with variables in it is
/// given the benefit of the doubt.
pub fn allows(pattern: &str, origin: &str) -> bool {
    if pattern.contains("{{") {
        return true;
    }
    let (Some((scheme, rest)), Some((wanted_scheme, wanted))) = (pattern.split_once("://"), origin.split_once("://"))
    else {
        return false;
    };
    let (host, port) = authority(rest.trim_end_matches('/'), scheme);
    let (wanted_host, wanted_port) = authority(wanted, wanted_scheme);
    let host_fits = match host.strip_prefix("*.") {
        Some(domain) => wanted_host.strip_suffix(domain).is_some_and(|below| below.ends_with('.')),
        None => host == "*" || host == wanted_host || in_network(host, wanted_host),
    };
    let port_fits = match port.split_once("..") {
        Some((from, to)) => {
            let number = |text: &str| text.parse::<u16>().ok();
            number(&wanted_port)
                .zip(number(from).zip(number(to)))
                .is_some_and(|(port, (from, to))| (from..to).contains(&port))
        }
        None => port == "*" || port == wanted_port,
    };
    (scheme == "*" || scheme == wanted_scheme) && host_fits && port_fits
}

/// Host and port, the scheme's own where none is written.
fn authority<'a>(text: &'a str, scheme: &str) -> (&'a str, String) {
    let own = match scheme {
        "https" => "443",
        "http" => "80",
        "redis" => "6379",
        _ => "",
    };
    match text.rsplit_once(':') {
        Some((host, port)) if !port.contains(']') => (host, port.to_owned()),
        _ => (text, own.to_owned()),
    }
}

fn in_network(network: &str, address: &str) -> bool {
    let address = address.trim_start_matches('[').trim_end_matches(']').parse::<std::net::IpAddr>();
    matches!((network.parse::<ipnet::IpNet>(), address), (Ok(network), Ok(address)) if network.contains(&address))
}

#[cfg(test)]
mod tests {
    use super::allows;

    #[test]
    fn outbound_hosts_are_matched_as_spin_does() {
        for (pattern, origin, fits) in [
            ("https://a.example", "https://a.example", true),
            ("https://a.example/", "https://a.example", true),
            ("https://a.example:443", "https://a.example", true),
            ("http://a.example", "https://a.example", false),
            ("*://*:*", "http://127.0.0.1:9101", true),
            ("http://127.0.0.1", "http://127.0.0.1:9101", false),
            ("http://127.0.0.1:*", "http://127.0.0.1:9101", true),
            ("http://127.0.0.1:9100..9102", "http://127.0.0.1:9101", true),
            ("http://127.0.0.1:9100..9101", "http://127.0.0.1:9101", false),
            ("https://*.example.com", "https://api.example.com", true),
            ("https://*.example.com", "https://example.com", false),
            ("https://*.example.com", "https://badexample.com", false),
            ("http://10.0.0.0/8:80", "http://10.1.2.3", true),
            ("https://{{ host }}", "https://a.example", true),
            ("redis://127.0.0.1", "redis://127.0.0.1:6379", true),
            ("redis://127.0.0.1:6379", "redis://127.0.0.1:6379", true),
            ("redis://127.0.0.1:6380", "redis://127.0.0.1:6379", false),
            ("nonsense", "https://a.example", false),
        ] {
            assert_eq!(allows(pattern, origin), fits, "{pattern} {origin}");
        }
    }
}
