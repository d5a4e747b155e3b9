//! Declaring the Durable Objects that decide for all instances. They hold data, so they are never taken away: that is a
//! migration of its own.

use super::plan::Plan;
use super::wrangler::Old;
use super::{Changes, edit};
use crate::cli::manifest::Scope;
use crate::cli::objects::{Class, are_exported, free_tag, inherits};
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
    let wanted: Vec<&Class> = plan.needs.objects().into_iter().map(|(class, _)| class).collect();
    let bound = |class: &Class| old.is_some_and(|old| class.is_bound(&old.table));
    for (class, _) in needs.objects().into_iter().filter(|(class, _)| !wanted.contains(class) && bound(class)) {
        let binding = class.binding;
        changes.notes.push(format!("the Durable Objects `{binding}` are still bound: edgate no longer needs them"));
    }
    for class in wanted.iter().filter(|class| !bound(class)) {
        let objects = table(document, path).and_then(|scope| edit::table(scope, "durable_objects"));
        let binding = [("name", Value::from(class.binding)), ("class_name", Value::from(class.name))];
        if !objects.is_some_and(|objects| edit::append(objects, "bindings", &binding)) {
            return Err("`bindings` of [durable_objects] is no list".to_owned());
        }
        changes.declared.push(format!("the Durable Objects `{}`", class.binding));
    }
    let made = |class: &Class| old.is_some_and(|old| class.is_made(old));
    let new: Vec<&str> = wanted.iter().filter(|class| !made(class)).map(|class| class.name).collect();
    if !new.is_empty() {
        make(&new, *old, path, document)?;
        changes.declared.extend(new.iter().map(|class| format!("their class `{class}`")));
    }
    Ok(())
}

/// Has classes made where those of others are, all at once.
fn make(classes: &[&str], old: Option<&Scope>, path: &[&str], document: &mut DocumentMut) -> Result<(), String> {
    let exported = old.is_some_and(are_exported);
    let key = if exported { "exports" } else { "migrations" };
    let scope = table(document, if old.is_some_and(|old| inherits(old, key)) { &[] } else { path });
    match (exported, scope) {
        (true, Some(scope)) => {
            classes.iter().try_for_each(|class| export(scope, class)).ok_or("[exports] is no table")?
        }
        (false, Some(scope)) => migrate(scope, classes, old).ok_or("`migrations` is no list")?,
        (_, None) => return Err(format!("[{}] is no table", path.join("."))),
    }
    Ok(())
}

fn table<'a>(document: &'a mut DocumentMut, path: &[&str]) -> Option<&'a mut Item> {
    path.iter().try_fold(document.as_item_mut(), |item, key| edit::table(item, key))
}

fn export(scope: &mut Item, class: &str) -> Option<()> {
    let class = edit::table(edit::table(scope, "exports")?, class)?;
    let entries = class.as_table_like_mut()?;
    entries.insert("type", Item::Value("durable-object".into()));
    entries.insert("storage", Item::Value("sqlite".into()));
    Some(())
}

fn migrate(scope: &mut Item, classes: &[&str], old: Option<&Scope>) -> Option<()> {
    let classes = classes.iter().copied().collect::<Array>();
    let migration = [("tag", Value::from(free_tag(old))), ("new_sqlite_classes", Value::from(classes))];
    edit::append(scope, "migrations", &migration).then_some(())
}
