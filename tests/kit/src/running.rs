//! A gateway that runs on one of the platforms, and what a deployment on either consists of.

use crate::client;
use crate::lines::Lines;
use crate::scenario::Request;
use crate::seen::SeenResponse;
use crate::spin::Spin;
use crate::workerd::{self, Workerd};
use anyhow::Result;
use serde_json::Value;
use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};

/// What a gateway is started with.
#[derive(Debug, Clone, Default)]
pub struct Deployment {
    /// Strings arrive as they are; other values as objects where the platform has them, else as JSON text.
    pub bindings: Vec<(String, Value)>,
    /// Secrets: text bindings on workerd, variables in lower case on Spin.
    pub secrets: Vec<(String, String)>,
    /// Key-value stores: by binding on workerd, by label on Spin.
    pub stores: BTreeMap<String, BTreeMap<String, String>>,
    /// Classes of Durable Objects that are not edgate's, by binding: a Worker that has such has none of edgate's. Workers
    /// only.
    pub objects: BTreeMap<String, String>,
    /// Rate limiters of the platform, by binding. Workers only.
    pub limiters: BTreeMap<String, Limiter>,
    /// Whether a test says when something is to be done on a schedule ([`Workerd::tick`]). Workers only.
    pub scheduled: bool,
}

/// A rate limiter of the platform: so many requests of a key in a period, in seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limiter {
    pub limit: u64,
    pub period: u64,
}

/// A gateway that runs. It ends when it is dropped.
#[derive(Debug)]
pub enum Running {
    Workerd(Workerd),
    Spin(Spin),
}

impl Running {
    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        match self {
            Running::Workerd(workerd) => workerd.address(),
            Running::Spin(spin) => spin.address(),
        }
    }

    /// The identifier of its process, while it runs.
    pub fn process_id(&self) -> Option<u32> {
        match self {
            Running::Workerd(workerd) => workerd.process_id(),
            Running::Spin(spin) => spin.process_id(),
        }
    }

    /// What it logs.
    pub fn lines(&self) -> &Lines {
        match self {
            Running::Workerd(workerd) => workerd.lines(),
            Running::Spin(spin) => spin.lines(),
        }
    }

    /// Changes a value of a key-value store.
    ///
    /// # Errors
    ///
    /// The real `spin` does not let anyone change its stores from outside.
    pub fn set_value(&self, store: &str, key: &str, value: &str) -> Result<()> {
        match self {
            Running::Workerd(workerd) => {
                workerd.set_value(store, key, value);
                Ok(())
            }
            Running::Spin(spin) => spin.set_value(store, key, value),
        }
    }

    /// A value of a key-value store.
    ///
    /// # Errors
    ///
    /// The real `spin` does not let anyone read its stores from outside.
    pub fn value(&self, store: &str, key: &str) -> Result<Option<String>> {
        match self {
            Running::Workerd(workerd) => {
                Ok(workerd.value(store, key).map(|value| String::from_utf8_lossy(&value).into_owned()))
            }
            Running::Spin(spin) => spin.value(store, key),
        }
    }

    /// Sends a request, as [`Running::with_what_is_known`] has it.
    pub async fn send(&self, request: &Request) -> Result<SeenResponse> {
        client::send(self.address(), &self.with_what_is_known(request)).await
    }

    /// A request as it must be sent. workerd hears of the client as Cloudflare's edge tells it: its address in
    /// `CF-Connecting-IP`, and what else the request says of it in `CF-Blob`, in place of any such field of the client's
    /// own. Spin sees the address of the connection.
    pub fn with_what_is_known(&self, request: &Request) -> Request {
        let mut request = request.clone();
        if let Running::Workerd(_) = self {
            let address = ("cf-connecting-ip".to_owned(), request.peer.to_string());
            let blob = workerd::blob::render(&request).map(|blob| ("cf-blob".to_owned(), blob));
            for field in std::iter::once(address).chain(blob) {
                request.headers.0.retain(|(name, _)| !name.eq_ignore_ascii_case(&field.0));
                request.headers.0.push(field);
            }
            request.peer = Ipv4Addr::LOCALHOST.into();
        }
        request
    }
}
