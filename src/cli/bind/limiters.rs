//! Binding Workers' own rate limiters. They hold nothing that lasts, so that those of limits that are gone are taken away.

use super::plan::Plan;
use super::wrangler::Old;
use super::{Changes, edit};
use crate::cli::limiters::{KEY, Limiter, find, namespace, namespaces};
use toml_edit::{DocumentMut, InlineTable, Item, TableLike, Value};

/// Declares them in the environment at `path`, or has them say what the limits say.
pub fn declare(
    plan: &Plan<'_>,
    old: &Old<'_>,
    path: &[&str],
    document: &mut DocumentMut,
    changes: &mut Changes,
) -> Result<(), String> {
    let owner = owner(document, path);
    let mut taken = old.scope.map(|old| namespaces(&old.root)).unwrap_or_default();
    let wanted = &plan.needs.limiters;
    for (binding, limiter) in wanted {
        let bound = old.scope.and_then(|old| find(&old.table, binding));
        if bound.is_some_and(|bound| limiter.is(bound)) {
            continue;
        }
        let scope = path.iter().try_fold(document.as_item_mut(), |item, key| edit::table(item, key));
        let number = namespace(&taken, &owner, binding);
        let put = scope.and_then(|scope| match bound {
            Some(_) => change(scope, binding, limiter),
            None => add(scope, binding, limiter, &number),
        });
        put.ok_or_else(|| format!("`{KEY}` is no list of rate limiters"))?;
        taken.push(number);
        let as_what = bound.map(|_| format!(" as {}", limiter.describe())).unwrap_or_default();
        changes.declared.push(format!("the rate limiter `{binding}`{as_what}"));
    }
    let is_bound = |binding: &str| old.scope.is_some_and(|old| find(&old.table, binding).is_some());
    for binding in old.needs.limiters.keys().filter(|binding| !wanted.contains_key(*binding) && is_bound(binding)) {
        edit::remove_element(document, path, KEY, |one| is_named(one, binding));
        changes.undeclared.push(format!("the rate limiter `{binding}`"));
    }
    Ok(())
}

/// The Worker and its environment.
fn owner(document: &DocumentMut, path: &[&str]) -> String {
    let name = document.get("name").and_then(Item::as_str).unwrap_or_default();
    [&[name], path].concat().join(" ")
}

fn is_named(one: &dyn TableLike, binding: &str) -> bool {
    one.get("name").and_then(Item::as_str) == Some(binding)
}

fn add(scope: &mut Item, binding: &str, limiter: &Limiter, namespace: &str) -> Option<()> {
    let simple: InlineTable = numbers(limiter)?.into_iter().collect();
    let entries = [("name", binding.into()), ("namespace_id", namespace.into()), ("simple", simple.into())];
    edit::append(scope, KEY, &entries).then_some(())
}

fn change(scope: &mut Item, binding: &str, limiter: &Limiter) -> Option<()> {
    let one = edit::element(scope, KEY, |one| is_named(one, binding))?;
    let simple = one.entry("simple").or_insert_with(|| Item::Value(InlineTable::new().into()));
    for (key, mut value) in numbers(limiter)? {
        let entries = simple.as_table_like_mut()?;
        if let Some(there) = entries.get(key).and_then(Item::as_value) {
            *value.decor_mut() = there.decor().clone();
        }
        entries.insert(key, Item::Value(value));
    }
    edit::tidy(simple);
    Some(())
}

/// `None` for a number that TOML cannot say.
fn numbers(limiter: &Limiter) -> Option<[(&'static str, Value); 2]> {
    let number = |number: u64| i64::try_from(number).ok().map(Value::from);
    Some([("limit", number(limiter.limit)?), ("period", number(limiter.period)?)])
}
