//! What the core needs, on Spin.

use super::failure::failure;
use super::message;
use super::pages::Pages;
use super::redis::Redis;
use super::watch::watched;
use crate::body::Body;
use crate::host::{Check, Counters, Host, HostError, Outgoing, Question, Swap, Task, Timestamp, Watch};
use crate::jose::key::SigningKey;
use crate::jose::native;
use crate::meter::Count;
use crate::zone;
use bytes::Bytes;
use http::Response;
use spin_sdk::key_value::{Error as StoreError, Store};
use spin_sdk::wasip3;
use spin_sdk::wasip3::http::client;
use std::future::poll_fn;
use std::pin::pin;
use std::rc::Rc;
use std::task::Poll;
use std::time::{Duration, SystemTime};

/// The platform.
#[derive(Default)]
pub struct SpinHost {
    redis: Redis,
    pages: Rc<Pages>,
}

/// Spin's stores have no time to live, so a value with one carries it: this, milliseconds since 1970, a line feed, the
/// value.
const EXPIRES: &[u8] = b"edgate-expires:";

impl Host for SpinHost {
    fn now(&self) -> Timestamp {
        now()
    }

    fn random(&self, bytes: &mut [u8]) {
        let fresh = wasip3::random::random::get_random_bytes(bytes.len() as u64);
        for (byte, fresh) in bytes.iter_mut().zip(fresh) {
            *byte = fresh;
        }
    }

    fn sleep(&self, duration: Duration) -> Task<'_, ()> {
        Box::pin(spin_sdk::time::sleep(duration))
    }

    fn fetch<'a>(&'a self, request: Outgoing<'a>) -> Task<'a, Result<Response<Body>, HostError>> {
        Box::pin(async move {
            let timeout = request.timeout;
            let (request, over) = message::outgoing(request)?;
            match within(timeout, client::send(request)).await {
                Some(Ok(response)) => message::response(response),
                Some(Err(_)) if over.get() => Err(HostError::BodyTooLarge),
                Some(Err(error)) => Err(failure(&error)),
                None => Err(HostError::Timeout),
            }
        })
    }

    fn get<'a>(&'a self, store: &'a str, key: &'a str) -> Task<'a, Result<Option<Bytes>, HostError>> {
        Box::pin(async move {
            let store = Store::open(store).await.map_err(store_failure)?;
            let Some(value) = store.get(key).await.map_err(store_failure)? else { return Ok(None) };
            let value = Bytes::from(value);
            match expiry(&value) {
                Some((until, _)) if until <= self.now().0 => Ok(None),
                Some((_, start)) => Ok(Some(value.slice(start..))),
                None => Ok(Some(value)),
            }
        })
    }

    fn put<'a>(
        &'a self,
        store: &'a str,
        key: &'a str,
        value: Bytes,
        ttl: Option<Duration>,
    ) -> Task<'a, Result<(), HostError>> {
        Box::pin(async move {
            let store = Store::open(store).await.map_err(store_failure)?;
            let value = match ttl {
                Some(ttl) => {
                    let until = self.now().0 + ttl.as_secs_f64() * 1000.0;
                    [EXPIRES, format!("{until:.0}\n").as_bytes(), &value].concat()
                }
                None => value.to_vec(),
            };
            store.set(key, value).await.map_err(store_failure)
        })
    }

    fn collect<'a>(&'a self, body: Body, most: u64, timeout: Duration) -> Task<'a, Result<Bytes, HostError>> {
        Box::pin(async move {
            let result = within(timeout, message::collect(body, most)).await;
            result.unwrap_or(Err(HostError::Timeout))
        })
    }

    fn claim<'a>(&'a self, redis: Option<&'a str>, key: &'a str, ttl: Duration) -> Task<'a, Result<bool, HostError>> {
        Box::pin(async move {
            let address = redis.ok_or_else(|| HostError::Denied("there is no `gateway.redis`".to_owned()))?;
            self.redis.claim(address, key, ttl).await
        })
    }

    fn swap<'a>(
        &'a self,
        redis: Option<&'a str>,
        key: &'a str,
        swap: Swap<'a>,
    ) -> Task<'a, Result<Option<String>, HostError>> {
        Box::pin(async move {
            let address = redis.ok_or_else(|| HostError::Denied("there is no `gateway.redis`".to_owned()))?;
            self.redis.swap(address, key, swap).await
        })
    }

    fn count<'a>(
        &'a self,
        place: &'a Counters,
        questions: &'a [Question],
        timeout: Duration,
    ) -> Task<'a, Vec<Result<Count, HostError>>> {
        Box::pin(async move {
            let failed = |error| vec![Err(error); questions.len()];
            let Some(address) = place.redis.as_deref() else {
                let counted = within(timeout, self.pages.count(&place.store, questions, || now().whole_ms())).await;
                return counted.unwrap_or_else(|| failed(HostError::Timeout));
            };
            self.redis.count(address, questions, timeout).await.unwrap_or_else(failed)
        })
    }

    fn admit<'a>(&'a self, binding: &'a str, _: &'a str, _: Duration) -> Task<'a, Result<bool, HostError>> {
        let result = Err(HostError::Denied(format!("no rate limiter is bound as `{binding}`")));
        Box::pin(std::future::ready(result))
    }

    fn offset(&self, zone: &str, at: Timestamp) -> Option<i64> {
        zone::offset(zone, at)
    }

    fn watch(&self, body: Body) -> (Body, Box<dyn Watch>) {
        watched(body)
    }

    fn verify<'a>(&'a self, check: Check<'a>) -> Task<'a, Result<bool, HostError>> {
        let holds = native::verify(check.algorithm, check.key, check.message.as_bytes(), check.signature);
        Box::pin(std::future::ready(Ok(holds)))
    }

    fn sign<'a>(&'a self, key: &'a SigningKey, message: &'a str) -> Task<'a, Result<Vec<u8>, HostError>> {
        let signature = native::sign(key, message.as_bytes());
        let result = signature.ok_or_else(|| HostError::Other("this key cannot sign".to_owned()));
        Box::pin(std::future::ready(result))
    }

    fn secret<'a>(&'a self, name: &'a str) -> Task<'a, Option<String>> {
        Box::pin(async move { spin_sdk::variables::get(name.to_ascii_lowercase()).await.ok() })
    }

    fn wait_until(&self, task: Task<'static, ()>) {
        wasip3::spawn(task);
    }

    fn log(&self, line: &str) {
        println!("{line}");
    }
}

fn now() -> Timestamp {
    let since_epoch = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    Timestamp(since_epoch.as_secs_f64() * 1000.0)
}

/// Waits for a future, but not for ever.
pub async fn within<T>(timeout: Duration, future: impl Future<Output = T>) -> Option<T> {
    let (mut future, mut late) = (pin!(future), pin!(spin_sdk::time::sleep(timeout)));
    poll_fn(|cx| match future.as_mut().poll(cx) {
        Poll::Ready(value) => Poll::Ready(Some(value)),
        Poll::Pending => late.as_mut().poll(cx).map(|()| None),
    })
    .await
}

/// When a value ends, and where it begins.
fn expiry(value: &[u8]) -> Option<(f64, usize)> {
    let rest = value.strip_prefix(EXPIRES)?;
    let digits = rest.iter().take(20).position(|byte| *byte == b'\n')?;
    let until = std::str::from_utf8(&rest[..digits]).ok()?.parse().ok()?;
    Some((until, EXPIRES.len() + digits + 1))
}

fn store_failure(error: StoreError) -> HostError {
    match error {
        StoreError::NoSuchStore => HostError::Denied("no store has this label".to_owned()),
        StoreError::AccessDenied => HostError::Denied("the component may not open this store".to_owned()),
        error => HostError::Other(format!("{error:?}")),
    }
}
