//! What a signature can cover of a request: component identifiers (RFC 9421, section 2), as signatures and as
//! configurations write them. What their values are is not decided here.

use super::digest::is_checked;
use super::flaw::Flaw;
use http::HeaderName;
use sfv::{BareItem, FieldType, Item, Parser};

/// RFC 9530, section 2.
pub const CONTENT_DIGEST: HeaderName = HeaderName::from_static("content-digest");

/// A component identifier (section 2).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identifier {
    /// As the signature base has it: `"@query-param";name="Pet"`.
    pub text: String,
    pub component: Component,
}

/// What an identifier stands for. Identifiers that differ only in the order of their parameters stand for the same.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Component {
    Method,
    TargetUri,
    Authority,
    Scheme,
    RequestTarget,
    Path,
    Query,
    /// A parameter of the query, by its name with escapes.
    QueryParam(String),
    Field(HeaderName, Form),
}

/// How a field's value is written into the signature base (section 2.1).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Form {
    /// Its lines as they are, as one.
    Plain,
    /// `sf`: as a structured field in its one spelling (section 2.1.1).
    Strict,
    /// `key`: one member of a Dictionary (section 2.1.2).
    Member(String),
    /// `bs`: its lines as Byte Sequences (section 2.1.3).
    Wrapped,
}

/// The parameters of an identifier that a request can have.
#[derive(Default)]
struct Parameters {
    strict: bool,
    wrapped: bool,
    key: Option<String>,
    name: Option<String>,
}

impl Identifier {
    /// Reads an identifier of a signature.
    pub fn read(item: &Item) -> Result<Identifier, Flaw> {
        let text = item.serialize();
        match component(item) {
            Some(component) => Ok(Identifier { text, component }),
            None => Err(Flaw::UnknownComponent(text)),
        }
    }

    /// Parses an identifier of a configuration: `@method`, `Content-Digest`, `@query-param;name="Pet"`. The error says
    /// what is wrong with it.
    pub fn parse(text: &str) -> Result<Identifier, String> {
        let (name, parameters) = text.split_at(text.find(';').unwrap_or(text.len()));
        let name = name.trim().trim_matches('"').to_ascii_lowercase();
        let item = Parser::new(&format!("\"{name}\"{parameters}")).parse::<Item>();
        let item = item.map_err(|error| format!("`{text}` is no component of a request: {error}"))?;
        let identifier = Identifier::read(&item).map_err(|_| explain(text, &name, &item))?;
        match identifier.component.is_other_digest() {
            true => Err(format!("`{text}` is a digest that is not checked: `sha-256` and `sha-512` are")),
            false => Ok(identifier),
        }
    }
}

impl Component {
    /// Whether whoever signs this signs `other` with it. A field as a whole is signed in each form but
    /// [`Form::Member`].
    pub fn covers(&self, other: &Component) -> bool {
        match (self, other) {
            (Component::Field(name, Form::Strict | Form::Wrapped), Component::Field(wanted, Form::Plain)) => {
                name == wanted
            }
            _ => self == other,
        }
    }

    /// Whether it says what the content is: `Content-Digest`, or its member of an algorithm that is checked.
    pub fn is_content_digest(&self) -> bool {
        match self {
            Component::Field(name, Form::Member(algorithm)) => *name == CONTENT_DIGEST && is_checked(algorithm),
            component => component.covers(&Component::Field(CONTENT_DIGEST, Form::Plain)),
        }
    }

    /// Whether it is the digest of an algorithm that is not checked: who signs it has not signed the content.
    fn is_other_digest(&self) -> bool {
        matches!(self, Component::Field(name, Form::Member(_)) if *name == CONTENT_DIGEST) && !self.is_content_digest()
    }
}

/// What an item stands for; `None` where that is nothing that a request has, or nothing that edgate understands.
fn component(item: &Item) -> Option<Component> {
    let name = item.bare_item.as_string()?.as_str();
    let parameters = Parameters::read(item)?;
    match name.starts_with('@') {
        true => derived(name, parameters),
        false => field(name, parameters),
    }
}

/// Section 2.2. `@status` MUST NOT be used in a request, and `@signature-params` MUST NOT be listed (section 2.3).
fn derived(name: &str, parameters: Parameters) -> Option<Component> {
    // "The component identifier includes a parameter that is unknown or does not apply to the component identifier to
    // which it is attached" is an error (section 2.5).
    let Parameters { strict: false, wrapped: false, key: None, name: argument } = parameters else { return None };
    match (name, argument) {
        ("@method", None) => Some(Component::Method),
        ("@target-uri", None) => Some(Component::TargetUri),
        ("@authority", None) => Some(Component::Authority),
        ("@scheme", None) => Some(Component::Scheme),
        ("@request-target", None) => Some(Component::RequestTarget),
        ("@path", None) => Some(Component::Path),
        ("@query", None) => Some(Component::Query),
        // The `name` parameter is REQUIRED (section 2.2.8).
        ("@query-param", Some(argument)) => Some(Component::QueryParam(argument)),
        _ => None,
    }
}

/// Section 2.1: the component name is the field's name in lower case.
fn field(name: &str, parameters: Parameters) -> Option<Component> {
    let name = HeaderName::from_lowercase(name.as_bytes()).ok()?;
    let form = match parameters {
        Parameters { name: Some(_), .. } => return None,
        // `bs` is not compatible with `sf` and `key`; `sf` says nothing that `key` does not say.
        Parameters { wrapped: false, key: Some(key), .. } => Form::Member(key),
        Parameters { wrapped: false, strict: true, key: None, .. } => Form::Strict,
        Parameters { wrapped: true, strict: false, key: None, .. } => Form::Wrapped,
        Parameters { wrapped: false, strict: false, key: None, .. } => Form::Plain,
        Parameters { wrapped: true, .. } => return None,
    };
    Some(Component::Field(name, form))
}

impl Parameters {
    /// `None` where there is one that is not understood: `req` MUST NOT be used in a request (section 2.4), and of
    /// trailers (`tr`) nothing is known before the content has ended.
    fn read(item: &Item) -> Option<Parameters> {
        let mut parameters = Parameters::default();
        for (name, value) in &item.params {
            match (name.as_str(), value) {
                ("sf", BareItem::Boolean(true)) => parameters.strict = true,
                ("bs", BareItem::Boolean(true)) => parameters.wrapped = true,
                ("key", BareItem::String(key)) => parameters.key = Some(key.as_str().to_owned()),
                ("name", BareItem::String(name)) => parameters.name = Some(name.as_str().to_owned()),
                _ => return None,
            }
        }
        Some(parameters)
    }
}

/// What is wrong with a component of a configuration.
fn explain(text: &str, name: &str, item: &Item) -> String {
    const DERIVED: &str =
        "`@method`, `@target-uri`, `@authority`, `@scheme`, `@request-target`, `@path`, `@query` or `@query-param`";
    let why = match name {
        "@query-param" => "it needs the parameter's name, and nothing else: `@query-param;name=\"page\"`".to_owned(),
        "@status" => "a request has no status".to_owned(),
        "@signature-params" => "each signature covers its parameters already".to_owned(),
        _ if item.params.contains_key("req") => "`req` is for signatures of responses".to_owned(),
        _ if item.params.contains_key("tr") => "trailers are not known before the content has ended".to_owned(),
        _ if name.starts_with('@') => format!("it must be {DERIVED}, without parameters but `name`"),
        _ if HeaderName::from_bytes(name.as_bytes()).is_err() => "it is not the name of a header field".to_owned(),
        _ => "a header field can have the parameters `sf`, `key=\"..\"` or `bs`, and `bs` by itself alone".to_owned(),
    };
    format!("`{text}` is no component of a request: {why}")
}
