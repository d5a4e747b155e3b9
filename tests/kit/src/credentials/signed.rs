//! Signed requests (RFC 9421), as a client makes them: the signature base, and the two fields.

use super::algorithm::Algorithm;
use super::encoding::base64;
use super::key::Key;
use super::tamper::flip;
use crate::seen::{Fields, values};
use anyhow::{Context, Result, bail};

/// What is signed of a request.
#[derive(Debug, Clone, Default)]
pub struct Signature {
    pub label: String,
    /// Names of components; one that begins with a quotation mark has parameters and is taken as it stands:
    /// `"@query-param";name="a"`.
    pub components: Vec<String>,
    /// Its parameters (section 2.3), in this order, those that are given.
    pub parameters: Vec<(&'static str, Parameter)>,
    /// What `Signature-Input` says in place of what the components and the parameters come to.
    pub input: Option<String>,
    /// Whether one bit of the signature is another one.
    pub spoilt: bool,
}

/// A parameter's value.
#[derive(Debug, Clone)]
pub enum Parameter {
    Number(i64),
    Text(String),
}

/// The parts of a request that can be signed, as they are sent over plain HTTP.
#[derive(Debug, Clone)]
pub struct Message<'a> {
    pub method: &'a str,
    /// The `Host` field.
    pub host: &'a str,
    /// A path, with its query.
    pub target: &'a str,
    pub fields: &'a Fields,
}

impl Signature {
    /// The members that it adds to `Signature-Input` and to `Signature`.
    pub fn sign(&self, key: &Key, algorithm: Algorithm, message: &Message<'_>) -> Result<(String, String)> {
        let input = self.input.clone().unwrap_or_else(|| self.inner_list());
        let mut signature = key.sign(algorithm, self.base(message, &input)?.as_bytes())?;
        if self.spoilt {
            flip(&mut signature);
        }
        Ok((format!("{}={input}", self.label), format!("{}=:{}:", self.label, base64(&signature))))
    }

    /// Section 2.5: a line for each component, and a last one for the parameters.
    pub fn base(&self, message: &Message<'_>, input: &str) -> Result<String> {
        let mut base = String::new();
        for component in &self.components {
            let identifier = identifier(component);
            let value = message.value(&identifier).with_context(|| format!("the component {identifier}"))?;
            base += &format!("{identifier}: {value}\n");
        }
        Ok(base + &format!("\"@signature-params\": {input}"))
    }

    fn inner_list(&self) -> String {
        let components: Vec<String> = self.components.iter().map(|component| identifier(component)).collect();
        let parameters = self.parameters.iter().map(|(name, value)| match value {
            Parameter::Number(number) => format!(";{name}={number}"),
            Parameter::Text(text) => format!(";{name}={}", quoted(text)),
        });
        format!("({}){}", components.join(" "), parameters.collect::<String>())
    }
}

/// Section 2.1: names of fields are in lower case.
fn identifier(component: &str) -> String {
    match component.starts_with('"') {
        true => component.to_owned(),
        false => quoted(&component.to_ascii_lowercase()),
    }
}

/// A string of RFC 8941.
fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

impl Message<'_> {
    /// Section 2.1 for fields, section 2.2 for what else a request has.
    fn value(&self, identifier: &str) -> Result<String> {
        let path_end = self.target.find('?').unwrap_or(self.target.len());
        let (path, query) = self.target.split_at(path_end);
        Ok(match identifier.trim_matches('"') {
            "@method" => self.method.to_owned(),
            "@target-uri" => format!("http://{}{}", self.authority(), self.target),
            "@authority" => self.authority(),
            "@scheme" => "http".to_owned(),
            "@request-target" => self.target.to_owned(),
            "@path" => if path.is_empty() { "/" } else { path }.to_owned(),
            "@query" => if query.is_empty() { "?" } else { query }.to_owned(),
            name if name.starts_with("@query-param") => parameter(query, name)?,
            name if name.starts_with('@') || name.contains(';') => bail!("this signer does not know it"),
            name => {
                let lines = values(self.fields, name);
                if lines.is_empty() {
                    bail!("the request has no such field");
                }
                lines.iter().map(|line| line.trim()).collect::<Vec<_>>().join(", ")
            }
        })
    }

    /// Section 2.2.3: in lower case, without the port that goes without saying.
    fn authority(&self) -> String {
        let host = self.host.to_ascii_lowercase();
        host.strip_suffix(":80").unwrap_or(&host).to_owned()
    }
}

/// Section 2.2.8: the value of the parameter that `@query-param";name="a` names, once. It must be written as it would be
/// encoded again.
fn parameter(query: &str, identifier: &str) -> Result<String> {
    let name = identifier.split("name=\"").nth(1).unwrap_or_default();
    let pairs = query.trim_start_matches('?').split('&').map(|pair| pair.split_once('=').unwrap_or((pair, "")));
    let mut values = pairs.filter(|(key, _)| *key == name).map(|(_, value)| value.to_owned());
    match (values.next(), values.next()) {
        (Some(value), None) => Ok(value),
        _ => bail!("the query does not have it once"),
    }
}
