//! What edgate says of a mistake in its configuration: a stable code, a place, a reason and a way out.
//!
//! A place is a path through the document (`route.list-orders.match.path`), never a line: the wasm that finds the
//! mistake at run time has no file. The command line turns the path into a line and a column.

use std::fmt;
use std::ops::Range;

/// One mistake, or one thing worth a warning.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostic {
    pub code: Code,
    /// What is wrong, as a sentence fragment without a full stop.
    pub message: String,
    pub place: Place,
    /// What stands beside the caret.
    pub label: String,
    /// What to do about it.
    pub help: Option<String>,
    /// The other place, where two conflict.
    pub related: Option<(Place, String)>,
}

/// Where in the document something stands.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Place {
    pub path: Vec<Step>,
    pub at: At,
    /// Bytes of the string value, where only a part of it is meant.
    pub within: Option<(usize, usize)>,
}

/// One step into a document.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Step {
    Key(String),
    Index(usize),
}

/// Whether a place means the key or what it holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum At {
    Key,
    #[default]
    Value,
}

/// Whether the configuration can serve.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Severity {
    Error,
    Warning,
}

macro_rules! codes {
    ($($variant:ident $text:literal $severity:ident $meaning:literal,)*) => {
        /// The stable names of everything that can be wrong with a configuration.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Code { $(#[doc = $meaning] $variant,)* }

        impl Code {
            /// Every code, in the order of the documentation.
            pub const ALL: &'static [Code] = &[$(Code::$variant,)*];

            /// The code as users see it: `unknown-upstream`.
            pub fn as_str(self) -> &'static str {
                match self { $(Code::$variant => $text,)* }
            }

            /// One sentence for the table in the documentation.
            pub fn meaning(self) -> &'static str {
                match self { $(Code::$variant => $meaning,)* }
            }

            /// Whether a configuration with it can serve.
            pub fn severity(self) -> Severity {
                match self { $(Code::$variant => Severity::$severity,)* }
            }
        }
    };
}

codes! {
    BadSyntax "bad-syntax" Error "The file, or the JSON in a binding, cannot be parsed.",
    DuplicateKey "duplicate-key" Error "A key stands twice in one table or object.",
    UnknownSection "unknown-section" Error "No section of the document has this name.",
    BadName "bad-name" Error "A name is not lower-case words joined by hyphens.",
    UnknownKey "unknown-key" Error "A section has no such key.",
    MissingKey "missing-key" Error "A key that the section needs is not there.",
    WrongType "wrong-type" Error "A value has another type than the key takes.",
    UnknownValue "unknown-value" Error "A value is not one of the words the key takes.",
    BadValue "bad-value" Error "A value of the right type says something impossible.",
    MissingUnit "missing-unit" Error "A duration or a size has no unit.",
    BadDuration "bad-duration" Error "A duration cannot be read.",
    BadSize "bad-size" Error "A size cannot be read.",
    BadShare "bad-share" Error "A share cannot be read.",
    OutOfRange "out-of-range" Error "A value is smaller or larger than the key allows.",
    BadUrl "bad-url" Error "An upstream's address is not an absolute http or https URL without query and fragment.",
    BadNetwork "bad-network" Error "An address to trust, allow or deny is neither an IP address nor a network in CIDR form.",
    BadHost "bad-host" Error "A host to match is not a host name, nor one with a leading `*.`.",
    BadOrigin "bad-origin" Error "An origin is not written as browsers write it, or may not have credentials.",
    BadPattern "bad-pattern" Error "A path pattern cannot be parsed.",
    BadMethod "bad-method" Error "A method is none that edgate routes.",
    BadHeader "bad-header" Error "A header's name or value has characters that HTTP does not allow.",
    ReservedHeader "reserved-header" Error "A header belongs to the connection, or to edgate, and cannot be edited by hand.",
    BadStatus "bad-status" Error "A status code cannot be used here.",
    BadTemplate "bad-template" Error "A template cannot be parsed.",
    UnknownPlaceholder "unknown-placeholder" Error "A template names a value that does not exist.",
    UnboundPlaceholder "unbound-placeholder" Error "A template or a rule names a path parameter that not every pattern of the route binds.",
    BadRule "bad-rule" Error "A rule of `authorize` cannot be read, or says the same of every request.",
    BadKey "bad-key" Error "A key, or the hash of one, cannot be used.",
    BadLimit "bad-limit" Error "A limit, or a number of one, cannot be read, or can never be met.",
    UnknownLimit "unknown-limit" Error "A route names a limit that is not there.",
    UnusedLimit "unused-limit" Warning "No route names this limit.",
    NoIdentity "no-identity" Error "Something needs to know who the client is, on a route that does not find out.",
    NoConsumers "no-consumers" Error "A way to show who one is opens to nobody.",
    DuplicateIdentity "duplicate-identity" Error "Two consumers would be known by the same key, name or user.",
    UnknownIssuer "unknown-issuer" Error "A route names an issuer that is not there.",
    UnusedIssuer "unused-issuer" Warning "No route takes the tokens of this issuer.",
    BadUpstream "bad-upstream" Error "What an upstream says of its targets, or a route of its upstreams, does not fit together.",
    UnknownUpstream "unknown-upstream" Error "A route, or an upstream, names an upstream that is not there.",
    UnknownPart "unknown-part" Error "Something names a part of an aggregate that is not there.",
    BadPlan "bad-plan" Error "Parts of an aggregate wait for each other, or need what may be missing.",
    Collision "collision" Error "Two parts of an aggregate, or two members of one, would have the same name.",
    NoAction "no-action" Error "A route says nothing about what to do.",
    SeveralActions "several-actions" Error "A route says more than one thing to do.",
    MisplacedKey "misplaced-key" Error "A key has no meaning with this route's action.",
    NoRoutes "no-routes" Error "There is no route at all, so every request would be answered 404.",
    DuplicateRoute "duplicate-route" Error "Two routes match exactly the same requests.",
    ShadowedRoute "shadowed-route" Error "A route can never be reached, since others take all of its requests.",
    AmbiguousRoutes "ambiguous-routes" Error "Some requests match two routes, and none is more specific.",
    Unsupported "unsupported" Error "A target cannot do this.",
    SourceNotAlone "source-not-alone" Error "The configuration comes from a key-value store, and there are sections beside it.",
    UnknownBinding "unknown-binding" Warning "A binding looks like a section of edgate, but is not named like one.",
    UnusedUpstream "unused-upstream" Warning "No route uses this upstream.",
    VariableTooLarge "variable-too-large" Warning "A binding is larger than Workers allows (5 KB).",
    TooManyVariables "too-many-variables" Warning "There are more bindings than Workers allows (64 on the free plan, 128 on the paid one).",
    OutOfStep "out-of-step" Error "A manifest's bindings are not what the document says.",
    NotDeclared "missing-declaration" Error "A manifest does not declare something that the configuration needs.",
    MissingSecret "missing-secret" Error "The platform has no secret of this name.",
    Unreadable "unreadable" Error "A file, or the key-value store that holds the configuration, cannot be read.",
}

impl Diagnostic {
    /// A diagnostic with the caret's label, and no help yet.
    pub fn new(code: Code, place: Place, message: impl Into<String>, label: impl Into<String>) -> Diagnostic {
        Diagnostic { code, message: message.into(), place, label: label.into(), help: None, related: None }
    }

    pub fn help(mut self, help: impl Into<String>) -> Diagnostic {
        self.help = Some(help.into());
        self
    }

    pub fn related(mut self, place: Place, label: impl Into<String>) -> Diagnostic {
        self.related = Some((place, label.into()));
        self
    }

    /// Whether the configuration cannot serve because of it.
    pub fn is_error(&self) -> bool {
        self.code.severity() == Severity::Error
    }
}

/// `error[unknown-upstream] route.list-orders.upstream: no upstream is named `usrs` (did you mean `users`?)`:
/// the one-line form, for logs.
impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}[{}] {}: {}", self.code.severity(), self.code.as_str(), self.place, self.message)?;
        match &self.help {
            Some(help) => write!(f, " ({help})"),
            None => Ok(()),
        }
    }
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Severity::Error => "error",
            Severity::Warning => "warning",
        })
    }
}

impl Place {
    /// The place of a section's own table.
    pub fn of<const N: usize>(keys: [&str; N]) -> Place {
        Place { path: keys.iter().map(|key| Step::Key((*key).to_owned())).collect(), ..Place::default() }
    }

    /// The value one key further in.
    pub fn key(&self, key: &str) -> Place {
        self.step(Step::Key(key.to_owned()))
    }

    /// The value one element further in.
    pub fn index(&self, index: usize) -> Place {
        self.step(Step::Index(index))
    }

    /// The key of this place, rather than what it holds.
    pub fn name(mut self) -> Place {
        self.at = At::Key;
        self
    }

    /// A part of the string at this place, in bytes of its decoded text.
    pub fn within(mut self, range: Range<usize>) -> Place {
        self.within = Some((range.start, range.end));
        self
    }

    fn step(&self, step: Step) -> Place {
        let mut path = self.path.clone();
        path.push(step);
        Place { path, ..Place::default() }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, step) in self.path.iter().enumerate() {
            match step {
                Step::Key(key) if position == 0 => write!(f, "{key}")?,
                Step::Key(key) => write!(f, ".{key}")?,
                Step::Index(index) => write!(f, "[{index}]")?,
            }
        }
        Ok(())
    }
}

/// `did you mean ..?`, where one of the known words is close enough to the written one.
pub fn did_you_mean<'a>(written: &str, known: impl IntoIterator<Item = &'a str>) -> Option<String> {
    nearest(written, &mut known.into_iter())
}

fn nearest(written: &str, known: &mut dyn Iterator<Item = &str>) -> Option<String> {
    // Of ASCII alone: almost every known word is, and the tables for all of Unicode would be 10 KB of the compressed wasm.
    let written = written.to_ascii_lowercase();
    let allowed = 1 + written.len() / 5;
    known
        .into_iter()
        .map(|word| (distance(&written, &word.to_ascii_lowercase()), word))
        .filter(|(distance, _)| *distance <= allowed)
        .min()
        .map(|(_, word)| format!("did you mean `{word}`?"))
}

/// The optimal string alignment distance: insertions, deletions, substitutions, and swaps of neighbours, each one.
fn distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().take(64).collect(), b.chars().take(64).collect());
    let mut rows = vec![(0..=b.len()).collect::<Vec<usize>>()];
    for i in 1..=a.len() {
        let mut row = vec![i];
        for j in 1..=b.len() {
            let substitute = rows[i - 1][j - 1] + usize::from(a[i - 1] != b[j - 1]);
            let mut best = substitute.min(rows[i - 1][j] + 1).min(row[j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                best = best.min(rows[i - 2][j - 2] + 1);
            }
            row.push(best);
        }
        rows.push(row);
    }
    rows[a.len()][b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_swap_is_one_mistake() {
        assert_eq!(distance("usres", "users"), 1);
        assert_eq!(did_you_mean("usrs", ["orders", "users"]).as_deref(), Some("did you mean `users`?"));
        assert_eq!(did_you_mean("payments", ["orders", "users"]), None);
    }

    #[test]
    fn codes_are_distinct_and_in_kebab_case() {
        let mut seen = std::collections::BTreeSet::new();
        for code in Code::ALL {
            assert!(seen.insert(code.as_str()), "{} stands twice", code.as_str());
            assert!(code.as_str().chars().all(|c| c.is_ascii_lowercase() || c == '-'), "{}", code.as_str());
        }
    }
}
