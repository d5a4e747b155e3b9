use super::*;
use proptest::prelude::*;
use serde::de::IgnoredAny;

fn parse(text: &str) -> Result<Document, Flaw> {
    Document::parse(text.as_bytes().to_vec())
}

fn names(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

#[test]
fn texts_that_are_no_json_are_refused() {
    for text in [
        "",
        " ",
        "{",
        "}",
        "[",
        "]",
        "[1,]",
        "[,1]",
        "{,}",
        "{\"a\"}",
        "{\"a\":}",
        "{\"a\":1,}",
        "{a:1}",
        "{1:2}",
        "[1 2]",
        "1 2",
        "01",
        "-",
        "-a",
        "+1",
        "1.",
        ".5",
        "1e",
        "1e+",
        "0x1",
        "tru",
        "nul",
        "True",
        "NaN",
        "'a'",
        "\"",
        "\"\\",
        "\"\\x\"",
        "\"\\u12\"",
        "\"\\u12g4\"",
        "\"\n\"",
        "\"\u{1}\"",
        "[}",
        "{]",
        "[1}",
        "{\"a\":1]",
        "//",
        "\"abcdefgh",
        "\"abcdefg\\",
    ] {
        assert_eq!(parse(text), Err(Flaw::Syntax), "{text}");
    }
    assert_eq!(Document::parse(b"\"\xff\"".to_vec()), Err(Flaw::NotUtf8));
}

#[test]
fn texts_that_are_json_stay_as_they_are() {
    for text in [
        "0",
        "-0",
        "-0.0e-0",
        "1E400",
        "123456789012345678901234567890.00",
        "true",
        "false",
        "null",
        "\"\"",
        "[]",
        "{}",
        "[ ]",
        "{ }",
        "[[],{}]",
        "{\"a\":{\"a\":[1,{\"b\":null}]}}",
        "\"\\ud800\"",
        "\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u00e9é\"",
        "{\"\":1}",
    ] {
        assert_eq!(parse(text).map(|document| document.raw().text().to_owned()), Ok(text.to_owned()));
        assert_eq!(parse(&format!("\u{feff} \t\r\n{text}\n")).as_ref().map(|document| document.raw().text()), Ok(text));
    }
}

#[test]
fn depth_has_an_end() {
    let deep = |depth: usize| "[{\"a\":".repeat(depth / 2) + "1" + &"}]".repeat(depth / 2);
    assert!(parse(&deep(128)).is_ok());
    assert_eq!(parse(&deep(130)), Err(Flaw::TooDeep));
    assert_eq!(parse(&"[".repeat(1_000_000)), Err(Flaw::TooDeep));
}

#[test]
fn values_are_found_where_names_lead() {
    let document = parse(r#" {"a": {"b": [10, {"c": "x"}]}, "\u0061b": 1, "a.b": 2, "n": null} "#).unwrap();
    for (path, text) in [
        (&["a", "b", "0"][..], Some("10")),
        (&["a", "b", "1", "c"], Some("\"x\"")),
        (&["a", "b", "2"], None),
        (&["a", "b", "c"], None),
        (&["ab"], Some("1")),
        (&["a.b"], Some("2")),
        (&["n"], Some("null")),
        (&["n", "x"], None),
    ] {
        assert_eq!(document.raw().find(&names(path)).map(Raw::text), text, "{path:?}");
    }
}

#[test]
fn a_member_that_stands_twice_is_the_last_one() {
    let document = parse(r#"{"a":1,"b":2,"\u0061":3}"#).unwrap();
    assert_eq!(document.raw().member("a").map(Raw::text), Some("3"));
    assert_eq!(document.raw().members().count(), 3);
}

#[test]
fn values_are_text_where_text_is_needed() {
    for (json, text) in [
        ("null", None),
        ("12345678901234567890123", Some("12345678901234567890123")),
        ("1.50", Some("1.50")),
        ("true", Some("true")),
        (r#""a\u00e9\n""#, Some("aé\n")),
        (r#""\ud800""#, Some("\u{fffd}")),
        (r#"[1, "a", null, true]"#, Some("1,a,true")),
        ("[[1]]", Some("[[1]]")),
        (r#"{"a": 1}"#, Some(r#"{"a": 1}"#)),
    ] {
        assert_eq!(parse(json).unwrap().raw().as_text().as_deref(), text, "{json}");
    }
}

#[test]
fn half_of_a_character_hides_nothing() {
    let value = |json: &str| parse(json).unwrap().raw().value().map(|value| value.to_string());
    assert_eq!(value(r#"["banned","\ud800"]"#).as_deref(), Some("[\"banned\",\"\u{fffd}\"]"));
    assert_eq!(
        value(r#"["\ud83d\ude00\ud83d","\\ud800","\udc00\ud800a"]"#).as_deref(),
        Some("[\"\u{1f600}\u{fffd}\",\"\\\\ud800\",\"\u{fffd}\u{fffd}a\"]")
    );
    assert!(parse(r#"{"a\udfff":1}"#).unwrap().raw().member("a\u{fffd}").is_some());
}

/// Texts that are, or nearly are, JSON.
fn nearly_json() -> impl Strategy<Value = String> {
    let word = prop::sample::select(vec![
        "{",
        "}",
        "[",
        "]",
        ",",
        ":",
        "\"a\"",
        "\"b\\n\"",
        "\"\\u00e9\"",
        "\"",
        "\\",
        "0",
        "1",
        "-",
        ".",
        "e",
        "12.5e-3",
        "true",
        "null",
        " ",
        "\n",
        "é",
        "{\"a\":1}",
        "[1,2]",
        "\u{1}",
    ]);
    prop::collection::vec(word, 0..12).prop_map(|words| words.concat())
}

fn json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        any::<String>().prop_map(Value::from),
    ];
    leaf.prop_recursive(6, 64, 8, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            prop::collection::btree_map(any::<String>(), inner, 0..6)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

/// The value, built from its pieces.
fn rebuilt(raw: Raw<'_>) -> Value {
    match raw.kind() {
        Kind::Array => raw.items().map(rebuilt).collect(),
        Kind::Object => {
            let member = |(name, value): (Raw<'_>, Raw<'_>)| (name.string().unwrap().into_owned(), rebuilt(value));
            Value::Object(raw.members().map(member).collect())
        }
        Kind::String => raw.string().unwrap().into(),
        _ => raw.value().unwrap(),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn it_takes_what_serde_json_takes(text in nearly_json()) {
        prop_assert_eq!(parse(&text).is_ok(), serde_json::from_str::<IgnoredAny>(&text).is_ok(), "{}", text);
    }

    #[test]
    fn pieces_make_the_whole(value in json(), pretty in any::<bool>()) {
        let text = if pretty { serde_json::to_string_pretty(&value) } else { serde_json::to_string(&value) }.unwrap();
        let document = parse(&text).unwrap();
        prop_assert_eq!(document.raw().text(), &text);
        prop_assert_eq!(rebuilt(document.raw()), serde_json::from_str::<Value>(&text).unwrap());
    }

    #[test]
    fn texts_become_strings_and_texts_again(text in any::<String>()) {
        let document = Document::string(&text);
        prop_assert_eq!(document.raw().string().unwrap(), text.as_str());
        prop_assert_eq!(document.raw().text(), serde_json::to_string(&text).unwrap());
    }
}
