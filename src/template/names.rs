//! What the names in placeholders mean, on a route that has these parameters, this identity and these parts.

use super::{FIXED, Parameters, Source};
use crate::config::diagnostic::{Code, did_you_mean};
use crate::config::names;
use crate::part::Reference;

/// What stands before a name of the configuration's, of a token's or of the client's.
const ROOTS: [&str; 5] = ["path", "query", "header", "claim", "consumer"];

/// A name that cannot be used: the code, what is wrong with it, and a way out.
pub type Unknown = (Code, String, String);

/// The source that a name means.
pub fn source(name: &str, parameters: &Parameters<'_>) -> Result<Source, Unknown> {
    if let Some((_, source)) = FIXED.iter().find(|(known, _)| *known == name) {
        return match source {
            Source::Identity(_) => identified(source.clone(), parameters),
            Source::ClientCountry => located(source.clone(), parameters),
            source => Ok(source.clone()),
        };
    }
    for (word, of) in [("claim", Source::Claim as fn(Vec<String>) -> Source), ("consumer", Source::Metadata)] {
        if let Some(path) = below(word, name)? {
            return identified(of(path), parameters);
        }
    }
    if let Some(names) = below("part", name)? {
        return part(name, &names, parameters);
    }
    let item = if name == "item" { Some(Vec::new()) } else { below("item", name)? };
    if let Some(path) = item.filter(|_| parameters.parts.is_some()) {
        let message = "nothing is repeated here".to_owned();
        let help = "say what for: `each = \"part.NAME.body.items\"`".to_owned();
        return if parameters.item { Ok(Source::Item(path)) } else { Err((Code::UnknownPlaceholder, message, help)) };
    }
    match name.split_once('.') {
        Some(("path", parameter)) if parameters.unsure || parameters.all.contains(&parameter) => {
            Ok(Source::Path(parameter.to_owned()))
        }
        Some(("path", parameter)) => Err(unbound(parameter, parameters)),
        Some(("query", parameter)) if !parameter.is_empty() => Ok(Source::Query(parameter.to_owned())),
        Some(("header", field)) => field.parse().map(Source::Header).map_err(|_| {
            let help = "field names are letters, digits and hyphens".to_owned();
            (Code::UnknownPlaceholder, format!("`{field}` is no name of a header field"), help)
        }),
        _ => Err(unknown(name, parameters)),
    }
}

/// The names behind a first one.
fn below(word: &str, name: &str) -> Result<Option<Vec<String>>, Unknown> {
    let Some(rest) = name.strip_prefix(word).filter(|rest| rest.starts_with(['.', '['])) else { return Ok(None) };
    names::path(rest.strip_prefix('.').unwrap_or(rest)).map(Some).map_err(|(_, reason)| {
        (Code::UnknownPlaceholder, format!("`{name}` names nothing: {reason}"), format!("write `{{{word}.name}}`"))
    })
}

/// A value of a part.
fn part(name: &str, names: &[String], parameters: &Parameters<'_>) -> Result<Source, Unknown> {
    let reference = Reference::find(names).map_err(|reason| {
        let help = "write `{part.NAME.body.PATH}`, `{part.NAME.status}` or `{part.NAME.header.NAME}`".to_owned();
        (Code::UnknownPlaceholder, format!("`{name}` names nothing: {reason}"), help)
    })?;
    match unknown_part(&reference.part, parameters) {
        Some(unknown) => Err(unknown),
        None => Ok(Source::Part(reference)),
    }
}

/// What to say of a part that is not there.
pub fn unknown_part(part: &str, parameters: &Parameters<'_>) -> Option<Unknown> {
    let Some(parts) = parameters.parts else {
        let message = "there are no parts here".to_owned();
        let help = "only an aggregate has parts, and only they can ask for what others answer".to_owned();
        return Some((Code::UnknownPart, message, help));
    };
    if parts.contains(&part) {
        return None;
    }
    let help = did_you_mean(part, parts.iter().copied());
    let help = help.unwrap_or_else(|| format!("parts are `{}`", parts.join("`, `")));
    Some((Code::UnknownPart, format!("no part is named `{part}`"), help))
}

/// What to say of a path parameter that not every pattern of the route has.
pub fn unbound(parameter: &str, parameters: &Parameters<'_>) -> Unknown {
    if parameters.some.contains(&parameter) {
        let message = format!("not every pattern of this route has a parameter `{parameter}`");
        return (Code::UnboundPlaceholder, message, "give each pattern the parameter, or make two routes".to_owned());
    }
    let message = format!("no pattern of this route has a parameter `{parameter}`");
    let help =
        did_you_mean(parameter, parameters.all.iter().copied()).unwrap_or_else(|| match parameters.all.as_slice() {
            [] => "its patterns have no parameters".to_owned(),
            known => format!("its parameters are `{}`", known.join("`, `")),
        });
    (Code::UnboundPlaceholder, message, help)
}

/// What an identity has is there only on routes that find out who the client is.
fn identified(source: Source, parameters: &Parameters<'_>) -> Result<Source, Unknown> {
    if parameters.identity {
        return Ok(source);
    }
    let message = "nobody is known here, since the route does not authenticate".to_owned();
    Err((Code::NoIdentity, message, "add `authenticate` to the route, or to the gateway".to_owned()))
}

/// The country is there only where the platform knows it.
fn located(source: Source, parameters: &Parameters<'_>) -> Result<Source, Unknown> {
    match parameters.without_country {
        None => Ok(source),
        Some(platform) => {
            let message = format!("{platform} does not know the country of a client");
            let help = "take it away, or name the platforms that this configuration is for: `gateway.targets`";
            Err((Code::Unsupported, message, help.to_owned()))
        }
    }
}

fn unknown(name: &str, parameters: &Parameters<'_>) -> Unknown {
    let message = format!("there is no value `{name}`");
    if parameters.all.contains(&name) {
        return (Code::UnknownPlaceholder, message, format!("did you mean `{{path.{name}}}`?"));
    }
    if ROOTS.contains(&name) {
        return (
            Code::UnknownPlaceholder,
            format!("`{name}` is not a value by itself"),
            format!("write `{{{name}.NAME}}`"),
        );
    }
    let fixed = FIXED.iter().map(|(known, _)| *known);
    // The first word may be misspelt: `claims.email`.
    let rest = name.split_once('.').map(|(_, rest)| rest);
    let named: Vec<String> = rest.iter().flat_map(|rest| ROOTS.map(|root| format!("{root}.{rest}"))).collect();
    let help = did_you_mean(name, fixed.clone().chain(named.iter().map(String::as_str))).unwrap_or_else(|| {
        let fixed: Vec<&str> = fixed.collect();
        format!("values are path.NAME, query.NAME, header.NAME, claim.NAME, consumer.NAME, {}", fixed.join(", "))
    });
    (Code::UnknownPlaceholder, message, help)
}
