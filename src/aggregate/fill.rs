//! JSON whose strings are templates. A string that is nothing but a placeholder becomes the value that it names, as it was
//! written; a member whose value is not there is left out, and an item becomes null.

use crate::exchange::Exchange;
use crate::raw::push_string;
use crate::template::{Goal, Part, Source, Template};

/// JSON to fill in.
#[derive(Debug, Clone, PartialEq)]
pub enum Form {
    /// JSON as it is sent.
    Fixed(String),
    /// A value as it is.
    Value(Source),
    Text(Template),
    Array(Vec<Form>),
    Object(Vec<(String, Form)>),
}

impl Form {
    /// The text of a template as a form.
    pub fn of(template: Template) -> Form {
        match template.parts.as_slice() {
            [Part::Value(source)] => Form::Value(source.clone()),
            _ => match template.literal() {
                Some(literal) => {
                    let mut text = String::new();
                    push_string(literal, &mut text);
                    Form::Fixed(text)
                }
                None => Form::Text(template),
            },
        }
    }

    /// Shows every source in it.
    pub fn each<'a>(&'a self, see: &mut dyn FnMut(&'a Source)) {
        match self {
            Form::Fixed(_) => {}
            Form::Value(source) => see(source),
            Form::Text(template) => template.sources().for_each(see),
            Form::Array(forms) => forms.iter().for_each(|form| form.each(see)),
            Form::Object(members) => members.iter().for_each(|(_, form)| form.each(see)),
        }
    }

    /// The JSON, filled in; null where its only value is not there.
    pub fn fill(&self, ex: &Exchange) -> String {
        let mut out = String::new();
        if self.write(ex, &mut out).is_none() {
            out.push_str("null");
        }
        out
    }

    /// Writes it. `None`, and nothing written, where the value is not there.
    fn write(&self, ex: &Exchange, out: &mut String) -> Option<()> {
        match self {
            Form::Fixed(text) => out.push_str(text),
            Form::Value(source) => source.push_json(ex, out)?,
            Form::Text(template) => push_string(&template.expand(ex, Goal::Text)?, out),
            Form::Array(forms) => {
                out.push('[');
                for (at, form) in forms.iter().enumerate() {
                    out.push_str(if at == 0 { "" } else { "," });
                    if form.write(ex, out).is_none() {
                        out.push_str("null");
                    }
                }
                out.push(']');
            }
            Form::Object(members) => {
                out.push('{');
                let mut separator = "";
                for (name, form) in members {
                    let before = out.len();
                    out.push_str(separator);
                    push_string(name, out);
                    out.push(':');
                    match form.write(ex, out) {
                        Some(()) => separator = ",",
                        None => out.truncate(before),
                    }
                }
                out.push('}');
            }
        }
        Some(())
    }
}
