//! The API keys of the configuration: which consumer a key's hash belongs to.

use crate::config::sorted::in_order;
use subtle::ConstantTimeEq;

/// A key of a consumer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Known {
    pub hash: [u8; 32],
    /// The consumer's position, wherever consumers are kept.
    pub consumer: usize,
    /// When it ends, in seconds since 1970.
    pub expires: Option<u64>,
}

/// All keys of the configuration.
#[derive(Debug, Clone, Default)]
pub struct Directory {
    /// By hash.
    keys: Vec<Known>,
}

/// A hash that stands twice, so that it would name two consumers, or end at two moments.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Twice {
    pub hash: [u8; 32],
    /// Whose it is, the earlier position first.
    pub consumers: [usize; 2],
}

impl Directory {
    pub fn compile(keys: Vec<Known>) -> Result<Directory, Twice> {
        let keys = in_order(&keys, &|one, other| (one.hash, one.consumer).cmp(&(other.hash, other.consumer)));
        for pair in keys.windows(2) {
            if let [one, other] = pair
                && one.hash == other.hash
            {
                return Err(Twice { hash: one.hash, consumers: [one.consumer, other.consumer] });
            }
        }
        Ok(Directory { keys: keys.into_iter().cloned().collect() })
    }

    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// Whose key has this hash.
    ///
    /// How long a search takes tells something about where a hash would stand among those that are known. That is
    /// harmless: who sends a key chooses its text, and not its SHA-256, so what leaks of a hash leads nobody to a key.
    /// The comparison that decides is in constant time all the same, so that nothing here depends on that argument
    /// alone: the search looks at 8 bytes only, and all that have those are compared as a whole.
    pub fn find(&self, hash: &[u8; 32]) -> Option<&Known> {
        let from = self.keys.partition_point(|known| head(&known.hash) < head(hash));
        let alike = self.keys.iter().skip(from).take_while(|known| head(&known.hash) == head(hash));
        alike.fold(None, |found, known| if bool::from(known.hash.ct_eq(hash)) { Some(known) } else { found })
    }
}

fn head(hash: &[u8; 32]) -> Option<&[u8; 8]> {
    hash.first_chunk()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api_key;

    fn known(text: &str, consumer: usize) -> Known {
        Known { hash: api_key::hash(text).unwrap(), consumer, expires: None }
    }

    #[test]
    fn keys_lead_to_their_consumers() {
        let keys: Vec<Known> = (0..100).map(|number| known(&number.to_string(), number)).collect();
        let directory = Directory::compile(keys.clone()).unwrap();
        for key in &keys {
            assert_eq!(directory.find(&key.hash), Some(key));
        }
        assert_eq!(directory.find(&api_key::hash("100").unwrap()), None);
        assert_eq!(Directory::default().find(&[0; 32]), None);
    }

    #[test]
    fn hashes_that_begin_alike_are_told_apart() {
        let with = |last: u8, consumer| {
            let mut hash = [7; 32];
            hash[31] = last;
            Known { hash, consumer, expires: Some(1) }
        };
        let directory = Directory::compile(vec![with(3, 0), with(1, 1), with(2, 2)]).unwrap();
        for known in [with(3, 0), with(1, 1), with(2, 2)] {
            assert_eq!(directory.find(&known.hash), Some(&known));
        }
        assert_eq!(directory.find(&with(4, 0).hash), None);
    }

    #[test]
    fn a_key_of_two_consumers_is_refused() {
        let twice = Directory::compile(vec![known("a", 4), known("b", 1), known("a", 2)]).unwrap_err();
        assert_eq!(twice, Twice { hash: known("a", 0).hash, consumers: [2, 4] });
    }
}
