//! Fixed changes to header fields, on the way in and on the way out. Values are templates over the request, or
//! secrets.
//!
//! What characters beyond ASCII come to is the same on both platforms: their UTF-8, which HTTP has as opaque octets
//! (RFC 9110, section 5.5). Workers' `Headers` says it takes bytes, and writes and reads UTF-8. Control characters no
//! field can hold: a request that would need one is refused, also where a claim of its token is the reason, since
//! without the field the upstream might take somebody for nobody. An answer goes without the field.

use crate::body::Body;
use crate::exchange::Exchange;
use crate::headers::remove_spellings;
use crate::interest::Interest;
use crate::reject::Reject;
use crate::secret::SecretSlot;
use crate::template::{Goal, Template};
use http::{HeaderMap, HeaderName, HeaderValue, Response};
use std::cell::OnceCell;

/// The changes of a route.
#[derive(Debug, Default)]
pub struct Transform {
    pub request: Edits,
    pub response: Edits,
}

/// Changes to one header section, in the order in which they are made.
#[derive(Debug, Default)]
pub struct Edits {
    pub remove: Vec<HeaderName>,
    pub set: Vec<(HeaderName, FieldValue)>,
    pub add: Vec<(HeaderName, FieldValue)>,
}

/// The value of a field.
#[derive(Debug)]
pub enum FieldValue {
    /// Known at load.
    Fixed(HeaderValue),
    Template(Template),
    /// A secret, and what stands before it.
    Secret {
        secret: SecretSlot,
        prefix: String,
        /// The two together, made when they are first needed.
        value: OnceCell<Option<HeaderValue>>,
    },
}

impl Transform {
    pub fn describe(&self) -> String {
        let sides = [("request", &self.request), ("response", &self.response)];
        let words: Vec<String> =
            sides.iter().filter_map(|(side, edits)| Some(format!("{side}: {}", edits.describe()?))).collect();
        words.join("; ")
    }

    /// Adds the header fields that it reads or writes.
    pub fn interest(&self, interest: &mut Interest) {
        interest.request.extend(self.request.names().cloned());
        interest.response.extend(self.response.names().cloned());
        for (_, value) in self.request.values_of().chain(self.response.values_of()) {
            if let FieldValue::Template(template) = value {
                interest.template(template);
            }
        }
    }

    /// The secrets among its values.
    pub fn secrets(&self) -> impl Iterator<Item = &SecretSlot> {
        self.request.values_of().chain(self.response.values_of()).filter_map(|(_, value)| match value {
            FieldValue::Secret { secret, .. } => Some(secret),
            FieldValue::Fixed(_) | FieldValue::Template(_) => None,
        })
    }

    pub fn on_request(&self, ex: &mut Exchange) -> Result<(), Reject> {
        if self.request.is_empty() {
            return Ok(());
        }
        // A value that the client makes unusable is its mistake.
        let values = self.request.values(ex).map_err(|_| Reject::BadParameter)?;
        self.request.apply(values, &mut ex.headers);
        Ok(())
    }

    pub fn on_response(&self, ex: &Exchange, response: &mut Response<Body>) {
        // The answer is there already: a value that the client makes unusable is left out, and every other edit is made.
        let values = self.response.values_of().map(|(_, value)| value.of(ex).unwrap_or_default()).collect();
        self.response.apply(values, response.headers_mut());
    }
}

/// A value with characters that no field can have.
pub struct Unusable;

/// The values for `set` and `add`, in order; `None` for a field that is left out.
type Values = Vec<Option<HeaderValue>>;

impl Edits {
    pub fn is_empty(&self) -> bool {
        self.remove.is_empty() && self.set.is_empty() && self.add.is_empty()
    }

    fn values_of(&self) -> impl Iterator<Item = &(HeaderName, FieldValue)> {
        self.set.iter().chain(&self.add)
    }

    fn names(&self) -> impl Iterator<Item = &HeaderName> {
        self.remove.iter().chain(self.values_of().map(|(name, _)| name))
    }

    fn describe(&self) -> Option<String> {
        let names = |fields: &[(HeaderName, FieldValue)]| {
            fields.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>().join(", ")
        };
        let remove: Vec<&str> = self.remove.iter().map(HeaderName::as_str).collect();
        let verbs = [("remove", remove.join(", ")), ("set", names(&self.set)), ("add", names(&self.add))];
        let words: Vec<String> = verbs
            .into_iter()
            .filter(|(_, names)| !names.is_empty())
            .map(|(verb, names)| format!("{verb} {names}"))
            .collect();
        (!words.is_empty()).then(|| words.join(", "))
    }

    fn values(&self, ex: &Exchange) -> Result<Values, Unusable> {
        self.values_of().map(|(_, value)| value.of(ex)).collect()
    }

    fn apply(&self, values: Values, headers: &mut HeaderMap) {
        // What is set replaces the client's, also where there is nothing to set.
        for name in self.remove.iter().chain(self.set.iter().map(|(name, _)| name)) {
            remove_spellings(headers, name);
        }
        let mut values = values.into_iter();
        for (name, _) in &self.set {
            if let Some(value) = values.next().flatten() {
                headers.insert(name.clone(), value);
            }
        }
        for ((name, _), value) in self.add.iter().zip(values) {
            if let Some(value) = value {
                headers.append(name.clone(), value);
            }
        }
    }
}

impl FieldValue {
    /// The value for a request; `None` where it is not there.
    pub fn of(&self, ex: &Exchange) -> Result<Option<HeaderValue>, Unusable> {
        match self {
            FieldValue::Fixed(value) => Ok(Some(value.clone())),
            FieldValue::Secret { secret, prefix, value } => {
                let made = || {
                    let mut value = HeaderValue::try_from([prefix.as_str(), secret.get()].concat()).ok()?;
                    value.set_sensitive(true);
                    Some(value)
                };
                Ok(value.get_or_init(made).clone())
            }
            FieldValue::Template(template) => match template.expand(ex, Goal::Text) {
                Some(text) => HeaderValue::try_from(text).map(Some).map_err(|_| Unusable),
                None => Ok(None),
            },
        }
    }
}
