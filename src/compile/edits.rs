//! Changes to header fields in a route's section: which fields may be changed, and what they may be set to.

use super::{bad_header_name, secret_slot};
use crate::config::HeaderEdits;
use crate::config::diagnostic::{Code, Diagnostic, Place};
use crate::config::sorted::Sorted;
use crate::config::words::Text;
use crate::headers::is_reserved;
use crate::policy::transform::{Edits, FieldValue};
use crate::template::{Parameters, Part, Template};
use http::{HeaderName, HeaderValue};
use std::cell::OnceCell;

type Diagnostics = Vec<Diagnostic>;

/// Compiles the changes to one header section.
pub fn compile(
    section: &HeaderEdits,
    place: &Place,
    parameters: &Parameters<'_>,
    diagnostics: &mut Diagnostics,
) -> Edits {
    let mut edits = Edits::default();
    for (index, text) in section.remove.iter().enumerate() {
        edits.remove.extend(editable(text, place.key("remove").index(index), diagnostics));
    }
    let mut fields = |key: &str, section: &Sorted<String, Text>| {
        let mut fields = Vec::new();
        for (text, value) in section {
            let place = place.key(key).key(text);
            let name = editable(text, place.clone().name(), diagnostics);
            let value = field_value(value, &place, parameters, diagnostics);
            fields.extend(name.zip(value));
        }
        fields
    };
    edits.set = fields("set", &section.set);
    edits.add = fields("add", &section.add);
    edits
}

/// A field that may be written by hand.
pub fn editable(text: &str, place: Place, diagnostics: &mut Diagnostics) -> Option<HeaderName> {
    match text.parse::<HeaderName>() {
        Ok(name) if is_reserved(&name) => {
            let message = format!("`{text}` belongs to the connection or to edgate, and cannot be edited");
            let help = match name.as_str() {
                "host" => "an upstream gets the host of its own `url`; `gateway.forward` tells it the client's",
                "x-request-id" => "`gateway.request_id` says whose identifiers are kept",
                _ => "take it away: it is written anew for every message",
            };
            diagnostics.push(Diagnostic::new(Code::ReservedHeader, place, message, "not yours to edit").help(help));
            None
        }
        Ok(name) => Some(name),
        Err(_) => {
            diagnostics.push(bad_header_name(text, place));
            None
        }
    }
}

/// What a field is set to.
pub fn field_value(
    text: &Text,
    place: &Place,
    parameters: &Parameters<'_>,
    diagnostics: &mut Diagnostics,
) -> Option<FieldValue> {
    match text {
        Text::Secret(secret) => {
            let slot = secret_slot(&secret.secret, &place.key("secret"), fits_a_field, diagnostics)?;
            if HeaderValue::from_str(&secret.prefix).is_err() {
                diagnostics.push(bad_value(place.key("prefix")));
                return None;
            }
            Some(FieldValue::Secret { secret: slot, prefix: secret.prefix.clone(), value: OnceCell::new() })
        }
        Text::Template(text) => {
            let template = Template::compile(text, place, parameters, diagnostics)?;
            let usable = template.parts.iter().all(|part| match part {
                Part::Literal(literal) => HeaderValue::from_str(literal).is_ok(),
                Part::Value(_) => true,
            });
            if !usable {
                diagnostics.push(bad_value(place.clone()));
                return None;
            }
            match template.literal().map(HeaderValue::from_str) {
                Some(Ok(fixed)) => Some(FieldValue::Fixed(fixed)),
                _ => Some(FieldValue::Template(template)),
            }
        }
    }
}

pub fn fits_a_field(secret: &str) -> Result<(), &'static str> {
    HeaderValue::try_from(secret).map(drop).map_err(|_| "no header field can hold it")
}

pub fn bad_value(place: Place) -> Diagnostic {
    let message = "a header field cannot hold control characters";
    Diagnostic::new(Code::BadHeader, place, message, "not a field value")
}
