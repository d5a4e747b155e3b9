//! The Durable Objects that decide for all instances on Workers, as wrangler.toml declares them: bindings, and a migration,
//! or entries of `exports` in its place, that makes their classes.

use super::declared::lists;
use super::manifest::Scope;
use super::tree::Node;

/// A class of Durable Objects, which the Worker exports.
#[derive(Debug, PartialEq, Eq)]
pub struct Class {
    pub name: &'static str,
    /// Where edgate finds its objects.
    pub binding: &'static str,
}

/// Those that decide claims.
pub const CLAIMS: Class = Class { name: "EdgateClaims", binding: "EDGATE_CLAIMS" };

/// Those that count.
pub const LIMITS: Class = Class { name: "EdgateLimits", binding: "EDGATE_LIMITS" };

impl Class {
    /// Whether its objects are bound. Environments do not inherit bindings.
    pub fn is_bound(&self, table: &Node) -> bool {
        self.bound(table).is_some()
    }

    /// Whether it is made, or another Worker's.
    pub fn is_made(&self, scope: &Scope) -> bool {
        let of_another = self.bound(&scope.table).is_some_and(|binding| binding.get("script_name").is_some());
        let exported = counting(scope, "exports").and_then(|exports| exports.get(self.name));
        let stored = exported.and_then(|export| export.get("storage")).and_then(Node::text) == Some("sqlite");
        of_another || stored || migrations(scope).any(|migration| self.is_made_by(migration))
    }

    fn bound<'a>(&self, table: &'a Node) -> Option<&'a Node> {
        let bindings = table.get("durable_objects")?.get("bindings")?.elements();
        bindings.iter().find(|one| one.get("name").and_then(Node::text) == Some(self.binding))
    }

    fn is_made_by(&self, migration: &Node) -> bool {
        let came = |key: &str| migration.get(key).map(Node::elements).unwrap_or_default();
        let to = |one: &Node| one.get("to").and_then(Node::text) == Some(self.name);
        lists(migration.get("new_sqlite_classes"), self.name)
            || ["renamed_classes", "transferred_classes"].into_iter().flat_map(came).any(to)
    }
}

/// Whether classes are declared in `exports`, which wrangler does not take together with migrations.
pub fn are_exported(scope: &Scope) -> bool {
    let objects = |one: &Node| one.get("type").and_then(Node::text) == Some("durable-object");
    let exports = counting(scope, "exports").map(Node::entries).unwrap_or_default();
    exports.iter().any(|entry| objects(&entry.value))
}

/// Whether an environment has its part of a key from the top level: one of its own would take the place of that.
pub fn inherits(scope: &Scope, key: &str) -> bool {
    scope.table.get(key).is_none() && scope.root.get(key).is_some()
}

/// A tag that no migration has.
pub fn free_tag(scope: Option<&Scope>) -> String {
    let scopes = scope.into_iter().flat_map(|scope| [&scope.table, &scope.root]);
    let migrations = scopes.filter_map(|scope| scope.get("migrations")).flat_map(Node::elements);
    let tags: Vec<&str> = migrations.filter_map(|migration| migration.get("tag").and_then(Node::text)).collect();
    (1..).map(|number| format!("edgate-{number}")).find(|tag| !tags.contains(&tag.as_str())).unwrap_or_default()
}

fn migrations(scope: &Scope) -> impl Iterator<Item = &Node> {
    counting(scope, "migrations").map(Node::elements).unwrap_or_default().iter()
}

/// A key that environments inherit from the top level, unless they have their own.
fn counting<'a>(scope: &'a Scope, key: &str) -> Option<&'a Node> {
    scope.table.get(key).or_else(|| scope.root.get(key))
}
