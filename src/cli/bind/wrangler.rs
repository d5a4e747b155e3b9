//! Writing wrangler.toml: a table under `[vars]` for each section, `[[kv_namespaces]]` for the stores, the Durable Objects
//! that decide for all instances, `[[ratelimits]]`, a cron trigger, and the names of secrets, so that a deployment that
//! lacks one fails.

use super::plan::Plan;
use super::{Changes, edit, limiters, objects};
use crate::cli::declared::{EACH_MINUTE, binds_store, has_schedule, lists};
use crate::cli::input::Input;
use crate::cli::manifest::Scope;
use crate::cli::needs::Needs;
use crate::cli::objects::inherits;
use toml_edit::{Array, DocumentMut, Item};

/// A manifest to begin with.
const TEMPLATE: &str = r#"# Deploys edgate to Cloudflare Workers: `wrangler deploy`.
# `edgate bind` writes the variables EDGATE, UPSTREAM_.., ISSUER_.., CONSUMER_.., LIMIT_.. and ROUTE_..: change the
# document.
name = "edgate"
main = "build/cloudflare/index.js"
compatibility_date = "2026-11-01"

[build]
command = "scripts/build cloudflare"

[observability]
enabled = true
"#;

/// What the manifest said before: edgate's part of it, if it was there, and what that needed.
pub struct Old<'a> {
    pub scope: Option<&'a Scope>,
    pub needs: Needs,
}

/// The manifest as it should be.
pub fn edit(plan: &Plan<'_>, before: Option<&Input>) -> Result<(String, Changes), String> {
    let text = before.map_or(TEMPLATE, |input| input.file.text.as_str());
    let mut document: DocumentMut = text.parse().map_err(|error: toml_edit::TomlError| error.message().to_owned())?;
    let mut changes = Changes::default();
    let environment = before.and_then(|input| input.scope.as_ref()).and_then(|scope| scope.name.clone());
    let path: Vec<&str> = environment.iter().flat_map(|name| ["env", name.as_str()]).collect();
    let scope = path.iter().try_fold(document.as_item_mut(), |item, key| edit::table(item, key));
    let Some(scope) = scope else { return Err(format!("[{}] is no table", path.join("."))) };
    let Some(vars) = edit::table(scope, "vars") else { return Err("[vars] is no table".to_owned()) };
    for (binding, node) in super::changed(plan, before) {
        edit::put(vars, binding, node);
        changes.written.push(binding.clone());
    }
    let old = Old {
        scope: before.and_then(|input| input.scope.as_ref()),
        needs: Needs::of(&before.map(|input| input.sections.clone()).unwrap_or_default()),
    };
    namespaces(plan, &old, scope, &mut changes)?;
    secrets(plan, &old, scope, &mut changes)?;
    objects::declare(plan, &old, &path, &mut document, &mut changes)?;
    limiters::declare(plan, &old, &path, &mut document, &mut changes)?;
    schedule(plan, &old, &path, &mut document, &mut changes)?;
    let vars_path: Vec<&str> = path.iter().copied().chain(["vars"]).collect();
    for binding in super::superfluous(plan, before) {
        edit::remove(&mut document, &vars_path, &binding);
        changes.removed.push(binding);
    }
    Ok((document.to_string(), changes))
}

fn namespaces(plan: &Plan<'_>, old: &Old<'_>, scope: &mut Item, changes: &mut Changes) -> Result<(), String> {
    let is_bound = |store: &str| old.scope.is_some_and(|old| binds_store(&old.table, store));
    for store in plan.needs.stores.keys().filter(|store| !is_bound(store)) {
        if !edit::append(scope, "kv_namespaces", &[("binding", store.into())]) {
            return Err("`kv_namespaces` is no list".to_owned());
        }
        changes.declared.push(format!("the KV namespace `{store}`"));
        changes.notes.push(format!("wrangler makes the namespace `{store}` when it deploys, unless you give its `id`"));
    }
    for store in old.needs.stores.keys().filter(|store| !plan.needs.stores.contains_key(*store)) {
        changes.notes.push(format!("the KV namespace `{store}` is still bound: edgate no longer reads it"));
    }
    Ok(())
}

/// The cron trigger that runs each minute. Where it is needed no more it stays: somebody else may need it.
fn schedule(
    plan: &Plan<'_>,
    old: &Old<'_>,
    path: &[&str],
    document: &mut DocumentMut,
    changes: &mut Changes,
) -> Result<(), String> {
    let is_there = old.scope.is_some_and(has_schedule);
    let trigger = format!("the cron trigger `{EACH_MINUTE}`");
    match (plan.needs.schedule.is_some(), is_there) {
        (true, false) => {}
        (false, true) if old.needs.schedule.is_some() => {
            changes.notes.push(format!("{trigger} is still there: edgate no longer needs it"));
            return Ok(());
        }
        _ => return Ok(()),
    }
    // An environment with triggers of its own would inherit none.
    let inherits = old.scope.is_some_and(|scope| inherits(scope, "triggers"));
    let path = if inherits { &[] } else { path };
    let scope = path.iter().try_fold(document.as_item_mut(), |item, key| edit::table(item, key));
    let triggers = scope.and_then(|scope| edit::table(scope, "triggers")).and_then(Item::as_table_like_mut);
    let Some(triggers) = triggers else { return Err("[triggers] is no table".to_owned()) };
    let list = triggers.entry("crons").or_insert_with(|| Item::Value(Array::new().into()));
    let Some(list) = list.as_array_mut() else { return Err("`crons` of [triggers] is no list".to_owned()) };
    edit::add(list, [EACH_MINUTE.to_owned()]);
    changes.declared.push(trigger);
    Ok(())
}

fn secrets(plan: &Plan<'_>, old: &Old<'_>, scope: &mut Item, changes: &mut Changes) -> Result<(), String> {
    let needed = &old.needs;
    let required = old.scope.and_then(|old| old.table.get("secrets")).and_then(|secrets| secrets.get("required"));
    let new: Vec<String> = plan.needs.secrets.keys().filter(|name| !lists(required, name)).cloned().collect();
    let stale = |name: &str| needed.secrets.contains_key(name) && !plan.needs.secrets.contains_key(name);
    let gone: Vec<String> =
        needed.secrets.keys().filter(|name| stale(name) && lists(required, name)).cloned().collect();
    if new.is_empty() && gone.is_empty() {
        return Ok(());
    }
    let table = edit::table(scope, "secrets").and_then(Item::as_table_like_mut);
    let Some(table) = table else { return Err("[secrets] is no table".to_owned()) };
    let list = table.entry("required").or_insert_with(|| Item::Value(Array::new().into()));
    let Some(list) = list.as_array_mut() else { return Err("`required` of [secrets] is no list".to_owned()) };
    list.retain(|name| !name.as_str().is_some_and(stale));
    edit::add(list, new.iter().cloned());
    // An empty list would tell wrangler that there are no secrets at all.
    if list.is_empty() && table.len() == 1 {
        scope.as_table_like_mut().map(|scope| scope.remove("secrets"));
    }
    changes.declared.extend(new.iter().map(|name| format!("the secret `{name}`")));
    changes.undeclared.extend(gone.iter().map(|name| format!("the secret `{name}`")));
    Ok(())
}
