//! What the tests of this module share.

use super::algorithm::Algorithm;
use super::base64;
use super::key::PublicKey;
use serde_json::Value;

/// The keys that the specifications show, and others.
pub fn jwk(name: &str) -> Value {
    let keys: Value = serde_json::from_str(include_str!("tests/keys.json")).expect("it is JSON");
    keys.get(name).unwrap_or_else(|| panic!("there is no key {name}")).clone()
}

pub fn public(name: &str) -> PublicKey {
    PublicKey::parse(&jwk(name)).expect("it is a public key")
}

/// A value with some members set, or taken away by `null`.
pub fn with(mut value: Value, members: Value) -> Value {
    let (Some(object), Value::Object(members)) = (value.as_object_mut(), members) else { panic!("they are objects") };
    for (name, member) in members {
        match member {
            Value::Null => drop(object.remove(&name)),
            member => drop(object.insert(name, member)),
        }
    }
    value
}

/// A known signature: the name of its key, algorithm, message, signature.
pub type Known = (&'static str, Algorithm, &'static str, Vec<u8>);

pub fn known_signatures() -> Vec<Known> {
    let lines = include_str!("tests/signatures.txt").lines().filter(|line| !line.starts_with('#'));
    let known = |line: &'static str| match line.split(' ').collect::<Vec<_>>()[..] {
        [key, name, message, signature] => {
            let algorithm = Algorithm::of(name).expect("it is known");
            (key, algorithm, message, base64::decode(signature).expect("it is base64url"))
        }
        _ => panic!("a line has four words"),
    };
    lines.map(known).collect()
}
