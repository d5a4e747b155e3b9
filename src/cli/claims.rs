//! The Durable Objects that decide claims on Workers, as wrangler.toml declares them: a binding, and a migration, or an
//! entry of `exports` in its place, that makes their class.

use super::declared::lists;
use super::manifest::Scope;
use super::tree::Node;

/// Where edgate finds them.
pub const BINDING: &str = "EDGATE_CLAIMS";

/// Their class, which the Worker exports.
pub const CLASS: &str = "EdgateClaims";

/// Whether they are bound. Environments do not inherit bindings.
pub fn are_bound(table: &Node) -> bool {
    binding(table).is_some()
}

/// Whether their class is made, or another Worker's.
pub fn have_class(scope: &Scope) -> bool {
    let of_another = binding(&scope.table).is_some_and(|binding| binding.get("script_name").is_some());
    let migrations = counting(scope, "migrations").map(Node::elements).unwrap_or_default();
    of_another || migrations.iter().any(makes) || counting(scope, "exports").is_some_and(exports)
}

/// Whether classes are declared in `exports`, which wrangler does not take together with migrations.
pub fn are_exported(scope: &Scope) -> bool {
    let objects = |one: &Node| one.get("type").and_then(Node::text) == Some("durable-object");
    let exports = counting(scope, "exports").map(Node::entries).unwrap_or_default();
    exports.iter().any(|entry| objects(&entry.value))
}

/// A key that environments inherit from the top level, unless they have their own.
fn counting<'a>(scope: &'a Scope, key: &str) -> Option<&'a Node> {
    scope.table.get(key).or_else(|| scope.root.get(key))
}

fn binding(table: &Node) -> Option<&Node> {
    let bindings = table.get("durable_objects")?.get("bindings")?.elements();
    bindings.iter().find(|one| one.get("name").and_then(Node::text) == Some(BINDING))
}

fn makes(migration: &Node) -> bool {
    let came = |key: &str| migration.get(key).map(Node::elements).unwrap_or_default();
    let to = |one: &Node| one.get("to").and_then(Node::text) == Some(CLASS);
    lists(migration.get("new_sqlite_classes"), CLASS)
        || ["renamed_classes", "transferred_classes"].into_iter().flat_map(came).any(to)
}

fn exports(exports: &Node) -> bool {
    let export = exports.get(CLASS);
    export.and_then(|export| export.get("storage")).and_then(Node::text) == Some("sqlite")
}
