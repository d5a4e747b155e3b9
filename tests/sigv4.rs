//! Signatures of requests held against the vectors of Amazon's test suite, and what a request that is signed looks like.

use edgate::upstream::credentials::aws::{Scope, Signed, authorization, canonical, canonical_query, encode, pairs};
use edgate::upstream::credentials::aws::{segments, value};
use http::HeaderValue;
use serde::Deserialize;
use std::collections::BTreeMap;

#[derive(Deserialize)]
struct Suite {
    key_id: String,
    key: String,
    region: String,
    service: String,
    vectors: Vec<Vector>,
}

#[derive(Deserialize)]
struct Vector {
    name: String,
    method: String,
    /// As it is sent, and how often it is encoded.
    path: String,
    encoded: String,
    query: String,
    fields: Vec<(String, String)>,
    content: String,
    canonical: String,
    signature: String,
    time: String,
}

#[test]
fn signatures_are_those_of_the_test_suite() {
    let suite: Suite = serde_json::from_str(include_str!("data/sigv4.json")).unwrap();
    assert!(suite.vectors.len() > 25);
    for vector in &suite.vectors {
        let mut values: BTreeMap<&str, Vec<HeaderValue>> = BTreeMap::new();
        for (name, text) in &vector.fields {
            values.entry(name).or_default().push(HeaderValue::from_str(text).unwrap());
        }
        let values: Vec<(&str, String)> = values.iter().map(|(name, all)| (*name, value(all.iter()))).collect();
        let fields: Vec<(&str, &str)> = values.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let path = match vector.encoded.as_str() {
            "twice" => segments(&vector.path, encode),
            _ => vector.path.clone(),
        };
        let query = canonical_query(&pairs(&vector.query));
        let content = &vector.content;
        let signed = Signed { method: &vector.method, path: &path, query: &query, fields: &fields, content };
        let names = fields.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(";");
        assert_eq!(canonical(&signed, &names), vector.canonical, "{}", vector.name);
        let Suite { key_id, key, region, service, .. } = &suite;
        let found = authorization(&signed, &Scope { key_id, key, region, service, time: &vector.time });
        let date = &vector.time[..8];
        let expected = format!(
            "AWS4-HMAC-SHA256 Credential={key_id}/{date}/{region}/{service}/aws4_request, SignedHeaders={names}, Signature={}",
            vector.signature
        );
        assert_eq!(found, expected, "{}", vector.name);
    }
}
