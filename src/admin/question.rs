//! Which counter is meant: `limit=per-user&identity.consumer=acme`.

use crate::limit::Limit;
use crate::limit::key::{Found, Part, Values, client};
use crate::reject::Reject;
use crate::routing::condition::parameters;
use crate::rule::source::Source;
use std::rc::Rc;

/// The parameter with the limit's name.
const LIMIT: &str = "limit";

/// What stands between the names of a part.
const OR: &str = " or ";

/// The parameter that names a value which the requests do not have: they count together.
const WITHOUT: &str = "without";

/// A counter that is meant.
pub struct Meant<'a> {
    pub limit: &'a Rc<Limit>,
    /// The values of its key, as they count, by the names that they were given by.
    pub key: Vec<(&'a str, Option<String>)>,
    pub values: Values,
}

/// Reads a query. `None` where it says nothing.
pub fn read<'a>(query: Option<&str>, limits: &'a [Rc<Limit>]) -> Result<Option<Meant<'a>>, Reject> {
    let pairs: Vec<_> = parameters(query).collect();
    if pairs.is_empty() {
        return Ok(None);
    }
    let mut named = pairs.iter().filter(|(name, _)| name == LIMIT);
    let limit = match (named.next(), named.next()) {
        (Some((_, name)), None) => limits.iter().find(|limit| *limit.name == **name).ok_or_else(|| unknown(limits))?,
        (None, _) => return Err(no_limit(limits)),
        (Some(_), Some(_)) => return Err(Reject::BadQuestion("`limit` stands there more than once.".to_owned())),
    };
    let parts = &limit.key.parts;
    let mut given: Vec<Option<(&str, Found)>> = vec![None; parts.len()];
    for (name, value) in pairs.iter().filter(|(name, _)| name != LIMIT) {
        let (wanted, value) = if name == WITHOUT { (value, None) } else { (name, Some(&**value)) };
        let Some((part, source, name)) = find(parts, wanted) else {
            let name: String = wanted.chars().filter(|c| !c.is_control()).collect();
            return Err(wrong(limit, &["`", &name, "` is no value of it."]));
        };
        if given[part].is_some() {
            return Err(wrong(limit, &["There are several values of `", &parts[part].text, "`."]));
        }
        let found = match value.map(|value| counts_as(&parts[part].sources[source], value)) {
            Some(Some(text)) => Found::Value { source, text },
            Some(None) => return Err(wrong(limit, &["`", name, "` must be an IP address."])),
            None => Found::Nothing,
        };
        given[part] = Some((name, found));
    }
    meant(limit, given).map(Some)
}

/// All values of a key together.
fn meant<'a>(limit: &'a Rc<Limit>, given: Vec<Option<(&'a str, Found)>>) -> Result<Meant<'a>, Reject> {
    let mut key = Vec::new();
    let mut all = Vec::new();
    for (part, given) in limit.key.parts.iter().zip(given) {
        let Some((name, found)) = given else {
            let first = part.text.split(OR).next().unwrap_or_default();
            let why =
                ["A value of `", &part.text, "` is missing; for requests without one, write `without=", first, "`."];
            return Err(wrong(limit, &why));
        };
        let value = if let Found::Value { text, .. } = &found { Some(text.clone()) } else { None };
        key.push((name, value));
        all.push(found);
    }
    Ok(Meant { limit, key, values: Values::of(&all) })
}

/// The part, and the source in it, that has a name, and the name as it is written there.
fn find<'a>(parts: &'a [Part], wanted: &str) -> Option<(usize, usize, &'a str)> {
    parts.iter().enumerate().find_map(|(position, part)| {
        let (source, name) = part.text.split(OR).enumerate().find(|(_, name)| *name == wanted)?;
        (source < part.sources.len()).then_some((position, source, name))
    })
}

/// The refusal of a question that should say which limit is meant.
pub fn no_limit(limits: &[Rc<Limit>]) -> Reject {
    Reject::BadQuestion("`limit` says which limit is meant. ".to_owned() + &all(limits))
}

fn unknown(limits: &[Rc<Limit>]) -> Reject {
    Reject::UnknownLimit("There is no such limit. ".to_owned() + &all(limits))
}

fn all(limits: &[Rc<Limit>]) -> String {
    let names: Vec<&str> = limits.iter().map(|limit| &*limit.name).collect();
    if names.is_empty() { "There are none.".to_owned() } else { ["There are ", &names.join(", "), "."].concat() }
}

fn wrong(limit: &Limit, why: &[&str]) -> Reject {
    let parts: Vec<&str> = limit.key.parts.iter().map(|part| part.text.as_str()).collect();
    let key = if parts.is_empty() { "counts all requests together" } else { "has the key " };
    Reject::BadQuestion([&["The limit `", &limit.name, "` ", key, &parts.join(" and "), ". "], why].concat().concat())
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
