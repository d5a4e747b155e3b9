//! JSON whose strings are templates.

use super::Diagnostics;
use crate::aggregate::fill::Form;
use crate::config::diagnostic::Place;
use crate::template::{Parameters, Template};
use serde_json::Value;

/// Compiles JSON. After a mistake, what is left of it.
pub fn compile(value: &Value, place: &Place, parameters: &Parameters<'_>, diagnostics: &mut Diagnostics) -> Form {
    let form = match value {
        Value::String(text) => Template::compile(text, place, parameters, diagnostics).map(Form::of),
        Value::Array(items) => {
            let items = items.iter().enumerate();
            let forms = items.map(|(index, item)| compile(item, &place.index(index), parameters, diagnostics));
            Some(Form::Array(forms.collect()))
        }
        Value::Object(members) => {
            let members = members.iter();
            let forms =
                members.map(|(name, value)| (name.clone(), compile(value, &place.key(name), parameters, diagnostics)));
            Some(Form::Object(forms.collect()))
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => None,
    };
    form.unwrap_or_else(|| Form::Fixed(value.to_string()))
}
