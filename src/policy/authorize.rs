//! What a client may do: scopes, groups, and rules over who it is and what it asks for. It comes after `authenticate`,
//! and a client that is nobody has no scopes and no groups.

use crate::exchange::{AuthNote, Exchange};
use crate::identity::Identity;
use crate::interest::Interest;
use crate::refusal::Challenges;
use crate::reject::{Challenge, Denial, Reject};
use crate::rule::Rule;

/// What a route asks of a client.
#[derive(Debug, Default)]
pub struct Authorize {
    /// All of them.
    pub scopes: Vec<String>,
    /// One of them, where there are any.
    pub any_scope: Vec<String>,
    /// One of them, where there are any.
    pub groups: Vec<String>,
    /// All of them.
    pub rules: Vec<Rule>,
    /// Of the route's `authenticate`.
    pub challenges: Challenges,
    pub dry_run: bool,
}

/// What a client lacks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Lacks {
    Scope,
    Group,
    /// The rule at this position does not hold.
    Rule(usize),
}

impl Authorize {
    pub fn describe(&self) -> String {
        let mut words = Vec::new();
        if !self.scopes.is_empty() {
            words.push(format!("scopes {}", self.scopes.join(" and ")));
        }
        if !self.any_scope.is_empty() {
            words.push(format!("scope {}", self.any_scope.join(" or ")));
        }
        if !self.groups.is_empty() {
            words.push(format!("group {}", self.groups.join(" or ")));
        }
        words.extend(self.rules.iter().map(|rule| format!("`{rule}`")));
        let dry_run = if self.dry_run { "; dry run" } else { "" };
        format!("{}{dry_run}", words.join(", and "))
    }

    pub fn interest(&self, interest: &mut Interest) {
        self.rules.iter().for_each(|rule| rule.interest(interest));
    }

    pub fn on_request(&self, ex: &mut Exchange) -> Result<(), Reject> {
        let Some(lacks) = self.decide(ex) else { return Ok(()) };
        let (reason, detail) = self.reason(lacks);
        // Where nobody has to say who they are, there may be no note yet; why somebody is nobody is the reason of all else.
        let note = ex.notes.auth.get_or_insert_with(AuthNote::default);
        if note.reason.is_none() {
            note.reason = Some(reason);
            note.detail = Some(detail);
        }
        let reject = match (lacks, &ex.identity) {
            (_, None) if self.challenges.list.is_empty() => Reject::Forbidden,
            (_, None) => {
                Reject::Credentials(Denial::Missing, Challenge { fields: self.challenges.plain(), nonce: None })
            }
            (Lacks::Scope, Some(identity)) => self.insufficient_scope(identity),
            (Lacks::Group | Lacks::Rule(_), Some(_)) => Reject::Forbidden,
        };
        if self.dry_run {
            ex.notes.would_refuse.push(("authorize", reject.entry().code));
            return Ok(());
        }
        Err(reject)
    }

    fn decide(&self, ex: &Exchange) -> Option<Lacks> {
        let identity = ex.identity.as_deref();
        let has = |list: fn(&Identity) -> &[String], word: &String| {
            identity.is_some_and(|identity| list(identity).contains(word))
        };
        let any = |list, words: &[String]| words.is_empty() || words.iter().any(|word| has(list, word));
        let scopes: fn(&Identity) -> &[String] = |identity| &identity.scopes;
        let groups: fn(&Identity) -> &[String] = |identity| &identity.groups;
        if !self.scopes.iter().all(|scope| has(scopes, scope)) || !any(scopes, &self.any_scope) {
            return Some(Lacks::Scope);
        }
        if !any(groups, &self.groups) {
            return Some(Lacks::Group);
        }
        self.rules.iter().position(|rule| !rule.holds(ex)).map(Lacks::Rule)
    }

    fn reason(&self, lacks: Lacks) -> (&'static str, String) {
        match lacks {
            Lacks::Scope => ("scope", format!("it lacks a scope of {}", self.wanted())),
            Lacks::Group => ("group", format!("it is in none of the groups {}", self.groups.join(", "))),
            Lacks::Rule(at) => {
                let rule = self.rules.get(at).map(ToString::to_string).unwrap_or_default();
                ("rule", format!("the rule `{rule}` does not hold"))
            }
        }
    }

    fn wanted(&self) -> String {
        self.scopes.iter().chain(&self.any_scope).map(String::as_str).collect::<Vec<_>>().join(" ")
    }

    /// RFC 6750, section 3.1: 403, and the scopes that are needed.
    fn insufficient_scope(&self, identity: &Identity) -> Reject {
        let bound = identity.claims.get("cnf").is_some_and(|confirmation| confirmation.get("jkt").is_some());
        let fields = self.challenges.insufficient_scope(&self.wanted(), bound);
        Reject::Credentials(Denial::Scope, Challenge { fields, nonce: None })
    }
}
