//! Findings as people read them, with carets, and as programs do, in JSON.

use super::finding::{Finding, Spot};
use crate::config::diagnostic::Severity;
use annotate_snippets::renderer::DecorStyle;
use annotate_snippets::{Annotation, AnnotationKind, Group, Level, Origin, Renderer, Snippet};
use serde_json::{Value, json};
use std::rc::Rc;

/// A wider line is cut around its carets.
const WIDTH: usize = 120;

/// Every finding with its source, and an empty line after each.
pub fn text(findings: &[Finding]) -> String {
    findings.iter().map(|finding| format!("{}\n\n", one(finding))).collect()
}

fn one(finding: &Finding) -> String {
    let diagnostic = &finding.diagnostic;
    let level = match finding.severity() {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
    };
    let title = level.primary_title(diagnostic.message.as_str()).id(diagnostic.code.as_str());
    let mut group = Group::with_title(title);
    let primary = AnnotationKind::Primary;
    match &finding.related {
        Some((related, label)) if Rc::ptr_eq(&related.file, &finding.spot.file) => {
            let others = annotation(related, label, AnnotationKind::Context).into_iter();
            let annotations = others.chain(annotation(&finding.spot, &diagnostic.label, primary));
            group = source(group, &finding.spot, annotations);
        }
        related => {
            group = source(group, &finding.spot, annotation(&finding.spot, &diagnostic.label, primary));
            if let Some((related, label)) = related {
                group = source(group, related, annotation(related, label, AnnotationKind::Context));
            }
        }
    }
    if let Some(help) = &diagnostic.help {
        group = group.element(Level::HELP.message(help.as_str()));
    }
    Renderer::styled().decor_style(DecorStyle::Ascii).term_width(WIDTH).render(&[group])
}

/// Adds the lines of a file, or its name alone, where nothing in it is meant.
fn source<'a>(group: Group<'a>, spot: &'a Spot, annotations: impl IntoIterator<Item = Annotation<'a>>) -> Group<'a> {
    let file = &*spot.file;
    if spot.span.is_none() {
        return group.element(Origin::path(file.name.as_str()));
    }
    let snippet = Snippet::source(file.text.as_str()).path(file.name.as_str());
    group.element(snippet.annotations(annotations))
}

fn annotation<'a>(spot: &Spot, label: &'a str, kind: AnnotationKind) -> Option<Annotation<'a>> {
    let span = spot.span.clone()?;
    Some(kind.span(span).label(label))
}

/// Every finding as an object of one JSON list.
pub fn json(findings: &[Finding]) -> String {
    let list: Vec<Value> = findings.iter().map(object).collect();
    format!("{:#}\n", Value::from(list))
}

fn object(finding: &Finding) -> Value {
    let diagnostic = &finding.diagnostic;
    let mut object = json!({
        "severity": finding.severity().to_string(),
        "code": diagnostic.code.as_str(),
        "message": diagnostic.message,
        "label": diagnostic.label,
        "help": diagnostic.help,
        "path": finding.place().to_string(),
        "related": finding.related.as_ref().map(|(spot, label)| {
            let mut related = json!({ "label": label });
            place(&mut related, spot);
            related
        }),
    });
    place(&mut object, &finding.spot);
    object
}

fn place(object: &mut Value, spot: &Spot) {
    let [start, end] = spot.lines().map_or([None; 2], |lines| lines.map(Some));
    object["file"] = json!(spot.file.name);
    object["line"] = json!(start.map(|(line, _)| line));
    object["column"] = json!(start.map(|(_, column)| column));
    object["end_line"] = json!(end.map(|(line, _)| line));
    object["end_column"] = json!(end.map(|(_, column)| column));
}

/// `3 errors, 1 warning`.
pub fn count(findings: &[Finding]) -> String {
    let errors = findings.iter().filter(|finding| finding.is_error()).count();
    let counts = [(errors, "error"), (findings.len() - errors, "warning")];
    let words: Vec<String> =
        counts.iter().filter(|(number, _)| *number > 0).map(|(number, noun)| plural(*number, noun)).collect();
    words.join(", ")
}

/// `1 route`, `2 routes`.
pub fn plural(number: usize, noun: &str) -> String {
    if number == 1 { format!("1 {noun}") } else { format!("{number} {noun}s") }
}
