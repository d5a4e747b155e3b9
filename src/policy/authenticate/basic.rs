//! User and password (HTTP Basic, RFC 7617). Hashes are slow by intention, so what was found out about a pair is
//! remembered for a while; a user who does not exist costs what one who does.

use super::{Authenticate, Outcome};
use crate::config::words::Method;
use crate::consumers::Passwords;
use crate::exchange::Exchange;
use crate::host::SharedHost;
use crate::identity::Identity;
use crate::password::{basic, verify};
use crate::refusal::{Kind, Refusal};
use http::header;
use sha2::{Digest, Sha256};
use std::rc::Rc;

/// How long a pair is remembered, in milliseconds.
const REMEMBERED_MS: f64 = 60_000.0;

impl Authenticate {
    pub(super) fn basic(&self, host: &SharedHost, ex: &Exchange) -> Outcome {
        let malformed = |detail: &str| Refusal::new(Method::Basic, Kind::Malformed, "malformed", detail);
        let lines = ex.headers.get_all(&header::AUTHORIZATION);
        let mut shown = None;
        for value in &lines {
            let pair = basic::parse(value.as_bytes()).map_err(|flaw| malformed(&flaw.to_string()))?;
            shown = shown.or(pair.map(|pair| (value, pair)));
        }
        let Some((value, pair)) = shown else { return Ok(None) };
        // RFC 9110, section 5.3: a field that is no list stands once. Who reads the next line would see somebody else.
        if lines.iter().count() > 1 {
            return Err(malformed("the request has more than one `Authorization`"));
        }
        let hash = Sha256::digest(value.as_bytes()).into();
        let found = self.consumers.passwords.find(&pair, hash, host.now().0);
        match found.and_then(|position| self.consumers.at(position)) {
            Some(consumer) => Ok(Some(Rc::new(Identity::of(Method::Basic, consumer)))),
            None => Err(Refusal::new(Method::Basic, Kind::Invalid, "wrong-password", "no user has this password")),
        }
    }
}

impl Passwords {
    /// Whose password it is.
    fn find(&self, (user, password): &(String, String), hash: [u8; 32], now: f64) -> Option<usize> {
        if let Some(known) = self.known.borrow_mut().get(&hash, now) {
            return known;
        }
        let user = self.users.get(user);
        let found = match (user, &self.decoy) {
            (Some((hash, consumer)), _) => verify(hash, password).then_some(*consumer),
            (None, Some(decoy)) => {
                verify(decoy, password);
                None
            }
            (None, None) => None,
        };
        self.known.borrow_mut().put(hash, found, now + REMEMBERED_MS);
        found
    }
}
