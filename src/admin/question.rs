//! Which counter is meant: `limit=per-user&identity.consumer=acme`.

use crate::limit::Limit;
use crate::limit::key::{Found, Part, Values, client};
use crate::reject::Reject;
use crate::routing::condition::parameters;
use crate::rule::source::Source;
use std::rc::Rc;

/// The parameter with the limit's name.
const LIMIT: &str = "limit";

/// The parameter that names a value which the requests do not have: they count together.
const WITHOUT: &str = "without";

/// A counter that is meant.
pub struct Meant<'a> {
    pub limit: &'a Rc<Limit>,
    /// The values of its key, as they count, by the names that they were given by.
    pub key: Vec<(&'a str, Option<String>)>,
    pub values: Values,
}

/// Reads a query. `None` where it names no limit and nothing else.
pub fn read<'a>(query: Option<&str>, limits: &'a [Rc<Limit>]) -> Result<Option<Meant<'a>>, Reject> {
    let pairs: Vec<(String, String)> =
        parameters(query).map(|(name, value)| (name.into_owned(), value.into_owned())).collect();
    let named: Vec<&str> = pairs.iter().filter(|(name, _)| name == LIMIT).map(|(_, value)| value.as_str()).collect();
    let limit = match (named.as_slice(), pairs.is_empty()) {
        ([], true) => return Ok(None),
        ([name], _) => limits.iter().find(|limit| *limit.name == **name).ok_or_else(|| unknown(limits))?,
        ([], false) => return Err(no_limit(limits)),
        _ => return Err(Reject::BadQuestion("`limit` stands there more than once.".to_owned())),
    };
    let parts = &limit.key.parts;
    let mut key = Vec::new();
    let mut found = Vec::new();
    for part in parts {
        let (name, value) = given(part, &pairs).map_err(|why| wrong(limit, &why))?;
        found.push(value.clone().map_or(Found::Nothing, |(source, text)| Found::Value { source, text }));
        key.push((name, value.map(|(_, text)| text)));
    }
    let known = |name: &str, value: &str| {
        let is_one = |wanted: &str| parts.iter().flat_map(names).any(|name| name == wanted);
        name == LIMIT || is_one(if name == WITHOUT { value } else { name })
    };
    if let Some((name, value)) = pairs.iter().find(|(name, value)| !known(name, value)) {
        let name = if name == WITHOUT { value } else { name };
        return Err(wrong(limit, &format!("`{}` is no value of it.", name.escape_debug())));
    }
    Ok(Some(Meant { limit, key, values: Values::of(&found) }))
}

/// The refusal of a question that should say which limit is meant.
pub fn no_limit(limits: &[Rc<Limit>]) -> Reject {
    Reject::BadQuestion(format!("`limit` says which limit is meant. {}", all(limits)))
}

fn unknown(limits: &[Rc<Limit>]) -> Reject {
    Reject::UnknownLimit(format!("There is no such limit. {}", all(limits)))
}

fn all(limits: &[Rc<Limit>]) -> String {
    let names: Vec<&str> = limits.iter().map(|limit| &*limit.name).collect();
    if names.is_empty() { "There are none.".to_owned() } else { format!("There are {}.", names.join(", ")) }
}

fn wrong(limit: &Limit, why: &str) -> Reject {
    let parts: Vec<&str> = limit.key.parts.iter().map(|part| part.text.as_str()).collect();
    let key = match parts.as_slice() {
        [] => "counts all requests together".to_owned(),
        parts => format!("has the key {}", parts.join(" and ")),
    };
    Reject::BadQuestion(format!("The limit `{}` {key}. {why}", limit.name))
}

/// The names of a part: `identity.subject or client.address` has two.
pub fn names(part: &Part) -> impl Iterator<Item = &str> {
    part.text.split(" or ")
}

/// A value of a part, and which of its sources has it.
type Given = (usize, String);

/// The name by which a part is given, and its value; `None` where the requests have none.
fn given<'a>(part: &'a Part, pairs: &[(String, String)]) -> Result<(&'a str, Option<Given>), String> {
    let mut all = Vec::new();
    for (position, name) in names(part).enumerate() {
        let values = pairs.iter().filter(|(given, _)| given == name).map(|(_, value)| Some(value.as_str()));
        let without = pairs.iter().filter(|(given, value)| given == WITHOUT && value == name).map(|_| None);
        all.extend(values.chain(without).map(|value| (position, name, value)));
    }
    match all.as_slice() {
        [(position, name, Some(value))] => {
            let source = part.sources.get(*position);
            let value = source.and_then(|source| counts_as(source, value));
            let value = value.ok_or_else(|| format!("`{name}` must be an IP address."))?;
            Ok((name, Some((*position, value))))
        }
        [(_, name, None)] => Ok((name, None)),
        [] => {
            let first = names(part).next().unwrap_or_default();
            Err(format!("A value of `{}` is missing; for requests without one, write `{WITHOUT}={first}`.", part.text))
        }
        _ => Err(format!("There are several values of `{}`.", part.text)),
    }
}

/// A value as it counts. `None` for one that no request can have.
fn counts_as(source: &Source, value: &str) -> Option<String> {
    match source {
        // As it is shown, too.
        Source::Address => value.strip_suffix("/64").unwrap_or(value).parse().ok().map(client),
        Source::Host => Some(value.to_ascii_lowercase()),
        _ => Some(value.to_owned()),
    }
}
