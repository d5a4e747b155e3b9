//! Values while a rule is evaluated, and what its operators say of them.

use serde_json::{Number, Value as Json};
use std::borrow::Cow;
use std::cmp::Ordering;

/// A value that is there.
#[derive(Debug, Clone, PartialEq)]
pub enum Value<'a> {
    /// Of a claim, of a consumer's metadata, of what a part has answered, or written in the rule. Never null.
    Json(Cow<'a, Json>),
    /// Of the request, or of who it is. It may be the spelling of a number.
    Text(Cow<'a, str>),
    /// Groups or scopes.
    List(&'a [String]),
}

/// What a value is, as far as that is known before there is a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Any,
    Text,
    Number,
    Bool,
    List,
}

/// How two values are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operator {
    Equal,
    Unequal,
    Less,
    AtMost,
    Greater,
    AtLeast,
    In,
    Contains,
    StartsWith,
    EndsWith,
}

impl Operator {
    /// All of them, as they are written.
    pub const ALL: [(&'static str, Operator); 10] = [
        ("==", Operator::Equal),
        ("!=", Operator::Unequal),
        ("<", Operator::Less),
        ("<=", Operator::AtMost),
        (">", Operator::Greater),
        (">=", Operator::AtLeast),
        ("in", Operator::In),
        ("contains", Operator::Contains),
        ("starts_with", Operator::StartsWith),
        ("ends_with", Operator::EndsWith),
    ];

    /// Whether a comparison holds.
    pub fn holds(self, left: &Value<'_>, right: &Value<'_>) -> bool {
        match self {
            Operator::Equal => equal(left, right) == Some(true),
            Operator::Unequal => equal(left, right) == Some(false),
            Operator::Less => order(left, right).is_some_and(Ordering::is_lt),
            Operator::AtMost => order(left, right).is_some_and(Ordering::is_le),
            Operator::Greater => order(left, right).is_some_and(Ordering::is_gt),
            Operator::AtLeast => order(left, right).is_some_and(Ordering::is_ge),
            Operator::In => right.has(left),
            Operator::Contains => left.has(right) || texts(left, right).is_some_and(|(all, part)| all.contains(part)),
            Operator::StartsWith => texts(left, right).is_some_and(|(all, part)| all.starts_with(part)),
            Operator::EndsWith => texts(left, right).is_some_and(|(all, part)| all.ends_with(part)),
        }
    }
}

impl Value<'_> {
    /// Whether it is not `false` and not empty.
    pub fn is_something(&self) -> bool {
        match self {
            Value::Json(json) => match &**json {
                Json::Null => false,
                Json::Bool(value) => *value,
                Json::Number(_) => true,
                Json::String(text) => !text.is_empty(),
                Json::Array(items) => !items.is_empty(),
                Json::Object(members) => !members.is_empty(),
            },
            Value::Text(text) => !text.is_empty(),
            Value::List(names) => !names.is_empty(),
        }
    }

    /// Whether it is a list that has a value.
    fn has(&self, value: &Value<'_>) -> bool {
        let same = |item: Value<'_>| equal(&item, value) == Some(true);
        match self {
            Value::Json(json) => {
                json.as_array().is_some_and(|items| items.iter().any(|item| same(Value::Json(Cow::Borrowed(item)))))
            }
            Value::List(names) => names.iter().any(|name| same(Value::Text(Cow::Borrowed(name)))),
            Value::Text(_) => false,
        }
    }

    fn text(&self) -> Option<&str> {
        match self {
            Value::Json(json) => json.as_str(),
            Value::Text(text) => Some(text),
            Value::List(_) => None,
        }
    }

    /// The number that it is, or that its text is in JSON's spelling.
    fn number(&self) -> Option<Cow<'_, Number>> {
        match self.as_number() {
            Some(number) => Some(Cow::Borrowed(number)),
            None => self.text()?.parse().ok().map(Cow::Owned),
        }
    }

    fn as_number(&self) -> Option<&Number> {
        match self {
            Value::Json(json) => json.as_number(),
            _ => None,
        }
    }
}

/// Both as texts, unless one of them is none, or there is nothing to look for.
fn texts<'a>(all: &'a Value<'_>, part: &'a Value<'_>) -> Option<(&'a str, &'a str)> {
    all.text().zip(part.text()).filter(|(_, part)| !part.is_empty())
}

/// Whether two values are equal; `None` where they are of different types.
fn equal(a: &Value<'_>, b: &Value<'_>) -> Option<bool> {
    match (a, b) {
        (Value::Json(a), Value::Json(b)) => equal_json(a, b),
        (Value::Text(text), Value::Json(json)) | (Value::Json(json), Value::Text(text)) => match &**json {
            Json::Number(number) => Some(number.to_string() == **text),
            json => json.as_str().map(|other| other == text),
        },
        (Value::List(a), Value::List(b)) => Some(a == b),
        (Value::List(names), Value::Json(json)) | (Value::Json(json), Value::List(names)) => {
            let items = json.as_array()?;
            Some(items.len() == names.len() && items.iter().zip(*names).all(|(item, name)| item == name))
        }
        (a, b) => a.text().zip(b.text()).map(|(a, b)| a == b),
    }
}

fn equal_json(a: &Json, b: &Json) -> Option<bool> {
    match (a, b) {
        (Json::Null, Json::Null) => Some(true),
        (Json::Bool(a), Json::Bool(b)) => Some(a == b),
        (Json::Number(a), Json::Number(b)) => Some(order_numbers(a, b) == Some(Ordering::Equal)),
        (Json::String(a), Json::String(b)) => Some(a == b),
        (Json::Array(a), Json::Array(b)) => {
            let same = |(a, b): (&Json, &Json)| equal_json(a, b) == Some(true);
            Some(a.len() == b.len() && a.iter().zip(b).all(same))
        }
        (Json::Object(a), Json::Object(b)) => {
            let same = |(name, a): (&String, &Json)| b.get(name).and_then(|b| equal_json(a, b)) == Some(true);
            Some(a.len() == b.len() && a.iter().all(same))
        }
        _ => None,
    }
}

/// The order of two numbers, one of which may be a text.
fn order(a: &Value<'_>, b: &Value<'_>) -> Option<Ordering> {
    a.as_number().or(b.as_number())?;
    order_numbers(a.number()?.as_ref(), b.number()?.as_ref())
}

/// Whole numbers are compared as such. A whole number of 64 bits that is not exact as a float has a greater magnitude
/// than any float with a fraction, and a smaller one than any float that [`whole`] leaves out.
fn order_numbers(a: &Number, b: &Number) -> Option<Ordering> {
    match (whole(a), whole(b)) {
        (Some(a), Some(b)) => Some(a.cmp(&b)),
        _ => a.as_f64()?.partial_cmp(&b.as_f64()?),
    }
}

fn whole(number: &Number) -> Option<i128> {
    let integer = number.as_i64().map(i128::from).or_else(|| number.as_u64().map(i128::from));
    integer.or_else(|| {
        let float = number.as_f64().filter(|float| float.fract() == 0.0 && float.abs() < 1e30)?;
        // The cast is exact below 2^127.
        Some(float as i128)
    })
}
