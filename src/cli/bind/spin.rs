//! Writing spin.toml: a JSON string in the component's `environment` for each section, the addresses that are called, the
//! stores, and a variable for each secret.

use super::plan::Plan;
use super::{Changes, edit};
use crate::cli::declared::allows;
use crate::cli::input::Input;
use crate::cli::needs::{Needs, variable_of};
use toml_edit::{Array, DocumentMut, InlineTable, Item, Value};

/// A manifest to begin with.
const TEMPLATE: &str = r#"# Runs edgate on Spin: `spin up --build`.
# `edgate bind` writes the variables EDGATE, UPSTREAM_.., ISSUER_.., CONSUMER_.., LIMIT_.. and ROUTE_..: change the
# document.
spin_manifest_version = 2

[application]
name = "edgate"
version = "0.1.0"

[[trigger.http]]
route = "/..."
component = "edgate"

[component.edgate]
source = "build/spin/edgate.wasm"
allowed_outbound_hosts = []

[component.edgate.build]
command = "scripts/build spin"
"#;

/// The manifest as it should be.
pub fn edit(plan: &Plan<'_>, before: Option<&Input>) -> Result<(String, Changes), String> {
    let text = before.map_or(TEMPLATE, |input| input.file.text.as_str());
    let mut document: DocumentMut = text.parse().map_err(|error: toml_edit::TomlError| error.message().to_owned())?;
    let mut changes = Changes::default();
    let scope = before.and_then(|input| input.scope.as_ref());
    let name = scope.and_then(|scope| scope.name.clone()).unwrap_or_else(|| "edgate".to_owned());
    let path = ["component", name.as_str()];
    let component = path.iter().try_fold(document.as_item_mut(), |item, key| edit::table(item, key));
    let Some(component) = component else { return Err(format!("[component.{name}] is no table")) };
    let environment = edit::table(component, "environment");
    let Some(environment) = environment else { return Err("`environment` is no table".to_owned()) };
    for (binding, node) in super::changed(plan, before) {
        put_text(environment, binding, edit::text(&node.json()));
        changes.written.push(binding.clone());
    }
    let needed = Needs::of(&before.map(|input| input.sections.clone()).unwrap_or_default());
    hosts(plan, &needed, component, &mut changes)?;
    stores(plan, &needed, component, &mut changes)?;
    for secret in plan.needs.secrets.keys() {
        add_variable(&mut document, &path, secret, &mut changes)?;
    }
    for secret in needed.secrets.keys().filter(|secret| !plan.needs.secrets.contains_key(*secret)) {
        remove_variable(&mut document, &path, secret, &mut changes);
    }
    let path = [path[0], path[1], "environment"];
    for binding in super::superfluous(plan, before) {
        edit::remove(&mut document, &path, &binding);
        changes.removed.push(binding);
    }
    Ok((document.to_string(), changes))
}

/// Puts a value under a key, with the comments of the one before.
fn put_text(table: &mut Item, key: &str, mut value: Value) {
    let Some(entries) = table.as_table_like_mut() else { return };
    if let Some(old) = entries.get(key).and_then(Item::as_value) {
        *value.decor_mut() = old.decor().clone();
    }
    // The table may have been there for its own tables alone.
    entries.insert(key, Item::Value(value));
    edit::tidy(table);
    if let Item::Table(table) = table {
        table.set_implicit(false);
    }
}

fn list<'a>(component: &'a mut Item, key: &str) -> Result<&'a mut Array, String> {
    let entries = component.as_table_like_mut().ok_or("the component is no table")?;
    let item = entries.entry(key).or_insert_with(|| Item::Value(Array::new().into()));
    item.as_array_mut().ok_or_else(|| format!("`{key}` is no list"))
}

fn texts(list: &Array) -> Vec<String> {
    list.iter().filter_map(|value| value.as_str().map(str::to_owned)).collect()
}

fn hosts(plan: &Plan<'_>, needed: &Needs, component: &mut Item, changes: &mut Changes) -> Result<(), String> {
    let list = list(component, "allowed_outbound_hosts")?;
    // What only the bindings before needed, this program put there.
    let stale = |host: &str| needed.origins.contains_key(host) && !plan.needs.origins.contains_key(host);
    changes.undeclared.extend(texts(list).into_iter().filter(|host| stale(host)).map(|host| format!("`{host}`")));
    list.retain(|host| !host.as_str().is_some_and(stale));
    let there = texts(list);
    let allowed = |origin: &str| there.iter().any(|pattern| allows(pattern, origin));
    let new: Vec<String> = plan.needs.origins.keys().filter(|origin| !allowed(origin)).cloned().collect();
    edit::add(list, new.iter().cloned());
    changes.declared.extend(new.iter().map(|host| format!("`{host}`")));
    let useful = |pattern: &str| plan.needs.origins.keys().any(|origin| allows(pattern, origin));
    for foreign in there.iter().filter(|pattern| !useful(pattern)) {
        changes.notes.push(format!("`{foreign}` may be called, and edgate does not call it: left as it is"));
    }
    Ok(())
}

fn stores(plan: &Plan<'_>, needed: &Needs, component: &mut Item, changes: &mut Changes) -> Result<(), String> {
    let wanted = plan.needs.spin_stores();
    for old in needed.spin_stores().keys().filter(|old| !wanted.contains_key(*old)) {
        changes.notes.push(format!("the store `{old}` is still listed: edgate no longer reads it"));
    }
    if wanted.is_empty() {
        return Ok(());
    }
    let list = list(component, "key_value_stores")?;
    let there = texts(list);
    let new: Vec<String> = wanted.into_keys().filter(|store| !there.contains(store)).collect();
    changes.declared.extend(new.iter().map(|store| format!("the store `{store}`")));
    edit::add(list, new);
    Ok(())
}

/// `{{ orders_key }}`.
fn reference(variable: &str) -> String {
    format!("{{{{ {variable} }}}}")
}

fn add_variable(document: &mut DocumentMut, path: &[&str], secret: &str, changes: &mut Changes) -> Result<(), String> {
    let variable = variable_of(secret);
    let mut declared = false;
    let application = edit::table(document.as_item_mut(), "variables").ok_or("[variables] is no table")?;
    if application.get(&variable).is_none() {
        let required = [("required", true), ("secret", true)].into_iter().collect::<InlineTable>();
        put_text(application, &variable, required.into());
        declared = true;
    }
    let component = path.iter().try_fold(document.as_item_mut(), |item, key| edit::table(item, key));
    let given = component.and_then(|component| edit::table(component, "variables"));
    let given = given.ok_or("the component's `variables` is no table")?;
    if given.get(&variable).is_none() {
        put_text(given, &variable, Value::from(reference(&variable)));
        declared = true;
    }
    if declared {
        changes.declared.push(format!("the variable `{variable}`"));
    }
    Ok(())
}

/// Takes away the variable of a secret that is no longer needed, if it is as it was put there.
fn remove_variable(document: &mut DocumentMut, path: &[&str; 2], secret: &str, changes: &mut Changes) {
    let variable = variable_of(secret);
    let component = document.get(path[0]).and_then(|components| components.get(path[1]));
    let given = component.and_then(|component| component.get("variables")).and_then(|all| all.get(&variable));
    if given.and_then(Item::as_str) != Some(&reference(&variable)) {
        return;
    }
    edit::remove(document, &[path[0], path[1], "variables"], &variable);
    changes.undeclared.push(format!("the variable `{variable}`"));
    let used = document.to_string().contains(&reference(&variable));
    let own = document.get("variables").and_then(|all| all.get(&variable)).is_some_and(|declaration| {
        let is = |key: &str| declaration.get(key).and_then(Item::as_bool) == Some(true);
        is("required") && is("secret") && declaration.as_table_like().is_some_and(|table| table.len() == 2)
    });
    if own && !used {
        edit::remove(document, &["variables"], &variable);
    }
    for path in [&path[..], &[]] {
        let parent = path.iter().try_fold(document.as_item_mut(), |item, key| item.as_table_like_mut()?.get_mut(key));
        let Some(parent) = parent.and_then(Item::as_table_like_mut) else { continue };
        if parent.get("variables").and_then(Item::as_table_like).is_some_and(|table| table.is_empty()) {
            parent.remove("variables");
        }
    }
}
