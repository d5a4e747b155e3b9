//! What an instance remembers for a while, and never too much of it: values under SHA-256 hashes, each until a moment.
//! It has two generations. What is put, and what is found again, is young; when the young ones fill their half, they
//! become the old ones, and the old ones go: so what nobody asks for leaves first, and a flood of new keys does not
//! drive out what is in use. What has run out goes before anything that still holds.
//!
//! It reads no clock, and it is worth nothing but time: whatever is lost can be found out again. The keys are ordered
//! rather than hashed, since a hash table would need randomness of its own.

use std::any::Any;
use std::collections::BTreeMap;
use std::marker::PhantomData;
use std::rc::Rc;

/// Values under hashes, at most as many as its capacity.
#[derive(Debug, Clone)]
pub struct Bounded<V> {
    shelf: Shelf,
    of: PhantomData<V>,
}

/// The same for values of any type: what takes most of the code is compiled once.
#[derive(Debug, Clone)]
struct Shelf {
    /// How many either generation holds.
    share: usize,
    /// Whether there is room for old ones.
    keeps_old: bool,
    /// The time as the last [`Bounded::get`] knew it.
    now_ms: f64,
    young: BTreeMap<[u8; 32], Kept>,
    old: BTreeMap<[u8; 32], Kept>,
}

#[derive(Debug, Clone)]
struct Kept {
    value: Rc<dyn Any>,
    until_ms: f64,
}

impl Kept {
    fn holds(&self, now_ms: f64) -> bool {
        self.until_ms > now_ms
    }
}

impl<V: Clone + 'static> Bounded<V> {
    /// An empty one. With a capacity of 0 it keeps nothing.
    pub fn new(capacity: usize) -> Bounded<V> {
        Bounded { shelf: Shelf::new(capacity), of: PhantomData }
    }

    /// The value of a key, while it holds. `now_ms` is in milliseconds since 1970.
    pub fn get(&mut self, key: &[u8; 32], now_ms: f64) -> Option<V> {
        self.shelf.get(key, now_ms)?.downcast_ref().cloned()
    }

    /// Keeps a value in the place of the one before, until a moment in milliseconds since 1970. What has run out makes
    /// room first, by the time that the last [`Bounded::get`] was given: it is the look-up that missed.
    pub fn put(&mut self, key: [u8; 32], value: V, until_ms: f64) {
        self.shelf.put(key, Kept { value: Rc::new(value), until_ms });
    }

    /// Forgets a key.
    pub fn remove(&mut self, key: &[u8; 32]) {
        self.shelf.remove(key);
    }

    /// How many it holds, with those that have run out and are still there.
    pub fn len(&self) -> usize {
        self.shelf.young.len() + self.shelf.old.len()
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl Shelf {
    fn new(capacity: usize) -> Shelf {
        let share = (capacity / 2).max(capacity.min(1));
        Shelf { share, keeps_old: 2 * share <= capacity, now_ms: 0.0, young: BTreeMap::new(), old: BTreeMap::new() }
    }

    fn get(&mut self, key: &[u8; 32], now_ms: f64) -> Option<&Rc<dyn Any>> {
        self.now_ms = now_ms;
        if !self.young.contains_key(key)
            && let Some(kept) = self.old.remove(key).filter(|kept| kept.holds(now_ms))
        {
            self.insert(*key, kept);
        }
        self.young.get(key).filter(|kept| kept.holds(now_ms)).map(|kept| &kept.value)
    }

    fn put(&mut self, key: [u8; 32], kept: Kept) {
        self.remove(&key);
        if self.share > 0 && kept.holds(self.now_ms) {
            self.insert(key, kept);
        }
    }

    fn remove(&mut self, key: &[u8; 32]) {
        self.young.remove(key);
        self.old.remove(key);
    }

    /// Keeps what is in neither generation.
    fn insert(&mut self, key: [u8; 32], kept: Kept) {
        if self.young.len() >= self.share {
            self.age();
        }
        self.young.insert(key, kept);
    }

    /// Makes room among the young ones. All are looked at, and then not again before as many have come as there is room
    /// for.
    fn age(&mut self) {
        let (young, old) = (std::mem::take(&mut self.young), std::mem::take(&mut self.old));
        if self.keeps_old {
            // `retain` and `append` would be 3 KB of the wasm.
            let now_ms = self.now_ms;
            let holds = |(_, kept): &([u8; 32], Kept)| kept.holds(now_ms);
            self.old.extend(young.into_iter().filter(holds));
            let old: Vec<_> = old.into_iter().filter(holds).collect();
            if self.old.len() + old.len() <= self.share {
                self.old.extend(old);
            }
        }
    }
}

// What they are made of is there on this machine only.
#[cfg(not(target_family = "wasm"))]
#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn key(number: u8) -> [u8; 32] {
        [number; 32]
    }

    #[test]
    fn values_hold_until_their_moment() {
        let mut bounded = Bounded::new(4);
        bounded.put(key(1), "a", 10.0);
        assert_eq!(bounded.get(&key(1), 9.9), Some("a"));
        assert_eq!(bounded.get(&key(1), 10.0), None);
        bounded.put(key(1), "b", 20.0);
        assert_eq!(bounded.get(&key(1), 10.0), Some("b"));
        bounded.remove(&key(1));
        assert_eq!(bounded.get(&key(1), 10.0), None);
        bounded.put(key(2), "c", f64::NAN);
        assert!(bounded.is_empty());
    }

    #[test]
    fn what_is_in_use_outlives_a_flood() {
        let mut bounded = Bounded::new(8);
        bounded.put(key(0), 0, 1e9);
        for number in 1..=200 {
            bounded.put(key(number), number, 1e9);
            assert_eq!(bounded.get(&key(0), 0.0), Some(0));
        }
        assert_eq!(bounded.get(&key(1), 0.0), None);
    }

    #[test]
    fn what_has_run_out_makes_room_first() {
        let mut bounded = Bounded::new(8);
        for number in 0..2 {
            bounded.put(key(number), number, 1e9);
        }
        for number in 2..100 {
            let now = f64::from(number);
            assert_eq!(bounded.get(&key(number), now), None);
            bounded.put(key(number), number, now + 1.5);
        }
        assert_eq!((bounded.get(&key(0), 100.0), bounded.get(&key(1), 100.0)), (Some(0), Some(1)));
    }

    #[derive(Debug, Clone)]
    enum Step {
        Put { key: u8, ttl: u8 },
        Get { key: u8 },
        Remove { key: u8 },
        Wait { ms: u8 },
    }

    fn step() -> impl Strategy<Value = Step> {
        let key = 0..24u8;
        prop_oneof![
            8 => (key.clone(), any::<u8>()).prop_map(|(key, ttl)| Step::Put { key, ttl }),
            8 => key.clone().prop_map(|key| Step::Get { key }),
            1 => key.prop_map(|key| Step::Remove { key }),
            3 => (0..40u8).prop_map(|ms| Step::Wait { ms }),
        ]
    }

    proptest! {
        /// Against a map that forgets nothing: what is found was put and holds still, what was just put is found, and
        /// there is never more than there may be.
        #[test]
        fn only_what_was_put_and_holds_is_found(capacity in 0..12usize, steps in prop::collection::vec(step(), 0..200)) {
            let mut bounded = Bounded::new(capacity);
            let mut model: BTreeMap<u8, (usize, f64)> = BTreeMap::new();
            let mut now = 0.0;
            for (number, step) in steps.into_iter().enumerate() {
                match step {
                    Step::Put { key: name, ttl } => {
                        let until = now + f64::from(ttl);
                        bounded.put(key(name), number, until);
                        model.insert(name, (number, until));
                        let found = bounded.get(&key(name), now);
                        prop_assert_eq!(found, (capacity > 0 && ttl > 0).then_some(number));
                    }
                    Step::Get { key: name } => {
                        if let Some(found) = bounded.get(&key(name), now) {
                            let (value, until) = model.get(&name).copied().unwrap_or_default();
                            prop_assert_eq!(found, value);
                            prop_assert!(until > now);
                        }
                    }
                    Step::Remove { key: name } => {
                        bounded.remove(&key(name));
                        model.remove(&name);
                    }
                    Step::Wait { ms } => now += f64::from(ms),
                }
                prop_assert!(bounded.len() <= capacity);
            }
        }

        /// Nothing that holds is lost while no more was put than half the capacity.
        #[test]
        fn half_the_capacity_is_safe(names in prop::collection::vec(0..6u8, 0..100)) {
            let mut bounded = Bounded::new(12);
            for name in &names {
                bounded.put(key(*name), *name, 1.0);
            }
            for name in names {
                prop_assert_eq!(bounded.get(&key(name), 0.0), Some(name));
            }
        }
    }
}
