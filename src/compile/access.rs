//! The section `access`: networks, countries and user agents that may, or may not, call.

use super::networks;
use crate::config;
use crate::config::diagnostic::{Code, Diagnostic, Place};
use crate::host::Capabilities;
use crate::policy::access::{Access, Glob, Lists};
use ipnet::{IpNet, Ipv4Net};
use std::net::IpAddr;

type Diagnostics = Vec<Diagnostic>;

/// A longer glob helps nobody.
const MAX_GLOB: usize = 256;

/// Compiles the section for the platforms it is for. `None` after a mistake.
pub fn compile(
    section: &config::identity::Access,
    place: &Place,
    targets: &[Capabilities],
    diagnostics: &mut Diagnostics,
) -> Option<Access> {
    let before = diagnostics.len();
    let addresses = lists(["allow", "deny"], &section.allow, &section.deny, place, |items, place| {
        networks(items, place, diagnostics).into_iter().map(canonical).collect()
    });
    let keys = ["allow_countries", "deny_countries"];
    let countries = lists(keys, &section.allow_countries, &section.deny_countries, place, |items, place| {
        items.iter().enumerate().filter_map(|(index, text)| country(text, place.index(index), diagnostics)).collect()
    });
    let keys_of_agents = ["allow_user_agents", "deny_user_agents"];
    let user_agents =
        lists(keys_of_agents, &section.allow_user_agents, &section.deny_user_agents, place, |items, place| {
            items.iter().enumerate().filter_map(|(index, text)| glob(text, place.index(index), diagnostics)).collect()
        });
    let given = [section.allow_countries.is_some(), !section.deny_countries.is_empty()];
    for (key, _) in keys.iter().zip(given).filter(|(_, given)| *given) {
        unsupported(&place.key(key), targets, diagnostics);
    }
    let allowed = [
        ("allow", &section.allow),
        ("allow_countries", &section.allow_countries),
        ("allow_user_agents", &section.allow_user_agents),
    ];
    for (key, _) in allowed.into_iter().filter(|(_, list)| list.as_ref().is_some_and(Vec::is_empty)) {
        let message = "an empty list lets nobody call";
        let help = "take the key away, or say who may call";
        diagnostics.push(Diagnostic::new(Code::OutOfRange, place.key(key), message, "nobody").help(help));
    }
    let access = Access { addresses, countries, user_agents, dry_run: section.dry_run };
    (diagnostics.len() == before).then_some(access)
}

fn lists<T>(
    [allow_key, deny_key]: [&str; 2],
    allow: &Option<Vec<String>>,
    deny: &[String],
    place: &Place,
    mut compile: impl FnMut(&[String], &Place) -> Vec<T>,
) -> Lists<T> {
    let allow = allow.as_ref().map(|items| compile(items, &place.key(allow_key)));
    Lists { allow, deny: compile(deny, &place.key(deny_key)) }
}

/// IPv4 within IPv6 is IPv4, as the addresses of clients are.
fn canonical(network: IpNet) -> IpNet {
    match (network.addr().to_canonical(), network.prefix_len().checked_sub(96)) {
        (IpAddr::V4(address), Some(length)) if network.addr().is_ipv6() => {
            Ipv4Net::new(address, length).map_or(network, IpNet::V4)
        }
        _ => network,
    }
}

fn country(text: &str, place: Place, diagnostics: &mut Diagnostics) -> Option<String> {
    // Cloudflare has `T1` for Tor, and `XX` for what it does not know.
    let capital = |byte: u8| byte.is_ascii_uppercase() || byte.is_ascii_digit();
    if text.len() == 2 && text.bytes().all(capital) {
        return Some(text.to_owned());
    }
    let message = format!("`{text}` is no code of a country");
    let upper = text.to_ascii_uppercase();
    let help = match text.len() == 2 && upper.bytes().all(capital) {
        true => format!("write it in capitals: \"{upper}\""),
        false => "codes are two capitals, as ISO 3166-1 has them: \"NO\"".to_owned(),
    };
    diagnostics.push(Diagnostic::new(Code::BadValue, place, message, "not a country").help(help));
    None
}

fn glob(text: &str, place: Place, diagnostics: &mut Diagnostics) -> Option<Glob> {
    let (message, label) = match text {
        "" => ("the text is empty, and no client says that", "empty"),
        text if text.len() > MAX_GLOB => ("the text is longer than 256 bytes", "too long"),
        text if text.chars().any(char::is_control) => ("a header field has no control characters", "never sent"),
        text => return Some(Glob::new(text)),
    };
    let help = "write all of what `User-Agent` may be, with `*` for any characters: \"curl/*\"";
    diagnostics.push(Diagnostic::new(Code::BadValue, place, message, label).help(help));
    None
}

fn unsupported(place: &Place, targets: &[Capabilities], diagnostics: &mut Diagnostics) {
    for target in targets.iter().filter(|target| !target.country) {
        let message = format!("{} does not know the country of a client", target.platform);
        let help = "take the key away, or name the platforms that this configuration is for: `gateway.targets`";
        diagnostics
            .push(Diagnostic::new(Code::Unsupported, place.clone().name(), message, "not on this platform").help(help));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Platform;
    use crate::exchange::tests::request;
    use serde_json::{Value, json};

    fn compiled(section: Value, target: Platform) -> (Option<Access>, Vec<(Code, String)>) {
        let section: config::identity::Access = serde_json::from_value(section).expect("it can be read");
        let mut diagnostics = Vec::new();
        let place = Place::of(["gateway", "access"]);
        let access = compile(&section, &place, &[Capabilities::of(target)], &mut diagnostics);
        let found = diagnostics.into_iter().map(|diagnostic| (diagnostic.code, diagnostic.place.to_string()));
        (access, found.collect())
    }

    #[test]
    fn every_mistake_is_told_where_it_stands() {
        for (section, code, place) in [
            (json!({ "allow": ["10.0.0.0/8", "10.0.0.0/33"] }), Code::BadNetwork, "allow[1]"),
            (json!({ "deny": ["example.com"] }), Code::BadNetwork, "deny[0]"),
            (json!({ "allow": [] }), Code::OutOfRange, "allow"),
            (json!({ "allow_countries": ["no"] }), Code::BadValue, "allow_countries[0]"),
            (json!({ "deny_countries": ["NO", "NOR"] }), Code::BadValue, "deny_countries[1]"),
            (json!({ "deny_countries": ["Ø"] }), Code::BadValue, "deny_countries[0]"),
            (json!({ "allow_countries": [] }), Code::OutOfRange, "allow_countries"),
            (json!({ "allow_user_agents": [""] }), Code::BadValue, "allow_user_agents[0]"),
            (json!({ "deny_user_agents": ["a\nb"] }), Code::BadValue, "deny_user_agents[0]"),
            (json!({ "deny_user_agents": ["a".repeat(257)] }), Code::BadValue, "deny_user_agents[0]"),
        ] {
            let (access, found) = compiled(section.clone(), Platform::Cloudflare);
            assert_eq!(found, [(code, format!("gateway.access.{place}"))], "{section}");
            assert!(access.is_none(), "{section}");
        }
    }

    #[test]
    fn countries_need_a_platform_that_knows_them() {
        let section = json!({ "allow_countries": ["NO"], "deny_countries": ["T1", "XX"] });
        assert_eq!(compiled(section.clone(), Platform::Cloudflare).1, []);
        let place = |key: &str| (Code::Unsupported, format!("gateway.access.{key}"));
        assert_eq!(compiled(section, Platform::Spin).1, [place("allow_countries"), place("deny_countries")]);
        assert_eq!(compiled(json!({ "deny": ["10.0.0.1"] }), Platform::Spin).1, []);
    }

    #[test]
    fn ipv4_within_ipv6_is_ipv4() {
        let section = json!({ "allow": ["::ffff:192.0.2.0/120"], "deny": ["::ffff:192.0.2.9"], "dry_run": true });
        let (access, _) = compiled(section, Platform::Spin);
        let access = access.expect("it has no mistake");
        assert!(access.dry_run);
        for (address, admitted) in
            [("192.0.2.1", true), ("::ffff:192.0.2.1", true), ("192.0.2.9", false), ("198.51.100.1", false)]
        {
            let mut ex = request(http::Method::GET, "/", "/", &[]);
            ex.client.address = address.parse().ok();
            assert_eq!(access.decide(&ex).is_ok(), admitted, "{address}");
        }
    }

    #[test]
    fn an_empty_section_lets_everybody_call() {
        assert_eq!(compiled(json!({}), Platform::Spin), (Some(Access::default()), Vec::new()));
    }
}
