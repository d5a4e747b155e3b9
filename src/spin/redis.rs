//! Claims on Spin, which Redis decides: `SET key 1 NX PX ttl` is one command, and Redis does one at a time.

use crate::host::HostError;
use spin_sdk::redis::{Connection, Error, RedisParameter, RedisResult};
use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

/// The connection of this instance: opening one costs a TCP connection each time.
#[derive(Default)]
pub struct Redis(RefCell<Option<Open>>);

struct Open {
    address: String,
    connection: Rc<Connection>,
}

/// Before every key, since others may use the same Redis.
const PREFIX: &str = "edgate:claim:";

impl Redis {
    /// Whether nobody else has claimed the key. A connection that was kept may have ended since: then once more, with a
    /// new one.
    pub async fn claim(&self, address: &str, key: &str, ttl: Duration) -> Result<bool, HostError> {
        if let Some(connection) = self.kept(address) {
            match set(&connection, key, ttl).await {
                Ok(first) => return Ok(first),
                Err(_) => self.forget(&connection),
            }
        }
        let connection = Rc::new(Connection::open(address).await.map_err(|error| failure(address, error))?);
        *self.0.borrow_mut() = Some(Open { address: address.to_owned(), connection: Rc::clone(&connection) });
        let result = set(&connection, key, ttl).await;
        if result.is_err() {
            self.forget(&connection);
        }
        result.map_err(|error| failure(address, error))
    }

    /// Closes the connection that is kept: it answers no more.
    pub fn close(&self) {
        self.0.take();
    }

    fn kept(&self, address: &str) -> Option<Rc<Connection>> {
        self.0.borrow().as_ref().filter(|open| open.address == address).map(|open| Rc::clone(&open.connection))
    }

    /// Another request may have opened a new one meanwhile, which stays.
    fn forget(&self, failed: &Rc<Connection>) {
        let mut kept = self.0.borrow_mut();
        if kept.as_ref().is_some_and(|open| Rc::ptr_eq(&open.connection, failed)) {
            *kept = None;
        }
    }
}

async fn set(connection: &Connection, key: &str, ttl: Duration) -> Result<bool, Error> {
    let text = |text: String| RedisParameter::Binary(text.into_bytes());
    let ms = ttl.as_millis().max(1).to_string();
    let words = [format!("{PREFIX}{key}"), "1".to_owned(), "NX".to_owned(), "PX".to_owned(), ms];
    match connection.execute("SET", words.map(text)).await?.first() {
        Some(RedisResult::Status(status)) if status == "OK" => Ok(true),
        // There is no answer to a SET that did not take place.
        Some(RedisResult::Nil) | None => Ok(false),
        Some(other) => Err(Error::Other(format!("an answer that is none to SET: {other:?}"))),
    }
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
