//! What instances on Spin agree on, which Redis decides: claims (`SET key 1 NX PX ttl` is one command) and counters (one
//! script). Redis does one command at a time.
//!
//! All requests of an instance share one connection, on which any number of commands may be under way: opening one costs
//! a TCP connection, and a round trip or two. One that has ended is replaced once, for commands that were not sent on it
//! any more. What was sent is not sent again, even where nobody knows whether it was done: a question that is asked twice
//! counts twice, and one that gives something back, given back twice, would let others past the limit.

use super::host::within;
use crate::host::{HostError, Question, Swap};
use crate::meter::Count;
use crate::meter::redis::{SCRIPT, SHA1};
use spin_sdk::redis::{Connection, Error, RedisParameter, RedisResult};
use spin_sdk::time::sleep;
use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::pin::pin;
use std::rc::Rc;
use std::time::Duration;

/// The connection of this instance.
#[derive(Default)]
pub struct Redis {
    open: RefCell<Option<Open>>,
    /// Whether somebody is opening one.
    opening: Cell<bool>,
    /// How often Redis has answered.
    answers: Cell<u64>,
}

struct Open {
    address: String,
    connection: Rc<Connection>,
}

type Answer = Result<Count, HostError>;

/// Before the keys of claims, since others may use the same Redis.
const CLAIM: &str = "edgate:claim:";

/// Before the keys that hold something, and what puts something else there: `EVAL SWAP 1 KEY EXPECTED VALUE MS`.
const HELD: &str = "edgate:held:";
const SWAP: &str = "local held = redis.call('GET', KEYS[1]) or ''
if held ~= ARGV[1] then return held end
if ARGV[2] == '' then redis.call('DEL', KEYS[1]) else redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3]) end
return false";

/// How long a claim may take: a millisecond, or Redis is not well.
const CLAIM_TIME: Duration = Duration::from_secs(5);

/// Before the keys of counters.
const LIMIT: &str = "edgate:limit:";

/// How often it is looked whether somebody else has opened a connection.
const LOOK: Duration = Duration::from_millis(1);

impl Redis {
    /// Whether nobody else has claimed the key.
    pub async fn claim(&self, address: &str, key: &str, ttl: Duration) -> Result<bool, HostError> {
        self.in_time(CLAIM_TIME, self.set(address, key, ttl)).await
    }

    /// Puts something in the place of what a key holds.
    pub async fn swap(&self, address: &str, key: &str, swap: Swap<'_>) -> Result<Option<String>, HostError> {
        let ms = swap.ttl.as_millis().max(1).to_string();
        let key = [HELD, key].concat();
        let words = [SWAP, "1", &key, swap.expected, swap.value, &ms];
        let results = self.in_time(CLAIM_TIME, async {
            self.execute(address, "EVAL", &words).await.map_err(|error| failure(address, error))
        });
        match results.await?.first() {
            Some(RedisResult::Nil) | None => Ok(None),
            Some(RedisResult::Binary(held)) => Ok(Some(String::from_utf8_lossy(held).into_owned())),
            Some(other) => Err(HostError::Protocol(format!("an answer that is none to a swap: {other:?}"))),
        }
    }

    /// Asks counters, all at once.
    pub async fn count(
        &self,
        address: &str,
        questions: &[Question],
        timeout: Duration,
    ) -> Result<Vec<Answer>, HostError> {
        self.in_time(timeout, self.run(address, questions)).await
    }

    async fn set(&self, address: &str, key: &str, ttl: Duration) -> Result<bool, HostError> {
        let ms = ttl.as_millis().max(1).to_string();
        let words = [&[CLAIM, key].concat(), "1", "NX", "PX", &ms];
        let results = self.execute(address, "SET", &words).await.map_err(|error| failure(address, error))?;
        match results.first() {
            Some(RedisResult::Status(status)) if status == "OK" => Ok(true),
            // There is no answer to a SET that did not take place.
            Some(RedisResult::Nil) | None => Ok(false),
            Some(other) => Err(HostError::Protocol(format!("an answer that is none to SET: {other:?}"))),
        }
    }

    async fn run(&self, address: &str, questions: &[Question]) -> Result<Vec<Answer>, HostError> {
        let keys: Vec<String> = questions.iter().map(|question| [LIMIT, &question.counter].concat()).collect();
        let lines: Vec<String> = questions.iter().map(|question| question.ask.line()).collect();
        let number = keys.len().to_string();
        let words = |script| {
            // The time is Redis's own.
            let first = [script, number.as_str()].into_iter().chain(keys.iter().map(String::as_str)).chain([""]);
            first.chain(lines.iter().map(String::as_str)).collect::<Vec<_>>()
        };
        let results = match self.execute(address, "EVALSHA", &words(SHA1)).await {
            // A Redis that was started anew does not know the script. Nothing has been done; now it learns it.
            Err(error) if is_unknown_script(&error) => self.execute(address, "EVAL", &words(SCRIPT)).await,
            results => results,
        };
        let results = results.map_err(|error| failure(address, error))?;
        Ok(results.iter().map(count).collect())
    }

    /// Waits for an answer, but not for ever. A connection on which nobody had one meanwhile is closed.
    async fn in_time<T>(
        &self,
        timeout: Duration,
        answer: impl Future<Output = Result<T, HostError>>,
    ) -> Result<T, HostError> {
        let before = self.answers.get();
        within(timeout, answer).await.unwrap_or_else(|| {
            if self.answers.get() == before {
                self.open.take();
            }
            Err(HostError::Timeout)
        })
    }

    async fn execute(&self, address: &str, command: &str, words: &[&str]) -> Result<Vec<RedisResult>, Error> {
        let (connection, was_kept) = self.connection(address).await?;
        let (results, at_once) = promptly(self.send(&connection, command, words)).await;
        match results {
            // It takes a while until an answer, or the end of a connection, comes over the network. An error that is
            // there at once is that of a connection which has ended before: nothing was sent.
            Err(Error::Other(_)) if was_kept && at_once => {
                let (connection, _) = self.connection(address).await?;
                self.send(&connection, command, words).await
            }
            results => results,
        }
    }

    async fn send(
        &self,
        connection: &Rc<Connection>,
        command: &str,
        words: &[&str],
    ) -> Result<Vec<RedisResult>, Error> {
        let parameters = words.iter().map(|word| RedisParameter::Binary(word.as_bytes().to_vec()));
        let results = connection.execute(command, parameters).await;
        if results.is_ok() {
            self.answers.set(self.answers.get().wrapping_add(1));
        }
        if results.as_ref().is_err_and(|error| !is_unknown_script(error)) {
            self.forget(connection);
        }
        results
    }

    /// The connection, and whether it was there before. Others who want one wait for whoever opens it.
    async fn connection(&self, address: &str) -> Result<(Rc<Connection>, bool), Error> {
        loop {
            if let Some(connection) = self.kept(address) {
                return Ok((connection, true));
            }
            if !self.opening.replace(true) {
                break;
            }
            sleep(LOOK).await;
        }
        let _opening = Opening(&self.opening);
        let connection = Rc::new(Connection::open(address).await?);
        *self.open.borrow_mut() = Some(Open { address: address.to_owned(), connection: Rc::clone(&connection) });
        Ok((connection, false))
    }

    fn kept(&self, address: &str) -> Option<Rc<Connection>> {
        self.open.borrow().as_ref().filter(|open| open.address == address).map(|open| Rc::clone(&open.connection))
    }

    /// Another request may have opened a new one meanwhile, which stays.
    fn forget(&self, failed: &Rc<Connection>) {
        let mut kept = self.open.borrow_mut();
        if kept.as_ref().is_some_and(|open| Rc::ptr_eq(&open.connection, failed)) {
            *kept = None;
        }
    }
}

/// While somebody opens a connection, who may give up at any moment.
struct Opening<'a>(&'a Cell<bool>);

impl Drop for Opening<'_> {
    fn drop(&mut self) {
        self.0.set(false);
    }
}

/// What a future comes to, and whether it did at once.
async fn promptly<T>(future: impl Future<Output = T>) -> (T, bool) {
    let mut future = pin!(future);
    let mut at_once = true;
    poll_fn(|cx| {
        let first = std::mem::replace(&mut at_once, false);
        future.as_mut().poll(cx).map(|value| (value, first))
    })
    .await
}

fn is_unknown_script(error: &Error) -> bool {
    matches!(error, Error::Other(why) if why.to_ascii_lowercase().contains("noscript"))
}

/// What the script says to one question.
fn count(result: &RedisResult) -> Answer {
    let line = match result {
        RedisResult::Binary(line) => std::str::from_utf8(line).ok(),
        _ => None,
    };
    let count = line.and_then(Count::parse);
    count.ok_or_else(|| HostError::Protocol(format!("an answer that is none to a question: {result:?}")))
}

fn failure(address: &str, error: Error) -> HostError {
    // What stands before the host may be a password.
    let address = address.rsplit_once('@').map_or(address, |(_, host)| host);
    match error {
        Error::InvalidAddress => {
            HostError::Denied(format!("`{address}` is not in allowed_outbound_hosts, or no address"))
        }
        Error::TooManyConnections => HostError::Other("too many connections to Redis".to_owned()),
        Error::TypeError => HostError::Other("Redis gave something of another type".to_owned()),
        Error::Other(why) => HostError::Unreachable(format!("Redis: {why}")),
    }
}
