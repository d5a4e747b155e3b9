//! The reference of the configuration, docs/configuration.md: made from the JSON Schema and from the list of codes, so
//! that it cannot say anything else than the program does.

use super::schema;
use crate::config::diagnostic::Code;
use crate::config::document::Kind;
use crate::template::FIXED;
use serde_json::{Map, Value};

const BEGINNING: &str = "\
<!-- Made by `edgate schema --markdown`: change the doc comments in src/config.rs instead. -->

# Configuration

A configuration is a document, `edgate.toml`, or the same sections as bindings of the platform, one to one: the table
`[route.list-orders]` is the binding `ROUTE_LIST_ORDERS`. `edgate bind` writes the bindings of a document into
wrangler.toml and spin.toml; `edgate check` finds every mistake in any of the three.

In wrangler.toml a binding is a table under `[vars]`; in spin.toml it is a JSON string in the component's
`environment`. Secrets are never values, only names: `{ secret = \"ORDERS_KEY\" }` is the Workers secret `ORDERS_KEY`,
or the Spin variable `orders_key`.

Put this on the first line of a document, and an editor knows what this page says:

```toml
#:schema ./edgate.schema.json
```

## Values

| Type | How it is written |
|---|---|
| name | Small letters and digits in words joined by single hyphens, a letter first, 64 characters at most: `list-orders`. |
| duration | A number and a unit, `ms`, `s`, `m`, `h` or `d`, or several of them: `\"250ms\"`, `\"10s\"`, `\"1m30s\"`. |
| size | A number and a unit, `B`, `KB`, `MB`, `GB`, or `KiB`, `MiB`, `GiB` for powers of 1024: `\"8 KB\"`. |
| share | A number of percent with two decimals at most: `\"20%\"`, `\"0.5%\"`. |
| secret | A secret by its name, in capitals: `{ secret = \"ORDERS_KEY\" }`, the Workers secret of that name, or the Spin variable of that name in small letters. No name of a secret or of a store begins as the bindings of sections do. |
| pattern | A path whose segments are literal or have one parameter, `/img-{name}.png`; the last may take all that is left, `/files/{*rest}`. |
";

const CODES: &str = "
## Diagnostics

What `edgate check` says is wrong has a stable code. With an error, a configuration does not serve.

| Code | Severity | Meaning |
|---|---|---|
";

/// The whole page.
pub fn markdown() -> String {
    let schema = schema::value();
    let mut page = Page { schema: &schema, text: BEGINNING.to_owned(), tables: Vec::new() };
    let named = ["path.NAME", "query.NAME", "header.NAME", "claim.NAME", "consumer.NAME"];
    let placeholders = named.into_iter().chain(FIXED.iter().map(|(name, _)| *name));
    let placeholders: Vec<String> = placeholders.map(|name| format!("`{{{name}}}`")).collect();
    let placeholders = placeholders.join(", ");
    page.text +=
        &format!("| template | A text with placeholders: {placeholders}. `{{{{` and `}}}}` stand for braces. |\n");
    for kind in Kind::ALL {
        page.section(kind);
    }
    page.text += CODES;
    for code in Code::ALL {
        page.text += &format!("| `{}` | {} | {} |\n", code.as_str(), code.severity(), code.meaning());
    }
    page.text
}

struct Page<'a> {
    schema: &'a Value,
    text: String,
    /// What was written so far, with the table it was written for.
    tables: Vec<(&'a Value, String)>,
}

impl<'a> Page<'a> {
    fn section(&mut self, kind: Kind) {
        let property = &self.schema["properties"][kind.key()];
        let (title, section) = match property["additionalProperties"].is_object() {
            true => (format!("{}.NAME", kind.key()), &property["additionalProperties"]),
            false => (kind.key().to_owned(), property),
        };
        if let Some(definition) = self.definition(section) {
            self.table("##", &title, definition);
        }
    }

    /// A table of the document: its keys, and then the tables inside it.
    fn table(&mut self, heading: &str, title: &str, definition: &'a Value) {
        self.text += &format!("\n{heading} `[{title}]`\n\n");
        if let Some((_, other)) = self.tables.iter().find(|(written, _)| *written == definition) {
            self.text += &format!("The same keys as `[{other}]`.\n");
            return;
        }
        self.tables.push((definition, title.to_owned()));
        self.text += &format!("{}\n\n", said(definition));
        self.text += "| Key | Type | Meaning |\n|---|---|---|\n";
        let required = definition["required"].as_array();
        let needed = |key: &str| required.is_some_and(|required| required.iter().any(|name| name == key));
        let mut inner = Vec::new();
        let title = title.trim_matches(['[', ']']);
        for (key, property) in properties(definition) {
            let meaning = match needed(key) {
                true => format!("**Needed.** {}", self.meaning(property)),
                false => self.meaning(property),
            };
            self.text += &format!("| `{key}` | {} | {meaning} |\n", self.kind(property));
            // A table in a list has its brackets twice.
            let place = format!("{}.{key}", title.trim_matches(['[', ']']));
            inner.extend(self.inner(property).map(|(form, table)| (form.replace("KEY", &place), table)));
        }
        for (title, table) in inner {
            self.table("###", &title, table);
        }
    }

    /// The table that a key may hold, or a list of such tables, or one that stands for each of the names in it; and how
    /// its title is written.
    fn inner(&self, property: &'a Value) -> Option<(&'static str, &'a Value)> {
        let table = |schema| {
            let definition = self.definition(schema).filter(|_| !is_secret(schema));
            definition.filter(|definition| definition["properties"].is_object())
        };
        let one_of = |schema: &'a Value| schema["anyOf"].as_array().into_iter().flatten().find_map(table);
        let listed = || table(&property["items"]).or_else(|| one_of(&property["items"])).map(|table| ("[KEY]", table));
        let named = || one_of(&property["additionalProperties"]).map(|table| ("KEY.FIELD", table));
        // A list of which each element is a table or something else, or something else in its place.
        let mixed = || {
            let mut options = property["anyOf"].as_array().into_iter().flatten();
            options.find_map(|option| one_of(&option["items"])).map(|table| ("[KEY]", table))
        };
        let direct = table(property).or_else(|| one_of(property)).map(|table| ("KEY", table));
        direct.or_else(listed).or_else(named).or_else(mixed)
    }

    /// What a schema refers to.
    fn definition(&self, schema: &'a Value) -> Option<&'a Value> {
        self.schema.pointer(reference(schema)?.strip_prefix('#')?)
    }

    /// A type in words.
    fn kind(&self, schema: &'a Value) -> String {
        if is_secret(schema) {
            return "secret".to_owned();
        }
        if let Some(definition) = self.definition(schema) {
            return match definition["oneOf"].as_array() {
                Some(words) => words
                    .iter()
                    .filter_map(|word| word["const"].as_str())
                    .map(|word| format!("`{word}`"))
                    .collect::<Vec<_>>()
                    .join(", "),
                None => "table".to_owned(),
            };
        }
        if let Some(options) = schema["anyOf"].as_array() {
            return options.iter().map(|option| self.kind(option)).collect::<Vec<_>>().join(" or ");
        }
        if let Some(word) = schema["const"].as_str() {
            return format!("`{word}`");
        }
        let pattern = schema["pattern"].as_str().unwrap_or_default();
        match schema["type"].as_str() {
            Some("array") if schema["items"]["anyOf"].is_array() => {
                format!("list of ({})", self.kind(&schema["items"]))
            }
            Some("array") => format!("list of: {}", self.kind(&schema["items"])),
            Some("object") if schema["additionalProperties"].is_object() => {
                format!("table of: {}", self.kind(&schema["additionalProperties"]))
            }
            Some("string") if pattern.contains("(ms|") => "duration".to_owned(),
            Some("string") if pattern.contains('%') => "share".to_owned(),
            Some("string") if pattern.contains("(B|") => "size".to_owned(),
            Some(other) => other.to_owned(),
            None => "any".to_owned(),
        }
    }

    /// What a key means; with the meaning of each word, where it takes one of several.
    fn meaning(&self, schema: &'a Value) -> String {
        let mut meaning = said(schema);
        let words = self.definition(schema).or_else(|| self.definition(&schema["items"]));
        for word in words.and_then(|words| words["oneOf"].as_array()).into_iter().flatten() {
            if let (Some(name), Some(text)) = (word["const"].as_str(), word["description"].as_str()) {
                meaning += &format!("<br>`{name}`: {}", cell(text));
            }
        }
        meaning
    }
}

fn reference(schema: &Value) -> Option<&str> {
    schema["$ref"].as_str().or_else(|| schema["allOf"][0]["$ref"].as_str())
}

/// Whether it is a secret's name alone, which is told among the values.
fn is_secret(schema: &Value) -> bool {
    reference(schema).is_some_and(|reference| reference.ends_with("/SecretName"))
}

fn properties(definition: &Value) -> impl Iterator<Item = (&String, &Value)> {
    definition["properties"].as_object().map(Map::iter).into_iter().flatten()
}

fn said(schema: &Value) -> String {
    cell(schema["description"].as_str().unwrap_or_default())
}

/// Text in a table.
fn cell(text: &str) -> String {
    text.replace('\n', " ").replace("  ", " ").replace('|', "\\|")
}
