//! The last good answers of parts, for when there is none: under a hash of all that a request says, so that nobody gets
//! what was answered to somebody else. An instance remembers some of them, and where the gateway has a store, all
//! instances share them. When they are lost, a part has no answer that would have had an old one.

use crate::bounded::Bounded;
use crate::host::{SharedHost, Timestamp};
use crate::part::Answer;
use crate::raw::Document;
use base64ct::{Base64UrlUnpadded, Encoding};
use bytes::Bytes;
use std::cell::{Cell, RefCell};
use std::fmt;
use std::rc::Rc;
use std::time::Duration;

/// How many answers an instance remembers.
const ANSWERS: usize = 128;

/// The largest answer that an instance remembers, in bytes.
const LARGEST: usize = 65_536;

/// How often an answer is written into the store at most, in milliseconds: once a minute is what a key of Workers KV
/// can take. No more than an instance remembers are written in that time.
const PAUSE_MS: f64 = 60_000.0;

/// The shortest time that a store keeps something.
const SHORTEST: Duration = Duration::from_secs(60);

/// The last good answers.
pub struct Shelf {
    /// The gateway's name: stores may be shared by several.
    pub gateway: Rc<str>,
    store: Option<Rc<str>>,
    kept: RefCell<Bounded<Rc<Kept>>>,
    /// Which answers were written lately.
    written: RefCell<Bounded<()>>,
    /// Since when, and how many. Clients may have any number of answers kept, and each is paid for.
    writes: Cell<(f64, usize)>,
}

struct Kept {
    /// When it was the answer.
    at: Timestamp,
    body: Document,
}

impl fmt::Debug for Shelf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shelf").field("store", &self.store).finish_non_exhaustive()
    }
}

impl Shelf {
    pub fn new(gateway: Rc<str>, store: Option<Rc<str>>) -> Shelf {
        let (kept, written) = (Bounded::new(ANSWERS).into(), Bounded::new(ANSWERS).into());
        Shelf { gateway, store, kept, written, writes: Cell::default() }
    }

    /// Whether one more answer may be written.
    fn may_write(&self, now: f64) -> bool {
        let (since, count) = self.writes.get();
        let (since, count) = if now - since < PAUSE_MS { (since, count) } else { (now, 0) };
        self.writes.set((since, count + 1));
        count < ANSWERS
    }

    /// Keeps an answer for `most`.
    pub fn keep(&self, host: &SharedHost, key: [u8; 32], answer: &Answer, most: Duration) {
        let Some(body) = &answer.body else { return };
        let now = host.now();
        if body.size() <= LARGEST {
            let kept = Rc::new(Kept { at: now, body: body.clone() });
            self.kept.borrow_mut().put(key, kept, now.0 + most.as_secs_f64() * 1000.0);
        }
        let Some(store) = &self.store else { return };
        let mut written = self.written.borrow_mut();
        if written.get(&key, now.0).is_none() && self.may_write(now.0) {
            written.put(key, (), now.0 + PAUSE_MS);
            let value = Bytes::from(format!("{}\n{}", now.whole_ms(), body.raw().text()));
            let (host_of_task, store) = (Rc::clone(host), Rc::clone(store));
            host.wait_until(Box::pin(async move {
                // Where it cannot be written, there is one old answer less.
                let _ = host_of_task.put(&store, &name(&key), value, Some(most.max(SHORTEST))).await;
            }));
        }
    }

    /// An answer that is not older than `most`.
    pub async fn find(&self, host: &SharedHost, key: &[u8; 32], most: Duration) -> Option<Document> {
        let now = host.now();
        let is_young = |at: Timestamp| now.since(at) <= most.as_secs_f64() * 1000.0;
        let kept = self.kept.borrow_mut().get(key, now.0);
        if let Some(kept) = kept.filter(|kept| is_young(kept.at)) {
            return Some(kept.body.clone());
        }
        let value = host.get(self.store.as_ref()?, &name(key)).await.ok()??;
        let line = value.iter().position(|byte| *byte == b'\n')?;
        let (at, body) = value.split_at_checked(line)?;
        let at: u64 = std::str::from_utf8(at).ok()?.parse().ok()?;
        let body = body.get(1..)?.to_vec();
        is_young(Timestamp(at as f64)).then(|| Document::parse(body).ok())?
    }
}

/// The key in the store.
fn name(key: &[u8; 32]) -> String {
    ["part/", &Base64UrlUnpadded::encode_string(key)].concat()
}
