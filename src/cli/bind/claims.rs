//! Declaring the Durable Objects that decide claims. They hold data, so they are never taken away: that is a migration
//! of its own.

use super::plan::Plan;
use super::wrangler::Old;
use super::{Changes, edit};
use crate::cli::claims::{BINDING, CLASS, are_bound, are_exported, have_class};
use crate::cli::manifest::Scope;
use crate::cli::tree::Node;
use toml_edit::{Array, DocumentMut, Item, Value};

/// Declares them in the environment at `path`, where they are needed and not declared yet.
pub fn declare(
    plan: &Plan<'_>,
    old: &Old<'_>,
    path: &[&str],
    document: &mut DocumentMut,
    changes: &mut Changes,
) -> Result<(), String> {
    let Old { scope: old, needs } = old;
    let bound = old.is_some_and(|old| are_bound(&old.table));
    if plan.needs.claims.is_none() {
        if needs.claims.is_some() && bound {
            changes.notes.push(format!("the Durable Objects `{BINDING}` are still bound: edgate no longer needs them"));
        }
        return Ok(());
    }
    if !bound {
        let objects = table(document, path).and_then(|scope| edit::table(scope, "durable_objects"));
        let binding = [("name", Value::from(BINDING)), ("class_name", Value::from(CLASS))];
        if !objects.is_some_and(|objects| edit::append(objects, "bindings", &binding)) {
            return Err("`bindings` of [durable_objects] is no list".to_owned());
        }
        changes.declared.push(format!("the Durable Objects `{BINDING}`"));
    }
    if !old.is_some_and(have_class) {
        let exported = old.is_some_and(are_exported);
        let key = if exported { "exports" } else { "migrations" };
        // An environment's own would take the place of what it inherits.
        let inherits = old.is_some_and(|old| old.table.get(key).is_none() && old.root.get(key).is_some());
        let scope = table(document, if inherits { &[] } else { path });
        match exported {
            true => scope.and_then(export).ok_or("[exports] is no table")?,
            false => scope.and_then(|scope| migrate(scope, *old)).ok_or("`migrations` is no list")?,
        }
        changes.declared.push(format!("their class `{CLASS}`"));
    }
    Ok(())
}

fn table<'a>(document: &'a mut DocumentMut, path: &[&str]) -> Option<&'a mut Item> {
    path.iter().try_fold(document.as_item_mut(), |item, key| edit::table(item, key))
}

fn export(scope: &mut Item) -> Option<()> {
    let class = edit::table(edit::table(scope, "exports")?, CLASS)?;
    let entries = class.as_table_like_mut()?;
    entries.insert("type", Item::Value("durable-object".into()));
    entries.insert("storage", Item::Value("sqlite".into()));
    Some(())
}

fn migrate(scope: &mut Item, old: Option<&Scope>) -> Option<()> {
    let classes = [CLASS].into_iter().collect::<Array>();
    let migration = [("tag", Value::from(tag(old))), ("new_sqlite_classes", Value::from(classes))];
    edit::append(scope, "migrations", &migration).then_some(())
}

/// A tag that no migration has.
fn tag(old: Option<&Scope>) -> String {
    let scopes = old.into_iter().flat_map(|old| [&old.table, &old.root]);
    let migrations = scopes.filter_map(|scope| scope.get("migrations")).flat_map(Node::elements);
    let tags: Vec<&str> = migrations.filter_map(|migration| migration.get("tag").and_then(Node::text)).collect();
    (1..).map(|number| format!("edgate-{number}")).find(|tag| !tags.contains(&tag.as_str())).unwrap_or_default()
}
