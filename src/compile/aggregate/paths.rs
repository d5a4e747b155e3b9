//! Places in an answer, as they are written: `address.city`, `items[].id`, `["a.b"]`.

use super::Diagnostics;
use crate::aggregate::shape::{Step, Tree};
use crate::config::diagnostic::{Code, Diagnostic, Place};
use crate::config::names::{Malformed, path_at};
use crate::config::sorted::Sorted;

/// Takes a path apart; there is one step at least.
pub fn steps(text: &str) -> Result<Vec<Step>, Malformed> {
    let mut steps = Vec::new();
    let mut at = 0;
    loop {
        let rest = text.get(at..).unwrap_or_default();
        if rest.starts_with("[]") {
            steps.push(Step::Items);
            at += 2;
        } else if rest.is_empty() && !steps.is_empty() {
            return Ok(steps);
        } else {
            let start = at + usize::from(!steps.is_empty() && rest.starts_with('.'));
            if start == at && !steps.is_empty() && !rest.starts_with('[') {
                return Err((at..text.len(), "names are joined by dots, and others stand in brackets and quotes"));
            }
            // Items are no name in brackets.
            let end = text.get(start..).and_then(|rest| rest.find("[]")).map_or(text.len(), |length| start + length);
            let (names, after) = path_at(text.get(..end).unwrap_or_default(), start)?;
            steps.extend(names.into_iter().map(Step::Member));
            at = after;
        }
    }
}

/// A path, or a report of what is wrong with it.
pub fn path(text: &str, place: &Place, diagnostics: &mut Diagnostics) -> Option<Vec<Step>> {
    steps(text)
        .map_err(|(range, reason)| {
            let message = format!("`{text}` is no path into an answer: {reason}");
            let help = "write \"id\", \"address.city\" or \"items[].id\"";
            let place = place.clone().within(range);
            diagnostics.push(Diagnostic::new(Code::BadValue, place, message, "not a path").help(help));
        })
        .ok()
}

/// Paths that mean the values they lead to.
pub fn tree(paths: &[String], place: &Place, diagnostics: &mut Diagnostics) -> Tree {
    let mut tree = Tree::default();
    for (index, text) in paths.iter().enumerate() {
        if let Some(path) = path(text, &place.index(index), diagnostics) {
            tree.set(&path, &|tree| tree.meant = true);
        }
    }
    tree
}

/// Paths that lead through what is dissolved before they are looked at: they would mean nothing, and what they deny would
/// be there.
pub fn dissolved<'a>(
    flatten: &[String],
    paths: impl Iterator<Item = (Place, &'a String)>,
    diagnostics: &mut Diagnostics,
) {
    let dissolved: Vec<(Vec<Step>, &String)> =
        flatten.iter().filter_map(|text| Some((steps(text).ok()?, text))).collect();
    if dissolved.is_empty() {
        return;
    }
    for (place, text) in paths {
        let Ok(path) = steps(text) else { continue };
        // An object dissolves in an object, and an array in an array; what is neither stays.
        let leads_through = |flat: &[Step]| {
            let after = path.strip_prefix(flat);
            match flat.last() {
                Some(Step::Member(_)) => matches!(after, Some([] | [Step::Member(_), ..])),
                Some(Step::Items) => matches!(after, Some([Step::Items, ..])),
                None => false,
            }
        };
        let Some((_, through)) = dissolved.iter().find(|(flat, _)| leads_through(flat)) else { continue };
        let message = format!("`{text}` is not there: `{through}` has dissolved into what it stands in");
        let help = "name what it becomes: its members are members of what it stood in";
        diagnostics.push(Diagnostic::new(Code::BadValue, place, message, "leads nowhere").help(help));
    }
}

/// Paths that give a new name to what they lead to.
pub fn names(mapping: &Sorted<String, String>, place: &Place, diagnostics: &mut Diagnostics) -> Tree {
    let mut tree = Tree::default();
    let mut given: Vec<(Vec<Step>, &str)> = Vec::new();
    for (text, name) in mapping {
        let here = place.key(text);
        let Some(path) = path(text, &here.clone().name(), diagnostics) else { continue };
        let Some((Step::Member(_), parent)) = path.split_last() else {
            let message = format!("`{text}` leads to items, and items have no names");
            diagnostics.push(Diagnostic::new(Code::BadValue, here.name(), message, "not a member"));
            continue;
        };
        if let Some((_, other)) = given.iter().find(|(known, other)| known == parent && other == name) {
            let message = format!("two members would be named `{other}`");
            diagnostics.push(Diagnostic::new(Code::Collision, here, message, "taken"));
        }
        given.push((parent.to_vec(), name));
        tree.set(&path, &|tree| tree.name = Some(name.clone()));
    }
    tree
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_taken_apart() {
        let member = |name: &str| Step::Member(name.to_owned());
        for (text, expected) in [
            ("id", vec![member("id")]),
            ("address.city", vec![member("address"), member("city")]),
            ("items[].id", vec![member("items"), Step::Items, member("id")]),
            ("[].id", vec![Step::Items, member("id")]),
            ("rows[][]", vec![member("rows"), Step::Items, Step::Items]),
            (r#"["a.b"].c[]["d"]"#, vec![member("a.b"), member("c"), Step::Items, member("d")]),
            ("a.0", vec![member("a"), member("0")]),
        ] {
            assert_eq!(steps(text), Ok(expected), "{text}");
        }
    }

    #[test]
    fn what_is_no_path_is_refused_where_it_stands() {
        for text in ["", ".", "a.", "a..b", "[", "a[", "a]", "a[]b", "a[].", "a [0]", "[0]", "é", "a[x]", "a.[]", "[]."]
        {
            let (range, _) = steps(text).expect_err(text);
            assert!(text.get(range).is_some(), "{text}");
        }
    }
}
