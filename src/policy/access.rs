//! Who may call at all, by address, country and `User-Agent`. What is denied is denied, also where it is allowed; where
//! something is allowed, all else is not, and neither is what is not known. An allowed `User-Agent` proves nothing, since
//! a client says what it likes there.
//!
//! Networks are of one family each, and IPv4 within IPv6 (`::ffff:192.0.2.1`) is IPv4: `::/0` has no IPv4 client.

use crate::exchange::Exchange;
use crate::headers::{has, joined};
use crate::interest::Interest;
use crate::reject::Reject;
use http::header;
use ipnet::IpNet;
use std::net::IpAddr;

/// Who may call a route.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Access {
    pub addresses: Lists<IpNet>,
    /// Two capitals or digits.
    pub countries: Lists<String>,
    pub user_agents: Lists<Glob>,
    /// Whether it refuses nobody, and only tells whom it would refuse.
    pub dry_run: bool,
}

/// What is allowed, if not everything, and what is denied.
#[derive(Debug, Clone, PartialEq)]
pub struct Lists<T> {
    pub allow: Option<Vec<T>>,
    pub deny: Vec<T>,
}

/// A text in which `*` stands for any characters, and small ASCII letters for capitals too.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Glob {
    /// What stands between the `*`: one where there is none.
    parts: Vec<String>,
}

impl Access {
    pub fn describe(&self) -> String {
        let Access { addresses, countries, user_agents, .. } = self;
        let lists = [addresses.words("networks"), countries.words("countries"), user_agents.words("user agents")];
        let said = lists.into_iter().flatten().collect::<Vec<_>>().join("; ");
        let said = if said.is_empty() { "anybody may call".to_owned() } else { said };
        if self.dry_run { format!("{said}; only logged") } else { said }
    }

    /// Adds the header fields that it reads.
    pub fn interest(&self, interest: &mut Interest) {
        if !self.user_agents.is_empty() {
            interest.request.insert(header::USER_AGENT);
        }
        interest.country |= !self.countries.is_empty();
    }

    /// Whether a client may call; if not, what speaks against it, for the log: `address`, `country` or `user-agent`.
    pub fn decide(&self, ex: &Exchange) -> Result<(), &'static str> {
        // A client that reaches IPv6 by IPv4 is the same client (RFC 4291, section 2.5.5.2).
        let address = ex.client.address.map(|address| address.to_canonical());
        let within = |network: &IpNet, address: &IpAddr| network.contains(address);
        let same = |country: &String, known: &&str| country == known;
        if !self.addresses.admit(address.as_ref(), within) {
            return Err("address");
        }
        if !self.countries.admit(ex.facts.country.as_deref().as_ref(), same) {
            return Err("country");
        }
        if self.user_agents.is_empty() {
            return Ok(());
        }
        let fields = &ex.headers;
        let user_agent = has(fields, &header::USER_AGENT).then(|| joined(fields, &header::USER_AGENT));
        let user_agent = user_agent.map(|user_agent| user_agent.to_ascii_lowercase());
        match self.user_agents.admit(user_agent.as_ref(), |glob, user_agent| glob.matches_lower_case(user_agent)) {
            true => Ok(()),
            false => Err("user-agent"),
        }
    }

    /// Refuses a client that may not call.
    pub fn on_request(&self, ex: &mut Exchange) -> Result<(), Reject> {
        let Err(reason) = self.decide(ex) else { return Ok(()) };
        ex.notes.denied_by = Some(reason);
        if self.dry_run {
            ex.notes.would_refuse.push(("access", Reject::AccessDenied.entry().code));
            return Ok(());
        }
        Err(Reject::AccessDenied)
    }
}

impl<T> Lists<T> {
    /// Whether they say nothing.
    pub fn is_empty(&self) -> bool {
        self.allow.is_none() && self.deny.is_empty()
    }

    /// What is not known is not denied, and not allowed where something is.
    fn admit<V>(&self, value: Option<&V>, matches: impl Fn(&T, &V) -> bool) -> bool {
        let Some(value) = value else { return self.allow.is_none() };
        let one_of = |list: &Vec<T>| list.iter().any(|item| matches(item, value));
        !one_of(&self.deny) && self.allow.as_ref().is_none_or(one_of)
    }

    fn words(&self, what: &str) -> Option<String> {
        let allow = self.allow.as_ref().map(|allow| format!("{} allowed", allow.len()));
        let deny = (!self.deny.is_empty()).then(|| format!("{} denied", self.deny.len()));
        let words: Vec<String> = allow.into_iter().chain(deny).collect();
        (!words.is_empty()).then(|| format!("{what}: {}", words.join(", ")))
    }
}

impl<T> Default for Lists<T> {
    fn default() -> Lists<T> {
        Lists { allow: None, deny: Vec::new() }
    }
}

impl Glob {
    pub fn new(text: &str) -> Glob {
        Glob { parts: text.to_ascii_lowercase().split('*').map(str::to_owned).collect() }
    }

    /// Whether it matches a text without capitals. Each part is looked for where the one before it ends, and never
    /// again: the time is linear in the length of the text.
    fn matches_lower_case(&self, text: &str) -> bool {
        let Some((last, others)) = self.parts.split_last() else { return false };
        let Some((first, middle)) = others.split_first() else { return text == last };
        let Some(mut rest) = text.strip_prefix(first.as_str()) else { return false };
        for part in middle {
            match rest.find(part.as_str()) {
                Some(at) => rest = &rest[at + part.len()..],
                None => return false,
            }
        }
        rest.ends_with(last.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exchange::tests::request;
    use http::Method;

    fn lists<T>(allow: &[&str], deny: &[&str], item: impl Fn(&str) -> T) -> Lists<T> {
        let all = |texts: &[&str]| texts.iter().map(|text| item(text)).collect::<Vec<T>>();
        Lists { allow: (!allow.is_empty()).then(|| all(allow)), deny: all(deny) }
    }

    #[test]
    fn addresses_are_denied_before_they_are_allowed() {
        for (allow, deny, address, admitted) in [
            (&[][..], &[][..], Some("192.0.2.1"), true),
            (&[], &[], None, true),
            (&["192.0.2.0/24"], &[], Some("192.0.2.1"), true),
            (&["192.0.2.0/24"], &[], Some("198.51.100.1"), false),
            (&["192.0.2.0/24"], &["192.0.2.1/32"], Some("192.0.2.1"), false),
            (&["192.0.2.1/32"], &["192.0.2.0/24"], Some("192.0.2.1"), false),
            (&[], &["192.0.2.0/24"], Some("192.0.2.1"), false),
            (&[], &["192.0.2.0/24"], Some("198.51.100.1"), true),
            (&["192.0.2.0/24", "2001:db8::/32"], &[], Some("2001:db8::1"), true),
            (&["2001:db8::/32"], &[], Some("2001:db9::1"), false),
            // What is not known.
            (&["0.0.0.0/0"], &[], None, false),
            (&[], &["0.0.0.0/0"], None, true),
            // IPv4 in IPv6.
            (&["192.0.2.0/24"], &[], Some("::ffff:192.0.2.1"), true),
            (&[], &["192.0.2.0/24"], Some("::ffff:192.0.2.1"), false),
            (&[], &["::/0"], Some("::ffff:192.0.2.1"), true),
            (&["::/0"], &[], Some("192.0.2.1"), false),
        ] {
            let addresses = lists(allow, deny, |text| text.parse().expect(text));
            let access = Access { addresses, ..Access::default() };
            let mut ex = request(Method::GET, "/", "/", &[]);
            ex.client.address = address.map(|address| address.parse().expect(address));
            let expected = if admitted { Ok(()) } else { Err("address") };
            assert_eq!(access.decide(&ex), expected, "{allow:?} {deny:?} {address:?}");
        }
    }

    #[test]
    fn countries_are_denied_before_they_are_allowed() {
        for (allow, deny, country, admitted) in [
            (&["NO", "SE"][..], &[][..], Some("NO"), true),
            (&["NO", "SE"], &[], Some("DK"), false),
            (&["NO"], &["NO"], Some("NO"), false),
            (&["NO"], &[], None, false),
            (&[], &["T1"], Some("T1"), false),
            (&[], &["T1"], Some("NO"), true),
            (&[], &["T1"], None, true),
        ] {
            let access = Access { countries: lists(allow, deny, str::to_owned), ..Access::default() };
            let mut ex = request(Method::GET, "/", "/", &[]);
            ex.facts.country = country.map(str::to_owned);
            let expected = if admitted { Ok(()) } else { Err("country") };
            assert_eq!(access.decide(&ex), expected, "{allow:?} {deny:?} {country:?}");
        }
    }

    #[test]
    fn user_agents_are_denied_before_they_are_allowed() {
        for (allow, deny, sent, admitted) in [
            (&["curl/*"][..], &[][..], &["curl/8.5.0"][..], true),
            (&["curl/*"], &[], &["Mozilla/5.0"], false),
            (&["CURL/*"], &[], &["cUrL/8"], true),
            (&["*"], &[], &["anything"], true),
            (&["*"], &[], &[""], true),
            (&["*"], &[], &[], false),
            (&["acme"], &[], &["acme"], true),
            (&["acme"], &[], &["acme/1"], false),
            (&["*"], &["*bot*"], &["Googlebot/2.1"], false),
            (&[], &["*bot*"], &["Bot"], false),
            (&[], &["*bot*"], &[], true),
            (&[], &["bad*"], &["good bad"], true),
            // All lines are one.
            (&[], &["*bot*"], &["Mozilla/5.0", "Evilbot"], false),
        ] {
            let access = Access { user_agents: lists(allow, deny, Glob::new), ..Access::default() };
            let fields: Vec<_> = sent.iter().map(|value| ("user-agent", *value)).collect();
            let ex = request(Method::GET, "/", "/", &fields);
            let expected = if admitted { Ok(()) } else { Err("user-agent") };
            assert_eq!(access.decide(&ex), expected, "{allow:?} {deny:?} {sent:?}");
        }
    }

    #[test]
    fn a_star_stands_for_any_characters() {
        for (glob, text, matches) in [
            ("", "", true),
            ("", "a", false),
            ("a*a", "a", false),
            ("a*a", "aa", true),
            ("a*b*c", "a-b-b-c", true),
            ("a*b*c", "a-c-b", false),
            ("*ab*ab*", "aab", false),
            ("*ab*ab*", "aabab", true),
            ("**a", "ba", true),
            ("*b", "b-a", false),
            ("é*", "éa", true),
        ] {
            assert_eq!(Glob::new(glob).matches_lower_case(text), matches, "{glob} {text}");
        }
        // What takes a matcher that goes back longer than anybody waits.
        assert!(!Glob::new(&"*a".repeat(2_000)).matches_lower_case(&"a".repeat(1_999)));
    }

    #[test]
    fn a_dry_run_refuses_nobody_and_still_tells() {
        let addresses = lists(&["10.0.0.0/8"], &[], |text| text.parse().expect(text));
        let mut access = Access { addresses, ..Access::default() };
        let mut ex = request(Method::GET, "/", "/", &[]);
        assert_eq!(access.on_request(&mut ex), Err(Reject::AccessDenied));
        access.dry_run = true;
        assert_eq!(access.on_request(&mut ex), Ok(()));
        assert_eq!(ex.notes.would_refuse, [("access", "access-denied")]);
        assert_eq!(access.decide(&ex), Err("address"));
        assert_eq!(access.describe(), "networks: 1 allowed; only logged");
    }
}
