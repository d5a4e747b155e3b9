//! What is in order. First a map in order of its keys, as one sorted list: what `BTreeMap` is for the sections of a configuration and for what is
//! compiled from them, at a twentieth of its code, of which each type of value brings its own.
//!
//! A key that comes last is simply appended, and documents are read in the order of their keys. A key in the middle
//! moves all that follow, so this is nothing for what grows with traffic: see `bounded` for that.

use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor};
use std::borrow::Borrow;
use std::cmp::Ordering;
use std::fmt;
use std::marker::PhantomData;

/// A map in order of its keys. A value that is inserted takes the place of its key's earlier one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sorted<K, V>(Vec<(K, V)>);

impl<K, V> Sorted<K, V> {
    pub const fn new() -> Sorted<K, V> {
        Sorted(Vec::new())
    }

    pub fn len(&self) -> usize {
        self.0.len()
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn iter(&self) -> Iter<'_, K, V> {
        self.into_iter()
    }

    pub fn keys(&self) -> impl Iterator<Item = &K> {
        self.0.iter().map(|(key, _)| key)
    }

    pub fn values(&self) -> impl Iterator<Item = &V> {
        self.0.iter().map(|(_, value)| value)
    }

    pub fn into_values(self) -> impl Iterator<Item = V> {
        self.0.into_iter().map(|(_, value)| value)
    }

    /// Keeps what `keeps` says true of.
    pub fn retain(&mut self, mut keeps: impl FnMut(&K, &mut V) -> bool) {
        self.0.retain_mut(|(key, value)| keeps(key, value));
    }
}

impl<K: Ord, V> Sorted<K, V> {
    pub fn get<Q: Ord + ?Sized>(&self, key: &Q) -> Option<&V>
    where
        K: Borrow<Q>,
    {
        self.0.get(self.find(key).ok()?).map(|(_, value)| value)
    }

    pub fn contains_key<Q: Ord + ?Sized>(&self, key: &Q) -> bool
    where
        K: Borrow<Q>,
    {
        self.find(key).is_ok()
    }

    /// Gives back the value that the key had.
    pub fn insert(&mut self, key: K, value: V) -> Option<V> {
        match self.find(&key) {
            Ok(at) => self.0.get_mut(at).map(|(_, old)| std::mem::replace(old, value)),
            Err(at) => {
                self.0.insert(at, (key, value));
                None
            }
        }
    }

    pub fn remove<Q: Ord + ?Sized>(&mut self, key: &Q) -> Option<V>
    where
        K: Borrow<Q>,
    {
        let at = self.find(key).ok()?;
        Some(self.0.remove(at).1)
    }

    /// Where a key is, or where it would be. The last is looked at first. The standard library's search would compare in
    /// two places, and comparing is most of the code.
    fn find<Q: Ord + ?Sized>(&self, key: &Q) -> Result<usize, usize>
    where
        K: Borrow<Q>,
    {
        let (mut from, mut to) = (0, self.0.len());
        let mut looked_at = to.saturating_sub(1);
        while from < to {
            let Some((known, _)) = self.0.get(looked_at) else { break };
            match known.borrow().cmp(key) {
                Ordering::Less => from = looked_at + 1,
                Ordering::Equal => return Ok(looked_at),
                Ordering::Greater => to = looked_at,
            }
            looked_at = from.midpoint(to);
        }
        Err(from)
    }
}

impl<K, V> Default for Sorted<K, V> {
    fn default() -> Sorted<K, V> {
        Sorted::new()
    }
}

/// Things in order, equal ones as they stood. What takes most of the code is compiled once, whatever is compared.
pub fn in_order<'a, T>(things: &'a [T], compare: &dyn Fn(&T, &T) -> Ordering) -> Vec<&'a T> {
    let of = |one: usize, other: usize| match (things.get(one), things.get(other)) {
        (Some(one), Some(other)) => compare(one, other),
        _ => Ordering::Equal,
    };
    positions(things.len(), &of).into_iter().filter_map(|position| things.get(position)).collect()
}

fn positions(length: usize, compare: &dyn Fn(usize, usize) -> Ordering) -> Vec<usize> {
    let mut positions: Vec<usize> = (0..length).collect();
    positions.sort_by(|one, other| compare(*one, *other));
    positions
}

/// Keys and values of a [`Sorted`], in order.
pub type Iter<'a, K, V> = std::iter::Map<std::slice::Iter<'a, (K, V)>, fn(&'a (K, V)) -> (&'a K, &'a V)>;

impl<'a, K, V> IntoIterator for &'a Sorted<K, V> {
    type Item = (&'a K, &'a V);
    type IntoIter = Iter<'a, K, V>;

    fn into_iter(self) -> Iter<'a, K, V> {
        self.0.iter().map(|(key, value)| (key, value))
    }
}

impl<K, V> IntoIterator for Sorted<K, V> {
    type Item = (K, V);
    type IntoIter = std::vec::IntoIter<(K, V)>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

impl<K: Ord, V> FromIterator<(K, V)> for Sorted<K, V> {
    fn from_iter<I: IntoIterator<Item = (K, V)>>(entries: I) -> Sorted<K, V> {
        let mut sorted = Sorted::new();
        for (key, value) in entries {
            sorted.insert(key, value);
        }
        sorted
    }
}

impl<'de, V: Deserialize<'de>> Deserialize<'de> for Sorted<String, V> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Sorted<String, V>, D::Error> {
        deserializer.deserialize_map(Entries(PhantomData))
    }
}

struct Entries<V>(PhantomData<V>);

impl<'de, V: Deserialize<'de>> Visitor<'de> for Entries<V> {
    type Value = Sorted<String, V>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a map")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Sorted<String, V>, A::Error> {
        let mut sorted = Sorted::new();
        while let Some((key, value)) = map.next_entry()? {
            sorted.insert(key, value);
        }
        Ok(sorted)
    }
}

#[cfg(not(target_family = "wasm"))]
impl<V: schemars::JsonSchema> schemars::JsonSchema for Sorted<String, V> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        std::collections::BTreeMap::<String, V>::schema_name()
    }

    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        std::collections::BTreeMap::<String, V>::json_schema(generator)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    #[test]
    fn it_is_what_a_tree_would_be() {
        let (mut sorted, mut tree) = (Sorted::new(), BTreeMap::new());
        let mut random: u32 = 1;
        for step in 0..2_000 {
            random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let key = (random >> 16) % 50;
            match random >> 30 {
                0 => assert_eq!(sorted.remove(&key), tree.remove(&key)),
                _ => assert_eq!(sorted.insert(key, step), tree.insert(key, step)),
            }
            assert_eq!((sorted.get(&key), sorted.len()), (tree.get(&key), tree.len()));
            assert!(sorted.iter().eq(&tree) && sorted.contains_key(&key) == tree.contains_key(&key));
        }
        sorted.retain(|key, _| key % 2 == 0);
        tree.retain(|key, _| key % 2 == 0);
        assert!(sorted.keys().eq(tree.keys()) && sorted.values().eq(tree.values()));
        assert!(sorted.into_iter().eq(tree));
    }

    #[test]
    fn equal_things_stay_as_they_stood() {
        let things = [(2, 'a'), (1, 'b'), (2, 'c'), (1, 'd'), (0, 'e')];
        let ordered = in_order(&things, &|(one, _), (other, _)| one.cmp(other));
        assert_eq!(ordered.iter().map(|(_, name)| name).collect::<String>(), "ebdac");
    }

    #[test]
    fn of_a_key_that_stands_twice_the_last_value_holds() {
        let read: Sorted<String, u8> = serde_json::from_str(r#"{ "b": 1, "a": 2, "b": 3 }"#).expect("a map");
        assert!(read.into_iter().eq([("a".to_owned(), 2), ("b".to_owned(), 3)]));
        let error = serde_json::from_str::<Sorted<String, u8>>("[]").expect_err("no map").to_string();
        assert!(error.starts_with("invalid type: sequence, expected a map"), "{error}");
    }
}
