//! What parts of an aggregate have answered so far, and how templates and rules name it: `part.user.body.address.id`,
//! `part.user.status`, `part.user.header.etag`; and `item.id` of the array that a part is repeated over.
//!
//! Templates are filled in with good answers only. Rules see others too: `part.user.status == 404` is a question one may
//! ask.

use crate::headers::{has, joined};
use crate::raw::{Document, Kind, Raw, push_string};
use http::{HeaderMap, HeaderName};
use serde_json::Value;
use std::cell::RefCell;
use std::fmt;
use std::rc::Rc;

/// Answers by the names of the parts.
#[derive(Debug, Default)]
pub struct Parts {
    held: RefCell<Vec<(Rc<str>, Rc<Answer>)>>,
    /// What the part that is being asked is repeated for.
    item: RefCell<Option<Document>>,
}

/// What a part has answered.
#[derive(Debug, Default)]
pub struct Answer {
    /// `None` where something stands in for the answer.
    pub status: Option<u16>,
    /// The fields that somebody asks for.
    pub headers: HeaderMap,
    /// As it was decoded, before it was given its shape.
    pub body: Option<Document>,
    /// Whether it is one that the part expects.
    pub good: bool,
}

/// A value of a part's answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reference {
    pub part: String,
    pub of: Of,
}

/// Which value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Of {
    Status,
    Header(HeaderName),
    /// What these names lead to: all of it, where there are none.
    Body(Vec<String>),
}

impl Reference {
    /// What names lead to, `part` left out. The error says what should stand there.
    pub fn find(names: &[String]) -> Result<Reference, &'static str> {
        let [part, of @ ..] = names else { return Err("a part's name follows `part`") };
        let of: Vec<&str> = of.iter().map(String::as_str).collect();
        let of = match of.as_slice() {
            ["status"] => Of::Status,
            ["header", name] => {
                Of::Header(name.parse().map_err(|_| "names of fields are letters, digits and hyphens")?)
            }
            ["body", path @ ..] => Of::Body(path.iter().map(|name| (*name).to_owned()).collect()),
            _ => return Err("`body`, `body.PATH`, `status` or `header.NAME` follows a part's name"),
        };
        Ok(Reference { part: part.clone(), of })
    }
}

/// As it is written.
impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "part.{}", self.part)?;
        match &self.of {
            Of::Status => f.write_str(".status"),
            Of::Header(name) => write!(f, ".header.{name}"),
            Of::Body(path) => {
                f.write_str(".body")?;
                path.iter().try_for_each(|name| write!(f, ".{name}"))
            }
        }
    }
}

impl Parts {
    pub fn put(&self, part: &Rc<str>, answer: Rc<Answer>) {
        self.take(part);
        self.held.borrow_mut().push((Rc::clone(part), answer));
    }

    pub fn get(&self, part: &str) -> Option<Rc<Answer>> {
        let held = self.held.borrow();
        held.iter().find(|(name, _)| **name == *part).map(|(_, answer)| Rc::clone(answer))
    }

    /// Forgets an answer that nobody asks for any more.
    pub fn take(&self, part: &str) {
        self.held.borrow_mut().retain(|(name, _)| **name != *part);
    }

    /// Fills something in with an item.
    pub fn with_item<T>(&self, item: Option<Document>, fill: impl FnOnce() -> T) -> T {
        *self.item.borrow_mut() = item;
        let filled = fill();
        *self.item.borrow_mut() = None;
        filled
    }

    /// A value of a good answer as text. `None` where it is not there, or null.
    pub fn text(&self, reference: &Reference) -> Option<String> {
        self.good(reference, |answer| match &reference.of {
            Of::Status => answer.status.map(|status| status.to_string()),
            Of::Header(name) => answer.header(name),
            Of::Body(path) => Some(answer.find(path)?.as_text()?.into_owned()),
        })
    }

    /// Writes a value of a good answer as JSON. `None` where it is not there.
    pub fn push_json(&self, reference: &Reference, out: &mut String) -> Option<()> {
        self.good(reference, |answer| match &reference.of {
            Of::Body(path) => {
                out.push_str(answer.find(path)?.text());
                Some(())
            }
            Of::Status => {
                out.push_str(&answer.status?.to_string());
                Some(())
            }
            Of::Header(name) => {
                push_string(&answer.header(name)?, out);
                Some(())
            }
        })
    }

    /// A value of any answer, for a rule. `None` where it is not there, or null.
    pub fn value(&self, reference: &Reference) -> Option<Value> {
        let answer = self.get(&reference.part)?;
        let value = match &reference.of {
            Of::Status => answer.status.map(Value::from),
            Of::Header(name) => answer.header(name).map(Value::from),
            Of::Body(path) => answer.find(path)?.value(),
        };
        value.filter(|value| !value.is_null())
    }

    /// A value of the item as text.
    pub fn item_text(&self, path: &[String]) -> Option<String> {
        Some(self.item.borrow().as_ref()?.raw().find(path)?.as_text()?.into_owned())
    }

    /// Writes a value of the item as JSON.
    pub fn push_item(&self, path: &[String], out: &mut String) -> Option<()> {
        out.push_str(self.item.borrow().as_ref()?.raw().find(path)?.text());
        Some(())
    }

    /// The items of an array of a good answer, `most` of them, and whether there are more. Null has none; `None` where it
    /// is no array.
    pub fn items(&self, reference: &Reference, most: usize) -> Option<(Vec<Document>, bool)> {
        self.good(reference, |answer| {
            let Of::Body(path) = &reference.of else { return None };
            let array = answer.find(path).filter(|array| matches!(array.kind(), Kind::Array | Kind::Null))?;
            let mut items = array.items();
            let taken = items.by_ref().take(most).map(Raw::to_document).collect();
            Some((taken, items.next().is_some()))
        })
    }

    fn good<T>(&self, reference: &Reference, of: impl FnOnce(&Answer) -> Option<T>) -> Option<T> {
        of(&*self.get(&reference.part).filter(|answer| answer.good)?)
    }
}

impl Answer {
    fn find(&self, path: &[String]) -> Option<Raw<'_>> {
        self.body.as_ref()?.raw().find(path)
    }

    fn header(&self, name: &HeaderName) -> Option<String> {
        has(&self.headers, name).then(|| joined(&self.headers, name))
    }
}
