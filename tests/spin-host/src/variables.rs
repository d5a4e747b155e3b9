//! `spin:variables`: the values the manifest gives to a component.

use wasmtime::component::{Accessor, HasSelf};
use wasmtime::Result;

use crate::bindings::spin::variables::variables::{Error, Host, HostWithStore};
use crate::instance::State;

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
