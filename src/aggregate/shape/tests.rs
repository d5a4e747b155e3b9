use super::*;
use crate::raw::Document;
use proptest::prelude::*;
use serde_json::{Map, Value};

/// `a.b[].c` as steps.
fn steps(path: &str) -> Vec<Step> {
    let path = path.replace("[]", ".[]");
    let steps = path.split('.').filter(|step| !step.is_empty());
    steps.map(|step| if step == "[]" { Step::Items } else { Step::Member(step.to_owned()) }).collect()
}

fn tree(paths: &[&str]) -> Option<Tree> {
    let mut tree = Tree::default();
    paths.iter().for_each(|path| tree.set(&steps(path), &|tree| tree.meant = true));
    Some(tree)
}

fn renamed(names: &[(&str, &str)]) -> Option<Tree> {
    let mut tree = Tree::default();
    names.iter().for_each(|(path, name)| tree.set(&steps(path), &|tree| tree.name = Some((*name).to_owned())));
    Some(tree)
}

fn shaped(shape: &Shape, json: &str) -> String {
    let document = Document::parse(json.as_bytes().to_vec()).unwrap();
    let mut out = String::new();
    shape.write(document.raw(), &mut out);
    assert!(Document::parse(out.clone().into_bytes()).is_ok(), "{out}");
    out
}

#[track_caller]
fn table(shape: impl Fn(&[&str]) -> Shape, cases: &[(&[&str], &str, &str)]) {
    for (paths, json, expected) in cases {
        assert_eq!(shaped(&shape(paths), json), *expected, "{paths:?} of {json}");
    }
}

#[test]
fn what_is_allowed_stays_as_it_was_written() {
    table(
        |paths| Shape { allow: tree(paths), ..Shape::default() },
        &[
            (&["id"], r#"{"x":1,"id": 12345678901234567890.10 , "y":{}}"#, r#"{"id":12345678901234567890.10}"#),
            (&["b", "a"], r#"{"a":1,"b":2}"#, r#"{"a":1,"b":2}"#),
            (&["a"], r#"{"a" : { "z": [ 1 ] }}"#, r#"{"a":{ "z": [ 1 ] }}"#),
            (&["a.b"], r#"{"a":{"b":1,"c":2},"d":3}"#, r#"{"a":{"b":1}}"#),
            (&["a.b", "a"], r#"{"a":{"b":1,"c":2}}"#, r#"{"a":{"b":1,"c":2}}"#),
            (&["a.b"], r#"{"a":[{"b":1}]}"#, "{}"),
            (&["a[].b"], r#"{"a":[{"b":1,"c":2},3,{"c":4},[5]]}"#, r#"{"a":[{"b":1},{}]}"#),
            (&["a[].b"], r#"{"a":{"b":1}}"#, "{}"),
            (&["[].b"], r#"[{"b":1,"c":2}]"#, r#"[{"b":1}]"#),
            (&["a"], r#""a""#, "null"),
            (&["a"], "[1]", "[]"),
            (&[], r#"{"a":1}"#, "{}"),
            // A name is what it says, not how it is written; and it stays as it is written.
            (&["é"], r#"{"\u00e9":1}"#, r#"{"\u00e9":1}"#),
        ],
    );
}

#[test]
fn what_is_denied_goes() {
    table(
        |paths| Shape { deny: tree(paths), ..Shape::default() },
        &[
            (&["a"], r#"{"a":1,"b":2.0}"#, r#"{"b":2.0}"#),
            (&["a.b"], r#"{"a":{"b":1,"c":2},"b":3}"#, r#"{"a":{"c":2},"b":3}"#),
            (&["a[].b"], r#"{"a":[{"b":1},{"c":2},3]}"#, r#"{"a":[{},{"c":2},3]}"#),
            (&["a[]"], r#"{"a":[1,2]}"#, r#"{"a":[]}"#),
            (&["a"], "5", "5"),
        ],
    );
}

#[test]
fn what_is_flattened_dissolves_into_what_it_stands_in() {
    table(
        |paths| Shape { flatten: tree(paths), ..Shape::default() },
        &[
            (&["a"], r#"{"x":1,"a":{"b":2,"c":3},"y":4}"#, r#"{"x":1,"b":2,"c":3,"y":4}"#),
            (&["a"], r#"{"b":1,"a":{"b":2}}"#, r#"{"b":2}"#),
            (&["a"], r#"{"a":{"b":2},"b":1}"#, r#"{"b":1}"#),
            (&["a", "a.b"], r#"{"a":{"b":{"c":1},"d":2}}"#, r#"{"c":1,"d":2}"#),
            (&["a.b"], r#"{"a":{"b":{"c":1},"d":2}}"#, r#"{"a":{"c":1,"d":2}}"#),
            (&["p[]"], r#"{"p":[[1,2],3,[],[[4]]]}"#, r#"{"p":[1,2,3,[4]]}"#),
            (&["a"], r#"{"a":[1]}"#, r#"{"a":[1]}"#),
            (&["p[]"], r#"{"p":[{"a":1}]}"#, r#"{"p":[{"a":1}]}"#),
        ],
    );
}

#[test]
fn a_member_that_stands_twice_is_its_last_value_in_the_place_of_the_first() {
    let deny = Shape { deny: tree(&["x"]), ..Shape::default() };
    assert_eq!(shaped(&deny, r#"{"a":1,"b":2,"\u0061":3}"#), r#"{"a":3,"b":2}"#);
    let allow = Shape { allow: tree(&["a.b"]), ..Shape::default() };
    assert_eq!(shaped(&allow, r#"{"a":{"b":1},"a":2}"#), "{}", "the last one is what it is");
    assert_eq!(shaped(&Shape::default(), r#"{"a":1,"a":2}"#), r#"{"a":1,"a":2}"#, "nobody looks into it");
}

#[test]
fn names_come_last() {
    let shape = Shape {
        allow: tree(&["blog", "a", "b.c"]),
        names: renamed(&[("blog", "web"), ("b.c", "d"), ("b", "e"), ("web", "never")]),
        ..Shape::default()
    };
    let json = r#"{"web":0,"blog":"x","b":{"c":1},"a":2}"#;
    assert_eq!(shaped(&shape, json), r#"{"web":"x","e":{"d":1},"a":2}"#);
    let shape = Shape { names: renamed(&[("a", "b")]), ..Shape::default() };
    assert_eq!(shaped(&shape, r#"{"a":1,"b":2}"#), r#"{"b":2}"#, "two of one name: the last one");
}

#[test]
fn all_steps_in_their_order() {
    let shape = Shape {
        target: vec!["data".to_owned(), "0".to_owned()],
        flatten: tree(&["user"]),
        allow: tree(&["id", "tags"]),
        deny: tree(&["tags[].internal"]),
        names: renamed(&[("id", "key")]),
        ..Shape::default()
    };
    let json = r#"{"data":[{"user":{"id":7,"mail":"x"},"tags":[{"internal":1,"name":"a"}]}]}"#;
    assert_eq!(shaped(&shape, json), r#"{"key":7,"tags":[{"name":"a"}]}"#);
}

#[test]
fn a_collection_is_a_member_that_the_steps_see() {
    let collection = || Some("collection".to_owned());
    let shape = Shape {
        collection: collection(),
        allow: tree(&["collection[].id"]),
        names: renamed(&[("collection", "posts")]),
        ..Shape::default()
    };
    assert_eq!(shaped(&shape, r#"[{"id":1,"x":2}]"#), r#"{"posts":[{"id":1}]}"#);
    let shape = Shape { collection: collection(), allow: tree(&["other"]), ..Shape::default() };
    assert_eq!(shaped(&shape, "[1]"), "{}");
    let shape = Shape { collection: collection(), ..Shape::default() };
    let fits = |json: &str| shape.fits(Document::parse(json.as_bytes().to_vec()).unwrap().raw());
    assert_eq!(fits("[]"), Ok(()));
    assert_eq!(fits("{}"), Err(Failure::NoCollection));
}

#[test]
fn what_has_no_target_does_not_fit() {
    let shape = Shape { target: vec!["a".to_owned(), "b".to_owned()], ..Shape::default() };
    let fits = |json: &str| shape.fits(Document::parse(json.as_bytes().to_vec()).unwrap().raw());
    assert_eq!(fits(r#"{"a":{"b":null}}"#), Ok(()));
    assert_eq!(fits(r#"{"a":{}}"#), Err(Failure::NoTarget));
}

fn json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![Just(Value::Null), (0..9).prop_map(Value::from)];
    leaf.prop_recursive(4, 40, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map("[abc]", inner, 0..4).prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

fn paths() -> impl Strategy<Value = Vec<String>> {
    let path = prop::collection::vec(prop::sample::select(vec!["a", "b", "c", "[]"]), 1..4);
    prop::collection::vec(path.prop_map(|steps| steps.join(".")), 0..4)
}

/// What is left of a value, step by step.
fn naively(value: Value, shape: &Shape) -> Value {
    let value = dissolved(value, shape.flatten.as_ref());
    let value = match &shape.allow {
        Some(tree) => allowed(value, tree).unwrap_or(Value::Null),
        None => value,
    };
    denied(value, shape.deny.as_ref())
}

fn members(value: Map<String, Value>, each: impl Fn(&str, Value) -> Vec<(String, Value)>) -> Value {
    Value::Object(value.into_iter().flat_map(|(name, value)| each(&name, value)).collect())
}

fn dissolved(value: Value, tree: Option<&Tree>) -> Value {
    let Some(tree) = tree else { return value };
    match value {
        Value::Object(map) => members(map, |name, value| {
            let inner = tree.member(name);
            match dissolved(value, inner) {
                Value::Object(map) if inner.is_some_and(|tree| tree.meant) => map.into_iter().collect(),
                value => vec![(name.to_owned(), value)],
            }
        }),
        Value::Array(items) => {
            let inner = tree.items.as_deref();
            let items = items.into_iter().flat_map(|item| match item {
                // What an array dissolves into is not looked at again.
                Value::Array(items) if inner.is_some_and(|tree| tree.meant) => {
                    items.into_iter().map(|item| dissolved(item, inner)).collect()
                }
                item => vec![dissolved(item, inner)],
            });
            items.collect()
        }
        other => other,
    }
}

fn allowed(value: Value, tree: &Tree) -> Option<Value> {
    let inner = |tree: Option<&Tree>, value: Value| match tree {
        Some(tree) if tree.meant => Some(value),
        Some(tree) => match &value {
            Value::Object(_) if tree.members.is_empty() => None,
            Value::Array(_) if tree.items.is_none() => None,
            _ => allowed(value, tree),
        },
        None => None,
    };
    match value {
        Value::Object(map) => Some(members(map, |name, value| {
            inner(tree.member(name), value).map(|value| (name.to_owned(), value)).into_iter().collect()
        })),
        Value::Array(items) => Some(items.into_iter().filter_map(|item| inner(tree.items.as_deref(), item)).collect()),
        _ => None,
    }
}

fn denied(value: Value, tree: Option<&Tree>) -> Value {
    let Some(tree) = tree else { return value };
    let is_meant = |tree: Option<&Tree>| tree.is_some_and(|tree| tree.meant);
    match value {
        Value::Object(map) => members(map, |name, value| match tree.member(name) {
            inner if is_meant(inner) => Vec::new(),
            inner => vec![(name.to_owned(), denied(value, inner))],
        }),
        Value::Array(items) => match tree.items.as_deref() {
            inner if is_meant(inner) => Value::Array(Vec::new()),
            inner => items.into_iter().map(|item| denied(item, inner)).collect(),
        },
        other => other,
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 3_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn it_does_in_one_go_what_is_done_step_by_step(
        value in json(), flatten in paths(), allow in prop::option::of(paths()), deny in paths(),
    ) {
        let trees = |paths: &[String]| tree(&paths.iter().map(String::as_str).collect::<Vec<_>>());
        let shape = Shape {
            flatten: trees(&flatten),
            allow: allow.as_deref().and_then(trees),
            deny: trees(&deny),
            ..Shape::default()
        };
        let written: Value = serde_json::from_str(&shaped(&shape, &value.to_string())).unwrap();
        prop_assert_eq!(written, naively(value, &shape));
    }
}
