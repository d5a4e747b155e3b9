//! Upstream servers on loopback ports, written by hand because they must misbehave on request. Each answers from a
//! script, in the order in which requests arrive, and records what it saw. A request that no script expects is
//! recorded too and answered with 599.

mod answering;

use crate::scenario::Exchange;
use crate::scenario::addresses::Addresses;
use crate::scenario::answer::{Answer, Fault};
use crate::seen::{SeenBody, SeenRequest};
use crate::wire::{Framing, Head, read_body, read_head};
use anyhow::{Context, Result, ensure};
use std::collections::{BTreeMap, VecDeque};
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::io::BufReader;
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio::time::timeout;

/// All upstreams of a scenario, by name.
pub struct Upstreams(BTreeMap<String, Upstream>);

/// One upstream server. It ends when it is dropped.
pub struct Upstream {
    address: SocketAddr,
    state: Arc<State>,
    /// Keeps the port while nothing listens.
    _port: TcpSocket,
    /// The listening task, which owns its connections; empty while connections are refused.
    listening: JoinSet<()>,
}

#[derive(Default)]
struct State {
    script: Mutex<VecDeque<Answer>>,
    seen: Mutex<Vec<SeenRequest>>,
    arrived: Notify,
}

impl Upstreams {
    /// Starts one server for each name.
    pub async fn start(names: impl IntoIterator<Item = String>) -> Result<Upstreams> {
        let mut servers = BTreeMap::new();
        for name in names {
            servers.insert(name, Upstream::start().await?);
        }
        Ok(Upstreams(servers))
    }

    /// Where they listen.
    pub fn addresses(&self) -> Addresses {
        self.0.iter().map(|(name, server)| (name.clone(), server.address)).collect()
    }

    /// Prepares all of them for an exchange.
    pub async fn prepare(&mut self, exchange: &Exchange) -> Result<()> {
        for (name, server) in &mut self.0 {
            server.script(exchange.steps_of(name).map(|step| step.answer.clone()).collect()).await?;
        }
        Ok(())
    }

    /// What they saw since the last call. Waits up to `patience` for requests that the exchange expects and that have
    /// not come yet, as those do not that are sent after the response.
    pub async fn take_seen(&self, exchange: &Exchange, patience: Duration) -> BTreeMap<String, Vec<SeenRequest>> {
        let mut seen = BTreeMap::new();
        for (name, server) in &self.0 {
            let expected = exchange.steps_of(name).filter(|step| step.answer.fault != Some(Fault::Refuse)).count();
            seen.insert(name.clone(), server.take_seen(expected, patience).await);
        }
        seen
    }
}

impl Upstream {
    /// Starts a server on a free port.
    pub async fn start() -> Result<Upstream> {
        let (port, address) = reserve_port()?;
        let mut upstream = Upstream { address, state: Arc::default(), _port: port, listening: JoinSet::new() };
        upstream.listen()?;
        Ok(upstream)
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Replaces what is left of the script. Where an answer is [`Fault::Refuse`], all must be: the server then refuses
    /// connections until the next script.
    pub async fn script(&mut self, answers: Vec<Answer>) -> Result<()> {
        let refused = answers.iter().filter(|answer| answer.fault == Some(Fault::Refuse)).count();
        ensure!(refused == 0 || refused == answers.len(), "an upstream refuses all connections or none");
        if refused > 0 {
            self.listening.shutdown().await;
        } else if self.listening.is_empty() {
            self.listen()?;
        }
        *lock(&self.state.script) = answers.into();
        Ok(())
    }

    /// What it saw since the last call. Waits up to `patience` until there are `expected` requests.
    pub async fn take_seen(&self, expected: usize, patience: Duration) -> Vec<SeenRequest> {
        let enough = async {
            loop {
                let arrived = self.state.arrived.notified();
                if lock(&self.state.seen).len() >= expected {
                    return;
                }
                arrived.await;
            }
        };
        // Too few requests are for the caller to judge.
        let _ = timeout(patience, enough).await;
        std::mem::take(&mut *lock(&self.state.seen))
    }

    fn listen(&mut self) -> Result<()> {
        let socket = TcpSocket::new_v4().context("cannot make a socket")?;
        socket.set_reuseaddr(true).context("cannot share the port")?;
        socket.bind(self.address).with_context(|| format!("cannot bind {}", self.address))?;
        let listener = socket.listen(128).with_context(|| format!("cannot listen on {}", self.address))?;
        self.listening.spawn(accept(listener, Arc::clone(&self.state)));
        Ok(())
    }
}

/// Takes a free port and keeps it from others: on Linux a socket that is bound but does not listen holds its port,
/// refuses connections, and lets a second one that also reuses addresses listen there.
pub fn reserve_port() -> Result<(TcpSocket, SocketAddr)> {
    let socket = TcpSocket::new_v4().context("cannot make a socket")?;
    socket.set_reuseaddr(true).context("cannot share the port")?;
    socket.bind((Ipv4Addr::LOCALHOST, 0).into()).context("no free port on 127.0.0.1")?;
    let address = socket.local_addr().context("the socket has no address")?;
    Ok((socket, address))
}

async fn accept(listener: TcpListener, state: Arc<State>) {
    let mut connections = JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        connections.spawn(serve(stream, Arc::clone(&state)));
        while connections.try_join_next().is_some() {}
    }
}

/// Serves one connection. What goes wrong on it is either wanted or seen at the other end.
async fn serve(mut stream: TcpStream, state: Arc<State>) {
    let _ = stream.set_nodelay(true);
    let mut unread = Vec::new();
    while let Ok(Some((head, rest))) = receive(&mut stream, unread, &state).await {
        let answer = lock(&state.script).pop_front().unwrap_or_else(unexpected);
        match answering::answer(stream, &head, &answer).await {
            Some(kept) => stream = kept,
            None => return,
        }
        unread = rest;
    }
}

/// Reads a request and records it. Returns its head, and what came after it.
async fn receive(stream: &mut TcpStream, unread: Vec<u8>, state: &State) -> std::io::Result<Option<(Head, Vec<u8>)>> {
    let mut reader = BufReader::with_capacity(64 * 1024, tokio::io::AsyncReadExt::chain(unread.as_slice(), stream));
    let Some(head) = read_head(&mut reader).await? else { return Ok(None) };
    let mut body = SeenBody::empty();
    let framing = head.framing(Framing::Length(0))?;
    let end = read_body(&mut reader, framing, |bytes| body.push(bytes)).await;
    let mut words = head.start.splitn(2, ' ');
    let method = words.next().unwrap_or_default().to_owned();
    let rest = words.next().unwrap_or_default();
    let target = rest.strip_suffix(" HTTP/1.1").unwrap_or(rest).to_owned();
    let seen = SeenRequest { method, target, headers: head.fields.clone(), body, complete: end.is_ok() };
    lock(&state.seen).push(seen);
    state.arrived.notify_waiters();
    end?;
    Ok(Some((head, reader.buffer().to_vec())))
}

fn unexpected() -> Answer {
    Answer { status: 599, ..Answer::default() }
}

/// Another task's panic leaves these values as good as they were.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
