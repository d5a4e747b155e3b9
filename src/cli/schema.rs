//! `edgate schema`: the JSON Schema of the document, from the types that read it. In draft 7, which every editor
//! knows.

use super::{Outcome, reference};
use crate::config::Document;
use schemars::generate::SchemaSettings;
use serde_json::{Value, json};

#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// Print the reference that is made from it, docs/configuration.md.
    #[arg(long)]
    pub markdown: bool,
}

pub const EXAMPLES: &str = "\
Examples:
  edgate schema > edgate.schema.json

An editor finds it through the first line of the document: #:schema ./edgate.schema.json";

/// What names of sections are.
const NAME: &str = "^[a-z][a-z0-9]*(-[a-z0-9]+)*$";

pub fn run(arguments: &Arguments) -> Outcome {
    Outcome::fine(if arguments.markdown { reference::markdown() } else { text() })
}

/// The schema as it is committed.
pub fn text() -> String {
    format!("{:#}\n", value())
}

/// The schema.
pub fn value() -> Value {
    let mut settings = SchemaSettings::draft07().for_deserialize();
    settings.inline_subschemas = false;
    let mut schema = settings.into_generator().into_root_schema_for::<Document>().to_value();
    tidy(&mut schema);
    schema["title"] = json!("edgate");
    if let Some(sections) = schema["properties"].as_object_mut() {
        for section in sections.values_mut().filter(|section| section["additionalProperties"].is_object()) {
            section["propertyNames"] = json!({ "pattern": NAME, "maxLength": 64 });
        }
        sections.insert("$schema".to_owned(), json!({ "type": "string", "description": "Where this schema is." }));
    }
    schema
}

/// Takes away what says nothing to people who write TOML: null, which it has not, and defaults, which the texts tell.
fn tidy(value: &mut Value) {
    match value {
        Value::Array(list) => list.iter_mut().for_each(tidy),
        Value::Object(map) => {
            map.remove("default");
            if let Some(Value::String(text)) = map.get_mut("description") {
                *text = text.replace('\n', " ");
            }
            if map.get("format").is_some_and(|format| format == "uint16") {
                map.remove("format");
                map.remove("maximum");
            }
            if let Some(Value::Array(types)) = map.get_mut("type") {
                types.retain(|kind| kind != "null");
                if let [only] = types.as_slice() {
                    let only = only.clone();
                    map.insert("type".to_owned(), only);
                }
            }
            if let Some(Value::Array(options)) = map.get_mut("anyOf") {
                options.retain(|option| option.get("type").is_none_or(|kind| kind != "null"));
                if let [only] = options.as_slice() {
                    let only = only.clone();
                    map.remove("anyOf");
                    match only {
                        Value::Object(only) if !only.contains_key("$ref") => map.extend(only),
                        // In draft 7, nothing counts beside a `$ref`.
                        only => drop(map.insert("allOf".to_owned(), json!([only]))),
                    }
                }
            }
            map.values_mut().for_each(tidy);
        }
        _ => {}
    }
}
