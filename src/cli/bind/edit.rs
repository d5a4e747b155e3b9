//! Changing a TOML file without changing what is not meant: comments, order and layout stay.

use crate::cli::tree::{Content, Node};
use serde_json::Value as Json;
use toml_edit::{Array, ArrayOfTables, DocumentMut, InlineTable, Item, Table, TableLike, Value};

/// The table of a key, made where it is not there. `None` where the key holds something else.
pub fn table<'a>(parent: &'a mut Item, key: &str) -> Option<&'a mut Item> {
    let headers = takes_headers(parent);
    let entries = parent.as_table_like_mut()?;
    if !entries.contains_key(key) {
        let mut table = Table::new();
        table.set_implicit(true);
        entries.insert(key, if headers { Item::Table(table) } else { Item::Value(InlineTable::new().into()) });
    }
    entries.get_mut(key).filter(|item| item.is_table_like())
}

/// Whether tables inside this one can have headers: not in braces, and not where it is written with dots.
pub fn takes_headers(item: &Item) -> bool {
    matches!(item, Item::Table(table) if !table.is_dotted())
}

/// Writes a section: as a table with a header, or in braces where headers cannot stand.
pub fn put(parent: &mut Item, key: &str, node: &Node) {
    let headers = takes_headers(parent);
    let Some(entries) = parent.as_table_like_mut() else { return };
    let mut new = section(node, headers);
    match (entries.get_mut(key), &mut new) {
        (Some(Item::Table(old)), Item::Table(new)) => return merge(old, new, node),
        // A table with a header stands elsewhere than a value, and its key has no place of its own.
        (Some(Item::Value(_)), Item::Table(_)) => drop(entries.remove(key)),
        _ => {}
    }
    entries.insert(key, new);
    tidy(parent);
}

/// The space before a closing brace belongs to the last value, whichever it is now.
pub fn tidy(item: &mut Item) {
    let Item::Value(Value::InlineTable(table)) = item else { return };
    let last = table.len().saturating_sub(1);
    for (index, (_, value)) in table.iter_mut().enumerate() {
        value.decor_mut().set_suffix(if index == last { " " } else { "" });
    }
}

/// Makes a table say what another does. What it says already, and the comments in it, stay.
fn merge(old: &mut Table, new: &Table, node: &Node) {
    old.retain(|key, _| new.contains_key(key));
    for (key, item) in new {
        let same = |old: &Item| node.get(key).is_some_and(|node| says(old, node));
        let mut item = item.clone();
        match (old.get(key), item.as_value_mut()) {
            (Some(there), _) if same(there) => continue,
            (Some(Item::Value(there)), Some(value)) => *value.decor_mut() = there.decor().clone(),
            (Some(_), _) => drop(old.remove(key)),
            (None, _) => {}
        }
        match old.get_mut(key) {
            Some(there) => *there = item,
            None => drop(old.insert(key, item)),
        }
    }
}

/// Whether a value in a file is this one.
fn says(item: &Item, node: &Node) -> bool {
    match (&node.content, item) {
        (Content::Table(entries), item) => item.as_table_like().is_some_and(|table| {
            let same = |key: &str, item| node.get(key).is_some_and(|node| says(item, node));
            table.len() == entries.len() && table.iter().all(|(key, item)| same(key, item))
        }),
        (Content::List(elements), Item::Value(Value::Array(list))) => {
            let same = |(element, value): (&Node, &Value)| says(&Item::Value(value.clone()), element);
            list.len() == elements.len() && elements.iter().zip(list).all(same)
        }
        (Content::Text(text), item) => item.as_str() == Some(&text.text),
        (Content::Scalar(Json::Bool(truth)), item) => item.as_bool() == Some(*truth),
        (Content::Scalar(Json::Number(number)), item) => item.as_integer().map_or_else(
            || item.as_float().is_some() && item.as_float() == number.as_f64(),
            |integer| number.as_i64() == Some(integer),
        ),
        _ => false,
    }
}

/// A section as a table with a header, or in braces where headers cannot stand.
fn section(node: &Node, headers: bool) -> Item {
    if !speaks_toml(node) {
        return Item::Value(text(&node.json()));
    }
    if !headers {
        return Item::Value(value(node));
    }
    let mut table = Table::new();
    for entry in node.entries() {
        table.insert(&entry.key, Item::Value(value(&entry.value)));
    }
    Item::Table(table)
}

/// Whether TOML can say it: it has no null, and no number beyond 63 bits.
fn speaks_toml(node: &Node) -> bool {
    match &node.content {
        Content::Scalar(Json::Null) => false,
        Content::Scalar(Json::Number(number)) => !(number.is_u64() && number.as_i64().is_none()),
        Content::Scalar(_) | Content::Text(_) => true,
        Content::List(elements) => elements.iter().all(speaks_toml),
        Content::Table(entries) => entries.iter().all(|entry| speaks_toml(&entry.value)),
    }
}

fn value(node: &Node) -> Value {
    match &node.content {
        Content::Scalar(Json::Bool(truth)) => Value::from(*truth),
        Content::Scalar(Json::Number(number)) => match number.as_i64() {
            Some(number) => Value::from(number),
            None => Value::from(number.as_f64().unwrap_or_default()),
        },
        Content::Scalar(other) => Value::from(other.to_string()),
        Content::Text(text) => quoted(&text.text),
        Content::List(elements) => elements.iter().map(value).collect::<Array>().into(),
        Content::Table(entries) => {
            let mut table = InlineTable::new();
            for entry in entries {
                table.insert(&entry.key, value(&entry.value));
            }
            table.into()
        }
    }
}

/// A string on one line. JSON's escapes are TOML's too.
fn quoted(text: &str) -> Value {
    let written = Json::from(text).to_string();
    written.parse().unwrap_or_else(|_| Value::from(text))
}

/// A string, in the form that needs no escapes where there is one.
pub fn text(text: &str) -> Value {
    let plain = !text.chars().any(|c| c.is_control() && c != '\t');
    let written = if plain && !text.contains('\'') {
        format!("'{text}'")
    } else if plain && !text.contains("'''") && !text.ends_with('\'') {
        format!("'''{text}'''")
    } else {
        return Value::from(text);
    };
    written.parse().unwrap_or_else(|_| Value::from(text))
}

/// Adds strings to a list, each on its own line where the others are.
pub fn add(list: &mut Array, texts: impl IntoIterator<Item = String>) {
    for text in texts {
        let prefix = list.iter().last().and_then(|last| last.decor().prefix()).and_then(|prefix| prefix.as_str());
        let own_line = prefix.filter(|prefix| prefix.contains('\n')).map(|prefix| {
            let indentation = prefix.rsplit('\n').next().unwrap_or_default();
            format!("\n{indentation}")
        });
        match own_line {
            Some(prefix) => list.push_formatted(Value::from(text).decorated(prefix, "")),
            None => list.push(text),
        }
    }
}

/// Takes a key out of a table, with the comment right above it. A comment that an empty line separates from it stays.
pub fn remove(document: &mut DocumentMut, path: &[&str], key: &str) {
    let parent = path.iter().try_fold(document.as_item_mut(), |item, key| item.as_table_like_mut()?.get_mut(key));
    let position = |item: &Item| item.as_table().and_then(Table::position);
    let Some(parent) = parent else { return };
    let place = position(parent);
    let Some(entries) = parent.as_table_like_mut() else { return };
    let above = match entries.get(key) {
        Some(Item::Table(table)) => table.decor().prefix(),
        _ => entries.key(key).and_then(|key| key.leaf_decor().prefix()),
    };
    let above = above.and_then(|above| above.as_str()).unwrap_or_default().to_owned();
    let place = entries.get(key).and_then(position).or(place);
    entries.remove(key);
    tidy(parent);
    keep(document, place, &above);
}

/// Takes a table out of a list, with the comment right above it. A comment that an empty line separates from it stays.
pub fn remove_element(document: &mut DocumentMut, path: &[&str], key: &str, is: impl Fn(&dyn TableLike) -> bool) {
    let parent = path.iter().try_fold(document.as_item_mut(), |item, key| item.as_table_like_mut()?.get_mut(key));
    let Some(entries) = parent.and_then(Item::as_table_like_mut) else { return };
    let mut above = String::new();
    let mut place = None;
    let left = match entries.get_mut(key) {
        Some(Item::ArrayOfTables(tables)) => {
            let Some(at) = tables.iter().position(|table| is(table)) else { return };
            if let Some(table) = tables.get(at) {
                above = table.decor().prefix().and_then(|prefix| prefix.as_str()).unwrap_or_default().to_owned();
                place = table.position();
            }
            tables.remove(at);
            tables.len()
        }
        Some(Item::Value(Value::Array(list))) => {
            list.retain(|one| !one.as_inline_table().is_some_and(|table| is(table)));
            // No space after the bracket where there was none.
            if let Some(first) =
                list.get_mut(0).filter(|first| first.decor().prefix().and_then(|prefix| prefix.as_str()) == Some(" "))
            {
                first.decor_mut().set_prefix("");
            }
            list.len()
        }
        _ => return,
    };
    if left == 0 {
        entries.remove(key);
    }
    keep(document, place, &above);
}

/// Puts the comments that stood above what was taken away, and were not its own, above the table that comes next.
fn keep(document: &mut DocumentMut, place: Option<isize>, above: &str) {
    let kept = detached(above);
    if kept.is_empty() {
        return;
    }
    match next_table(document.as_table(), place.unwrap_or(isize::MAX)) {
        Some(next) => keep_above(document.as_table_mut(), next, kept),
        None => {
            let trailing = document.trailing().as_str().unwrap_or_default().to_owned();
            document.set_trailing(format!("{kept}{trailing}"));
        }
    }
}

/// The comments that an empty line separates from what comes after them.
fn detached(above: &str) -> &str {
    let mut end = 0;
    let mut at = 0;
    for line in above.split_inclusive('\n') {
        if line.trim().is_empty() && above[..at].contains('#') {
            end = at;
        }
        at += line.len();
    }
    &above[..end]
}

/// The tables with headers, in the order they are kept in.
fn tables<'a>(table: &'a Table, found: &mut Vec<&'a Table>) {
    found.push(table);
    for (_, item) in table {
        match item {
            Item::Table(table) => tables(table, found),
            Item::ArrayOfTables(list) => list.iter().for_each(|table| tables(table, found)),
            _ => {}
        }
    }
}

/// The position of the table that comes next in the file.
fn next_table(root: &Table, after: isize) -> Option<isize> {
    let mut found = Vec::new();
    tables(root, &mut found);
    found
        .into_iter()
        .filter(|table| !table.is_dotted() && !table.is_implicit())
        .filter_map(Table::position)
        .filter(|at| *at > after)
        .min()
}

/// Puts a comment above the table at a position.
fn keep_above(table: &mut Table, position: isize, comment: &str) {
    if table.position() == Some(position) && !table.is_implicit() && !table.is_dotted() {
        let above = table.decor().prefix().and_then(|prefix| prefix.as_str()).unwrap_or_default().to_owned();
        table.decor_mut().set_prefix(format!("{comment}{above}"));
        return;
    }
    for (_, item) in table.iter_mut() {
        match item {
            Item::Table(table) => keep_above(table, position, comment),
            Item::ArrayOfTables(list) => list.iter_mut().for_each(|table| keep_above(table, position, comment)),
            _ => {}
        }
    }
}

/// A table of a list.
pub fn element<'a>(
    parent: &'a mut Item,
    key: &str,
    is: impl Fn(&dyn TableLike) -> bool,
) -> Option<&'a mut dyn TableLike> {
    match parent.as_table_like_mut()?.get_mut(key)? {
        Item::ArrayOfTables(tables) => {
            let tables = tables.iter_mut().map(|table| table as &mut dyn TableLike);
            tables.into_iter().find(|table| is(*table))
        }
        Item::Value(Value::Array(list)) => {
            let tables = list.iter_mut().filter_map(|one| Some(one.as_inline_table_mut()? as &mut dyn TableLike));
            tables.into_iter().find(|table| is(*table))
        }
        _ => None,
    }
}

/// The list of tables of a key, made where it is not there, in the form that is there.
pub fn append(parent: &mut Item, key: &str, entries: &[(&str, Value)]) -> bool {
    let headers = takes_headers(parent);
    let Some(parent) = parent.as_table_like_mut() else { return false };
    if !parent.contains_key(key) {
        let list = || Item::Value(Array::new().into());
        parent.insert(key, if headers { Item::ArrayOfTables(ArrayOfTables::new()) } else { list() });
    }
    match parent.get_mut(key) {
        Some(Item::ArrayOfTables(tables)) => {
            tables.push(entries.iter().cloned().collect());
            true
        }
        Some(Item::Value(Value::Array(list))) => {
            list.push(entries.iter().cloned().collect::<InlineTable>());
            true
        }
        _ => false,
    }
}
