//! Header sections between `entry.js` and the core: what came in is kept as it came, so that only changes go out.

use super::wire::{line, push, push_number};
use crate::host::MadeOf;
use http::{HeaderMap, HeaderName, HeaderValue};

/// A header section as it came in: a text, and where the name and value of each field are.
#[derive(Debug, Default, Clone)]
pub struct Fields {
    text: String,
    at: Vec<[u32; 4]>,
}

/// What came in of a request, and what goes with its answer.
#[derive(Debug, Default)]
pub struct Received {
    pub fields: Fields,
    /// Whether somebody waits for the end of the answer.
    pub watched: bool,
}

impl Fields {
    /// Reads names and values from `start` of a text to its end.
    pub fn read(text: String, start: usize) -> (Fields, HeaderMap) {
        let mut at = Vec::with_capacity(16);
        let mut map = HeaderMap::with_capacity(24);
        let mut position = start;
        while position < text.len() {
            let name = line(&text, &mut position);
            let value = line(&text, &mut position);
            let field = HeaderName::from_bytes(&text.as_bytes()[name.clone()]);
            let content = HeaderValue::from_bytes(&text.as_bytes()[value.clone()]);
            // The platform lets control characters through, which no value here can hold. Such a field came in all the
            // same, so that it does not go out: nobody has looked at it.
            if let (Ok(field), Ok(content)) = (field, content) {
                map.append(field, content);
            }
            // A text of 4 GB does not fit into the memory of wasm.
            at.push([name.start as u32, name.end as u32, value.start as u32, value.end as u32]);
        }
        (Fields { text, at }, map)
    }

    fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        let part = |from: u32, to: u32| self.text.get(from as usize..to as usize).unwrap_or_default();
        self.at.iter().map(move |[a, b, c, d]| (part(*a, *b), part(*c, *d)))
    }

    /// Whether a field came in just as it goes out.
    fn same(&self, name: &str, map: &HeaderMap) -> bool {
        let mut out = map.get_all(name).into_iter();
        let came_in = self.iter().filter(|(known, _)| *known == name);
        for (_, value) in came_in {
            if out.next().is_none_or(|out| out.as_bytes() != value.as_bytes()) {
                return false;
            }
        }
        out.next().is_none()
    }

    /// Appends the changes that make `map` of this section.
    pub fn changes(&self, map: &HeaderMap, made_of: MadeOf, text: &mut String) {
        if made_of == MadeOf::Nothing {
            push(text, "0\n0");
            return add(map.iter(), map.len(), text);
        }
        let mut removed = Vec::new();
        let mut kept: Vec<&str> = Vec::with_capacity(self.at.len());
        for (name, _) in self.iter() {
            if kept.contains(&name) || removed.contains(&name) {
                continue;
            }
            if self.same(name, map) { kept.push(name) } else { removed.push(name) }
        }
        push(text, "1");
        push_number(text, removed.len() as u64);
        for name in removed {
            push(text, name);
        }
        let changed = || map.iter().filter(|(name, _)| !kept.contains(&name.as_str()));
        add(changed(), changed().count(), text);
    }
}

/// Appends fields to add, their number first.
fn add<'a>(fields: impl Iterator<Item = (&'a HeaderName, &'a HeaderValue)>, count: usize, text: &mut String) {
    push_number(text, count as u64);
    for (name, value) in fields {
        push(text, name.as_str());
        push(text, &String::from_utf8_lossy(value.as_bytes()));
    }
}
