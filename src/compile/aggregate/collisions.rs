//! Members of the answer that two parts would write, as far as that is known before there is an answer.

use super::Diagnostics;
use crate::aggregate::Part;
use crate::aggregate::shape::Tree;
use crate::config::aggregate::{self as section, OnCollision, Shape};
use crate::config::diagnostic::{Code, Diagnostic, Place};

/// A member that a part is known to write, and the key that says so.
type Written = (String, &'static str);

/// Reports what is known to collide, unless the configuration says which one is taken.
pub fn check(section: &section::Aggregate, parts: &[Part], place: &Place, diagnostics: &mut Diagnostics) {
    let layout = section.shape.unwrap_or(Shape::Nested);
    let place_of = |at: usize, key: &str| place.key("parts").index(at).key(key);
    let seen = parts.iter().enumerate().filter(|(_, part)| part.for_part.is_none());
    let written: Vec<(usize, Vec<Written>)> = seen.map(|(at, part)| (at, members(part, layout))).collect();
    let mut collides = |name: &str, here: Place, there: Place| {
        let message = format!("the answer would have two members `{name}`");
        let help =
            "give one of them another name with `group` or `mapping`, or say in `on_collision` which one is taken";
        let diagnostic = Diagnostic::new(Code::Collision, here, message, "the second one");
        diagnostics.push(diagnostic.help(help).related(there, "the first one"));
    };
    for (at, members) in &written {
        for (name, key) in members {
            if section.outcomes.as_ref() == Some(name) {
                collides(name, place_of(*at, key), place.key("outcomes"));
            }
            let earlier = written.iter().take_while(|(other, _)| other < at);
            let other = earlier.flat_map(|(other, members)| members.iter().map(move |member| (other, member)));
            let other = other.into_iter().find(|(_, (known, _))| known == name);
            if let Some((other, (_, other_key))) = other
                && matches!(section.on_collision, None | Some(OnCollision::Error))
            {
                collides(name, place_of(*at, key), place_of(*other, other_key));
            }
        }
    }
}

/// The members that a part is known to write into the answer.
fn members(part: &Part, layout: Shape) -> Vec<Written> {
    let named = |tree: Option<&Tree>, name: &str| {
        tree.and_then(|tree| tree.member(name)?.name.clone()).unwrap_or_else(|| name.to_owned())
    };
    let names = part.shape.names.as_ref();
    match (&part.group, layout, &part.shape) {
        (Some(group), ..) => vec![(group.clone(), "group")],
        (None, Shape::Nested, _) => vec![(part.name.to_string(), "name")],
        // An array stays one, and is a member under the part's name.
        (None, Shape::Merged, _) if part.each.is_some() => vec![(part.name.to_string(), "name")],
        (None, Shape::Merged, shape) => match (&shape.collection, &shape.allow) {
            (Some(name), _) => vec![(named(names, name), "collection")],
            (None, Some(allow)) => allow.members.iter().map(|(name, _)| (named(names, name), "allow")).collect(),
            (None, None) => Vec::new(),
        },
    }
}
