//! Addresses in a route's section: the path that an upstream is called with, the prefix that a path loses, and where a
//! redirection leads.

use crate::config::EncodedSlashes;
use crate::config::diagnostic::{Code, Diagnostic, Place};
use crate::path::{escape_segment, is_one_spelling, normalize, unescape};
use crate::respond::has_plain_path;
use crate::routing::pattern::Pattern;
use crate::template::{Parameters, Part, Source, Template};
use crate::upstream::rewrite::PathRewrite;

type Diagnostics = Vec<Diagnostic>;

/// A template for a whole path, whose literals are spelt as paths are.
pub fn path(text: &str, place: &Place, parameters: &Parameters<'_>, diagnostics: &mut Diagnostics) -> Option<Template> {
    let mut template = Template::compile(text, place, parameters, diagnostics)?;
    let begins = matches!(template.parts.first(), Some(Part::Literal(literal)) if literal.starts_with('/'))
        || matches!(template.parts.first(), Some(Part::Value(Source::RequestPath)));
    if !begins || text.contains('?') || text.contains('#') {
        let message = "a template for a path begins with a slash, and has no query";
        let help = "write \"/v2/orders/{path.id}\"; query parameters have a key of their own";
        diagnostics.push(Diagnostic::new(Code::BadTemplate, place.clone(), message, "not a path").help(help));
        return None;
    }
    for part in &mut template.parts {
        if let Part::Literal(literal) = part {
            *literal = escape_path(literal);
        }
    }
    if !is_one_spelling(&template.sample()) {
        let message = "the template has empty or dot segments, which no path has here";
        diagnostics.push(Diagnostic::new(Code::BadTemplate, place.clone(), message, "not a normalized path"));
        return None;
    }
    Some(template)
}

/// A literal prefix, which every pattern of the route must begin with.
pub fn strip(prefix: &str, place: &Place, patterns: &[&Pattern], diagnostics: &mut Diagnostics) -> Option<PathRewrite> {
    let normal = normalize(prefix, EncodedSlashes::Keep).ok().map(|normal| normal.trim_end_matches('/').to_owned());
    let Some(normal) = normal.filter(|normal| !normal.is_empty() && !prefix.contains(['{', '}'])) else {
        let message = format!("`{prefix}` is no prefix of a path");
        let help = "write a literal path: \"/api\"";
        diagnostics.push(Diagnostic::new(Code::BadValue, place.clone(), message, "not a literal path").help(help));
        return None;
    };
    if let Some(other) = patterns.iter().find(|pattern| !pattern.begins_with(&normal)) {
        let message = format!("the pattern `{}` does not begin with `{normal}`", other.text);
        let help = "all patterns of the route must begin with the prefix, in whole segments";
        diagnostics.push(Diagnostic::new(Code::BadValue, place.clone(), message, "not always there").help(help));
        return None;
    }
    Some(PathRewrite::Strip(normal))
}

/// Every segment of a literal, spelt as paths are.
fn escape_path(literal: &str) -> String {
    let segments = literal.split('/').map(|segment| {
        let mut escaped = String::new();
        escape_segment(&unescape(segment), &mut escaped);
        escaped
    });
    segments.collect::<Vec<_>>().join("/")
}

/// A template for the address that a redirection leads to.
pub fn redirection(
    text: &str,
    place: &Place,
    parameters: &Parameters<'_>,
    diagnostics: &mut Diagnostics,
) -> Option<Template> {
    let to = Template::compile(text, place, parameters, diagnostics)?;
    let (message, label, help) = if !leads_where_it_says(&to) {
        (
            "the address does not say which host it leads to",
            "leads anywhere",
            "begin it with a slash and a path, or with \"https://\" and a host that is written out or {request.host}",
        )
    } else if !has_plain_path(&to.sample()) {
        (
            "the address has empty or dot segments, or characters that a path cannot hold",
            "not a plain path",
            "write the path as it is sent, with escapes: \"/a%20b\"",
        )
    } else {
        return Some(to);
    };
    diagnostics.push(Diagnostic::new(Code::BadTemplate, place.clone(), message, label).help(help));
    None
}

/// Whether a redirection's host is the configuration's choice, never a client's.
fn leads_where_it_says(to: &Template) -> bool {
    let Some(Part::Literal(first)) = to.parts.first() else { return false };
    if first.starts_with('/') {
        return !first.starts_with("//") && !first.starts_with("/\\");
    }
    let Some(after) = first.strip_prefix("https://").or_else(|| first.strip_prefix("http://")) else { return false };
    if after.contains('/') {
        return !after.starts_with('/');
    }
    for part in &to.parts[1..] {
        match part {
            Part::Value(Source::Host) => {}
            Part::Value(Source::RequestPath) => return true,
            Part::Value(_) => return false,
            Part::Literal(literal) if literal.contains('/') => return true,
            Part::Literal(_) => {}
        }
    }
    !after.is_empty() || to.parts.len() > 1
}
