//! Variables of an application: their values, the templates that use them, and `spin:variables`, by
//! which a component asks for those the manifest gives it.

use std::collections::BTreeMap;

use serde::Deserialize;
use wasmtime::component::{Accessor, HasSelf};
use wasmtime::{Result, bail};

use crate::bindings::spin::variables::variables::{Error, Host, HostWithStore};
use crate::instance::State;

/// A variable as the manifest declares it.
#[derive(Deserialize)]
pub struct Declaration {
    #[serde(default)]
    required: bool,
    default: Option<String>,
}

/// The values of the variables that `declared` lists. A value from outside the manifest, for which
/// `given` is asked, comes before the default.
pub fn resolve(
    declared: BTreeMap<String, Declaration>,
    given: impl Fn(&str) -> Option<String>,
) -> Result<BTreeMap<String, String>> {
    declared
        .into_iter()
        .map(|(name, variable)| {
            if variable.required == variable.default.is_some() {
                bail!("variable `{name}` must have either `required = true` or a `default`");
            }
            match given(&name).or(variable.default) {
                Some(value) => Ok((name, value)),
                None => bail!("variable `{name}` is required: set it with --variable {name}=VALUE"),
            }
        })
        .collect()
}

/// Puts values in the place of `{{ name }}`.
pub fn fill(template: &str, values: &BTreeMap<String, String>) -> Result<String> {
    let mut filled = String::new();
    let mut rest = template;
    while let Some((literal, expression)) = rest.split_once("{{") {
        let Some((name, after)) = expression.split_once("}}") else {
            bail!("unmatched `{{{{` in {template:?}");
        };
        let name = name.trim();
        let Some(value) = values.get(name) else {
            bail!("unknown variable `{name}` in {template:?}");
        };
        filled.push_str(literal);
        filled.push_str(value);
        rest = after;
    }
    filled.push_str(rest);
    Ok(filled)
}

impl Host for State {}

impl HostWithStore<State> for HasSelf<State> {
    async fn get(store: &Accessor<State, Self>, name: String) -> Result<Result<String, Error>> {
        if !is_name(&name) {
            return Ok(Err(Error::InvalidName(name)));
        }
        Ok(store.with(|mut state| {
            let component = &state.get().component;
            let value = component.variables.get(&name);
            value.cloned().ok_or_else(|| Error::Undefined(format!("no variable for {:?}.{name:?}", component.id)))
        }))
    }
}

/// Spin's rule for names of variables: lower case, digits and single underscores between them.
fn is_name(name: &str) -> bool {
    name.starts_with(|first: char| first.is_ascii_lowercase())
        && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_')
        && !name.ends_with('_')
        && !name.contains("__")
}

#[cfg(test)]
mod tests {
    use super::is_name;

    #[test]
    fn names_are_lower_case_words_joined_by_underscores() {
        assert!(["a", "abc", "a1b2", "a_1"].into_iter().all(is_name));
        assert!(!["", "aX", "1b", "_x", "x.y", "x_", "a__b", "x-y"].into_iter().any(is_name));
    }
}
