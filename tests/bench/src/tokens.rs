//! The tokens that clients show: minted before the run, and good for longer than anybody will run this.

use anyhow::{Context, Result};
use edgate_kit::credentials::algorithm::Algorithm;
use edgate_kit::credentials::key::Key;
use edgate_kit::credentials::token::mint;
use hyper::header::HeaderValue;
use serde_json::{Value, json};
use std::num::NonZeroUsize;
use std::panic::resume_unwind;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

/// Who issues them, and for whom.
pub const ISSUER: &str = "https://login.example.com";
pub const AUDIENCE: &str = "https://api.example.com";

/// The secret for HS256.
pub const SECRET: &str = "not a secret: everybody can read it in tests/bench";

/// The year 2100.
const EXPIRES: u64 = 4_102_444_800;

/// Values of `Authorization`, which requests take one after the other, round and round.
#[derive(Debug)]
pub struct Tokens {
    values: Vec<HeaderValue>,
    next: AtomicUsize,
}

impl Tokens {
    /// Mints so many, each for another subject. On all cores: RSA takes a millisecond for each.
    pub fn mint(algorithm: Algorithm, count: usize) -> Result<Arc<Tokens>> {
        let key = key(algorithm)?;
        let threads = thread::available_parallelism().map_or(1, NonZeroUsize::get);
        let numbers: Vec<usize> = (0..count).collect();
        let parts: Vec<Result<Vec<HeaderValue>>> = thread::scope(|scope| {
            let parts = numbers.chunks(count.div_ceil(threads).max(1));
            let threads: Vec<_> = parts.map(|part| scope.spawn(|| some(&key, algorithm, part))).collect();
            threads.into_iter().map(|thread| thread.join().unwrap_or_else(|panic| resume_unwind(panic))).collect()
        });
        let values = parts.into_iter().collect::<Result<Vec<_>>>()?.concat();
        Ok(Arc::new(Tokens { values, next: AtomicUsize::new(0) }))
    }

    /// The first one alone.
    pub fn first(&self) -> Arc<Tokens> {
        Arc::new(Tokens { values: self.values.iter().take(1).cloned().collect(), next: AtomicUsize::new(0) })
    }

    /// The next one. A run goes on where the last one ended, so that none comes again before all the others have.
    pub fn next(&self) -> Option<HeaderValue> {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        self.values.get(number.checked_rem(self.values.len())?).cloned()
    }
}

/// What a verifier has to know: a secret, or a public key as a JSON Web Key.
pub fn verified_with(algorithm: Algorithm) -> Result<Value> {
    match algorithm {
        Algorithm::Hs256 => Ok(SECRET.into()),
        algorithm => Ok(key(algorithm)?.public_jwk().into()),
    }
}

fn key(algorithm: Algorithm) -> Result<Key> {
    match algorithm {
        Algorithm::Hs256 => Ok(Key::secret(SECRET.as_bytes())),
        algorithm => Key::shipped_for(algorithm),
    }
}

fn some(key: &Key, algorithm: Algorithm, numbers: &[usize]) -> Result<Vec<HeaderValue>> {
    numbers.iter().map(|number| value(key, algorithm, *number)).collect()
}

/// What an issuer of our days puts into an access token.
fn value(key: &Key, algorithm: Algorithm, number: usize) -> Result<HeaderValue> {
    let header = json!({ "alg": algorithm.name(), "typ": "JWT" });
    let claims = json!({
        "iss": ISSUER,
        "aud": AUDIENCE,
        "sub": format!("user-{number:08}"),
        "iat": 1_700_000_000,
        "exp": EXPIRES,
        "jti": format!("{number:032x}"),
        "scope": "items:read items:write orders:read",
        "groups": ["customers", "testers"],
        "email": format!("user-{number:08}@example.com"),
    });
    let token = mint(key, algorithm, &header.to_string(), &claims.to_string())?;
    HeaderValue::try_from(format!("Bearer {token}")).context("a token is no value of a field")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_token_comes_before_one_comes_again() {
        let tokens = Tokens::mint(Algorithm::Hs256, 5).expect("it signs");
        let round: Vec<_> = (0..5).map(|_| tokens.next().expect("there are some")).collect();
        assert!(round.iter().enumerate().all(|(at, token)| !round[..at].contains(token)));
        assert_eq!(tokens.next().as_ref(), round.first());
        assert_eq!(tokens.first().next(), tokens.first().next());
    }
}
