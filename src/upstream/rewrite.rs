//! How the path and the query of a request change on the way to an upstream.

use crate::exchange::Exchange;
use crate::path::is_one_spelling;
use crate::routing::condition::parameters;
use crate::template::{Goal, Template};

/// How the path changes on the way.
#[derive(Debug)]
pub enum PathRewrite {
    Keep,
    /// The normalized prefix, without a slash at its end.
    Strip(String),
    Template(Template),
}

/// How the query changes on the way: first `keep` and `remove`, then `set`.
#[derive(Debug, Default)]
pub struct QueryRewrite {
    pub keep: Option<Vec<String>>,
    pub remove: Vec<String>,
    pub set: Vec<(String, Template)>,
}

/// The path and query to call. `None` where the request does not have what the rewriting needs, or would leave its place.
pub fn target(ex: &Exchange, path: &PathRewrite, query: &QueryRewrite) -> Option<String> {
    let mut target = String::with_capacity(ex.path.len() + 64);
    match path {
        PathRewrite::Keep => target.push_str(&ex.path),
        PathRewrite::Strip(prefix) => match ex.path.strip_prefix(prefix.as_str())? {
            "" => target.push('/'),
            rest => target.push_str(rest),
        },
        PathRewrite::Template(template) => {
            let path = template.expand(ex, Goal::Path)?;
            // A value that would add a segment, or take one away, is refused.
            if !is_one_spelling(&path) {
                return None;
            }
            target.push_str(&path);
        }
    }
    if query.is_identity() {
        if let Some(query) = &ex.query {
            target.push('?');
            target.push_str(query);
        }
    } else {
        let query = query.apply(ex);
        if !query.is_empty() {
            target.push('?');
            target.push_str(&query);
        }
    }
    Some(target)
}

impl QueryRewrite {
    pub fn is_identity(&self) -> bool {
        self.keep.is_none() && self.remove.is_empty() && self.set.is_empty()
    }

    fn apply(&self, ex: &Exchange) -> String {
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        for (name, value) in parameters(ex.query.as_deref()) {
            let kept = self.keep.as_ref().is_none_or(|keep| keep.iter().any(|known| *known == name));
            let replaced = self.remove.iter().chain(self.set.iter().map(|(name, _)| name)).any(|known| *known == name);
            if kept && !replaced {
                query.append_pair(&name, &value);
            }
        }
        for (name, template) in &self.set {
            // A parameter whose value is not there is left out.
            if let Some(value) = template.expand(ex, Goal::Text) {
                query.append_pair(name, &value);
            }
        }
        query.finish()
    }
}
