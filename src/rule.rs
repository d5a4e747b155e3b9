//! The rules of `authorize.rules`, such as `claim.sub == path.user or identity.groups contains "staff"`: what they say,
//! and whether they hold for a request. A rule is closed and total: it reads the request and nothing else, comes to
//! an end, and cannot fail.
//!
//! # Grammar
//!
//! ```text
//! rule       := any
//! any        := all ("or" all)*
//! all        := not ("and" not)*
//! not        := "not" not | comparison
//! comparison := value (operator value)? | "(" any ")"
//! operator   := "==" | "!=" | "<" | "<=" | ">" | ">=" | "in" | "contains" | "starts_with" | "ends_with"
//! value      := claim.PATH | consumer.PATH | path.NAME | query.NAME | header.NAME | cookie.NAME
//!             | identity.{subject,consumer,issuer,method,groups,scopes} | request.{route,method,host,path}
//!             | client.{address,country} | part.NAME.{body,status,header.NAME}
//!             | "text" | 'text' | number | true | false | "[" literal ("," literal)* "]"
//! ```
//!
//! A `PATH` is what [`crate::config::names`] reads. A rule has 1,000 bytes at most, and parentheses and `not` are 32
//! deep at most.
//!
//! # What holds
//!
//! - **Nothing is granted by absence.** A comparison with a value that is not there, or is null, does not hold, whatever
//!   its operator: neither `claim.tenant == path.tenant` nor `claim.tenant != path.tenant` holds without the claim.
//!   `not claim.tenant` tells that it is missing.
//! - **Nothing is granted by a comparison that makes no sense.** Values of different types are neither equal nor unequal:
//!   `claim.role != "guest"` does not hold for `["guest"]`. Numbers are compared by what they count, whole ones exactly.
//! - What comes from the request itself, or says who it is, is text. Of a number it is the spelling, or it is none:
//!   `claim.account == path.account` holds for 42 and `/accounts/42`, and not for `/accounts/042`. A text in quotes, or
//!   in a claim, never equals a number.
//! - `<`, `<=`, `>` and `>=` compare numbers. A text that is a number in JSON's spelling counts as one where the other
//!   side is a number.
//! - `in` asks for a value among those of a list, and `contains` the other way around. `contains` also asks for a text
//!   inside another one, which is no way to ask for scopes: `identity.scopes` is a list. No text begins with, ends
//!   with or contains an empty one.
//! - A value alone holds when it is there and is not `false`, null or empty. The number 0 is no nothing.
//! - A query parameter that says several things says nothing definite: a rule that comes to one does not hold, not even
//!   under `not`, since the upstream may read another one of them than edgate.

mod grammar;
pub mod source;
pub mod value;
mod words;

#[cfg(test)]
mod tests;

use crate::config::diagnostic::{Code, Diagnostic, Place};
use crate::exchange::Exchange;
use crate::host::Capabilities;
use crate::interest::Interest;
use crate::template::Parameters;
use crate::template::names::{unbound, unknown_part};
use source::Source;
use std::borrow::Cow;
use std::fmt;
use std::ops::Range;
use value::{Operator, Value};

/// The longest rule, in bytes.
pub const MAX_LENGTH: usize = 1_000;

/// How deep parentheses and `not` may be.
pub const MAX_DEPTH: usize = 32;

/// A rule that can be evaluated.
#[derive(Debug, Clone, PartialEq)]
pub struct Rule {
    text: String,
    test: Test,
    /// What it reads, and where it says so.
    pub uses: Vec<(Source, Range<usize>)>,
}

/// A rule that cannot be read, or that can never hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mistake {
    /// Where, in bytes of the rule.
    pub range: Range<usize>,
    /// Why, as a sentence fragment.
    pub reason: String,
    /// What to do about it.
    pub help: Option<String>,
}

/// What is known of the route that a rule is for.
pub struct Scope<'a> {
    pub parameters: &'a Parameters<'a>,
    /// The platforms that the rule is for.
    pub targets: &'a [Capabilities],
    /// Whether the route asks clients who they are.
    pub has_identity: bool,
}

/// What a rule asks.
#[derive(Debug, Clone, PartialEq)]
enum Test {
    /// One of these holds.
    Any(Vec<Test>),
    /// All of these hold.
    All(Vec<Test>),
    Not(Box<Test>),
    /// The value is there, and is something.
    Is(Source),
    Compare(Operand, Operator, Operand),
}

/// One side of a comparison.
#[derive(Debug, Clone, PartialEq)]
enum Operand {
    Source(Source),
    Literal(serde_json::Value),
}

/// A part of the request says several things, so that nothing can be said of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Indefinite;

impl Rule {
    /// Reads a rule. Whether its route has what it names is not looked at.
    pub fn parse(text: &str) -> Result<Rule, Mistake> {
        if text.len() > MAX_LENGTH {
            let reason = format!("the rule has {} bytes, and may have {MAX_LENGTH}", text.len());
            return Err(Mistake::new(0..text.len(), reason).help("make it several rules: all of them must hold"));
        }
        if text.trim().is_empty() {
            return Err(Mistake::new(0..text.len(), "the rule is empty").help("take it away: nothing is asked then"));
        }
        let (test, uses) = grammar::parse(text)?;
        Ok(Rule { text: text.to_owned(), test, uses })
    }

    /// Reads a rule, and reports what is wrong with it. Whether a route has what it names is for [`Source::check`].
    pub fn read(text: &str, place: &Place, diagnostics: &mut Vec<Diagnostic>) -> Option<Rule> {
        match Rule::parse(text) {
            Ok(rule) => Some(rule),
            Err(mistake) => {
                diagnostics.push(mistake.diagnostic(place));
                None
            }
        }
    }

    /// Compiles a rule for a route.
    pub fn compile(text: &str, place: &Place, scope: &Scope<'_>, diagnostics: &mut Vec<Diagnostic>) -> Option<Rule> {
        let rule = Rule::read(text, place, diagnostics)?;
        let before = diagnostics.len();
        for (source, range) in &rule.uses {
            source.check(&place.clone().within(range.clone()), scope, diagnostics);
        }
        (diagnostics.len() == before).then_some(rule)
    }

    /// Whether it holds for a request.
    pub fn holds(&self, ex: &Exchange) -> bool {
        self.test.holds(ex).unwrap_or(false)
    }

    /// Adds what it reads of requests.
    pub fn interest(&self, interest: &mut Interest) {
        self.uses.iter().for_each(|(source, _)| source.interest(interest));
    }
}

/// The rule as it was written.
impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl Mistake {
    fn new(range: Range<usize>, reason: impl Into<String>) -> Mistake {
        Mistake { range, reason: reason.into(), help: None }
    }

    fn help(self, help: impl Into<String>) -> Mistake {
        Mistake { help: Some(help.into()), ..self }
    }

    /// What to say of it to whoever wrote it.
    pub fn diagnostic(self, place: &Place) -> Diagnostic {
        let Mistake { range, reason, help } = self;
        let diagnostic = Diagnostic::new(Code::BadRule, place.clone().within(range), reason, "here");
        Diagnostic { help, ..diagnostic }
    }
}

impl Source {
    /// Reports what the route cannot have.
    pub fn check(&self, place: &Place, scope: &Scope<'_>, diagnostics: &mut Vec<Diagnostic>) {
        match self {
            Source::Path(name) if !scope.parameters.unsure && !scope.parameters.all.contains(&name.as_str()) => {
                let (code, message, help) = unbound(name, scope.parameters);
                diagnostics.push(Diagnostic::new(code, place.clone(), message, "no such value").help(help));
            }
            Source::Country => {
                for target in scope.targets.iter().filter(|target| !target.country) {
                    let message = format!("{} does not know the country of a client", target.platform);
                    let help = "take it away, or name the platforms that this configuration is for: `gateway.targets`";
                    let diagnostic = Diagnostic::new(Code::Unsupported, place.clone(), message, "not on this platform");
                    diagnostics.push(diagnostic.help(help));
                }
            }
            Source::Part(reference) => {
                if let Some((code, message, help)) = unknown_part(&reference.part, scope.parameters) {
                    diagnostics.push(Diagnostic::new(code, place.clone(), message, "no such part").help(help));
                }
            }
            source if source.is_of_identity() && !scope.has_identity => {
                let message = "nobody is known here, since the route does not authenticate";
                let help = "add `authenticate` to the route, or to the gateway";
                diagnostics.push(Diagnostic::new(Code::NoIdentity, place.clone(), message, "never there").help(help));
            }
            _ => {}
        }
    }
}

impl Test {
    fn holds(&self, ex: &Exchange) -> Result<bool, Indefinite> {
        match self {
            Test::Any(tests) => {
                for test in tests {
                    if test.holds(ex)? {
                        return Ok(true);
                    }
                }
                Ok(false)
            }
            Test::All(tests) => {
                for test in tests {
                    if !test.holds(ex)? {
                        return Ok(false);
                    }
                }
                Ok(true)
            }
            Test::Not(test) => Ok(!test.holds(ex)?),
            Test::Is(source) => Ok(source.of(ex)?.is_some_and(|value| value.is_something())),
            Test::Compare(left, operator, right) => {
                let (left, right) = (left.of(ex)?, right.of(ex)?);
                Ok(left.zip(right).is_some_and(|(left, right)| operator.holds(&left, &right)))
            }
        }
    }
}

impl Operand {
    fn of<'a>(&'a self, ex: &'a Exchange) -> Result<Option<Value<'a>>, Indefinite> {
        match self {
            Operand::Source(source) => source.of(ex),
            Operand::Literal(value) => Ok(Some(Value::Json(Cow::Borrowed(value)))),
        }
    }
}
