//! Counters in a key-value store, by `wasi:keyvalue`: a page of them is read, asked, and swapped for the next one, and
//! all that again where somebody else was faster. The calls are synchronous, so nothing else of this instance happens
//! between reading and swapping; other instances are what a swap is for.
//!
//! Two things are not as `wasi:keyvalue` describes them, on Spin 4 (`docs/platforms.md`), and neither may let anybody
//! past a limit:
//!
//! - A swap that has seen no value overwrites whatever is there meanwhile (SQLite). So a page is made before it is
//!   swapped, by one of those who want it: [`make`].
//! - A swap may say that it failed and have taken place (Redis). So a page tells of its last writes.

use crate::host::{HostError, Question};
use crate::meter::Count;
use crate::meter::page::{self, PAGES};
use base64ct::{Base64UrlUnpadded, Encoding};
use spin_sdk::experimental::wasi::keyvalue::atomics::{self, Cas, CasError};
use spin_sdk::experimental::wasi::keyvalue::store::{self, Bucket, Error};
use spin_sdk::time::sleep;
use spin_sdk::wasip3::random;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

/// The stores of this instance.
#[derive(Default)]
pub struct Pages(RefCell<Option<Open>>);

struct Open {
    label: String,
    bucket: Rc<Bucket>,
}

/// Before the key of every page: nothing else in the store begins like that.
const PREFIX: &str = "edgate-limit:";

/// Behind the key of a page that is being made.
const BEGUN: &str = ":begun";

/// How long somebody may take to make a page, and how often it is looked for meanwhile.
const MAKING: Duration = Duration::from_millis(500);
const LOOK: Duration = Duration::from_millis(5);

/// How often a page is tried. Whoever loses has lost to somebody who was counted.
const TRIES: u32 = 100;

type Answer = Result<Count, HostError>;

impl Pages {
    /// Asks counters. What the time is, `now` tells.
    pub async fn count(&self, label: &str, questions: &[Question], now: impl Fn() -> u64) -> Vec<Answer> {
        let bucket = match self.open(label) {
            Ok(bucket) => bucket,
            Err(error) => return vec![Err(failure(error)); questions.len()],
        };
        let mut on_page: BTreeMap<u32, Vec<usize>> = BTreeMap::new();
        for (position, question) in questions.iter().enumerate() {
            on_page.entry(page::of(&question.counter)).or_default().push(position);
        }
        let mut answers = vec![Err(HostError::Timeout); questions.len()];
        for (page, positions) in on_page {
            let asked: Vec<&Question> = positions.iter().filter_map(|position| questions.get(*position)).collect();
            let turned = turn(&bucket, page, &asked, &now).await;
            for (index, position) in positions.into_iter().enumerate() {
                let answer = match &turned {
                    Ok(counts) => counts
                        .get(index)
                        .copied()
                        .flatten()
                        .ok_or_else(|| HostError::Other("a question that cannot be read".to_owned())),
                    Err(error) => Err(error.clone()),
                };
                if let Some(slot) = answers.get_mut(position) {
                    *slot = answer;
                }
            }
        }
        answers
    }

    /// Opening a store is a call to where it is, for some: one is kept.
    fn open(&self, label: &str) -> Result<Rc<Bucket>, Error> {
        if let Some(open) = self.0.borrow().as_ref().filter(|open| open.label == label) {
            return Ok(Rc::clone(&open.bucket));
        }
        let bucket = Rc::new(store::open(label)?);
        *self.0.borrow_mut() = Some(Open { label: label.to_owned(), bucket: Rc::clone(&bucket) });
        Ok(bucket)
    }
}

/// Asks counters of one page.
async fn turn(
    bucket: &Bucket,
    page: u32,
    asked: &[&Question],
    now: &impl Fn() -> u64,
) -> Result<Vec<Option<Count>>, HostError> {
    let questions: Vec<_> = asked.iter().map(|question| (question.counter.as_str(), &question.ask)).collect();
    let key = format!("{PREFIX}{page:0width$}", width = (PAGES - 1).to_string().len());
    let mut swap = Cas::new(bucket, &key).map_err(failure)?;
    for tries in 0..TRIES {
        let Some(value) = swap.current().map_err(failure)? else {
            drop(swap);
            make(bucket, &key).await.map_err(failure)?;
            swap = Cas::new(bucket, &key).map_err(failure)?;
            continue;
        };
        let write = name();
        let turned = page::turn(&value, &questions, &write, now());
        let Some(next) = turned.next else { return Ok(turned.answers) };
        match atomics::swap(swap, next.as_bytes()) {
            Ok(()) => return Ok(turned.answers),
            Err(CasError::CasFailed(again)) => {
                if again.current().map_err(failure)?.is_some_and(|value| page::has(&value, &write)) {
                    return Ok(turned.answers);
                }
                swap = again;
            }
            // It may have taken place. Where it is not known, it counts.
            Err(CasError::StoreError(error)) => {
                let value = bucket.get(&key).map_err(failure)?;
                return match value.is_some_and(|value| page::has(&value, &write)) {
                    true => Ok(turned.answers),
                    false => Err(failure(error)),
                };
            }
        }
        sleep(pause(tries)).await;
    }
    Err(HostError::Other(format!("others were faster, {TRIES} times")))
}

/// Makes an empty page, in such a way that one does and the others wait: `increment` is atomic also where there is no
/// value yet. Where whoever began has ended before the page was there, others make it, a little later.
async fn make(bucket: &Bucket, key: &str) -> Result<(), Error> {
    let begun = [key, BEGUN].concat();
    if atomics::increment(bucket, &begun, 1)? != 1 {
        let mut waited = Duration::ZERO;
        while waited < MAKING {
            sleep(LOOK).await;
            waited += LOOK;
            if bucket.exists(key)? {
                return Ok(());
            }
        }
    }
    // It may be there: then somebody looked for it, and came here, before it was.
    if !bucket.exists(key)? {
        bucket.set(key, page::EMPTY.as_bytes())?;
    }
    // Whoever begins from now on finds the page.
    bucket.delete(&begun)
}

/// A name for a write.
fn name() -> String {
    Base64UrlUnpadded::encode_string(&random::random::get_random_bytes(6))
}

/// How long to wait before the next try: up to 1 ms, 2 ms, .. 32 ms, as chance has it, so that those who meet part.
fn pause(tries: u32) -> Duration {
    let most = 1_000u64 << tries.min(5);
    Duration::from_micros(random::random::get_random_u64() % most)
}

fn failure(error: Error) -> HostError {
    match error {
        Error::NoSuchStore => HostError::Denied("no store has this label".to_owned()),
        Error::AccessDenied => HostError::Denied("the component may not open this store".to_owned()),
        Error::Other(why) => HostError::Other(why),
    }
}
