//! Upstream servers on loopback ports, written by hand because they must misbehave on request. Each answers from a
//! script, in the order in which requests arrive, and records what it saw. A request that nothing was said of is
//! recorded too and answered with 599.

mod answering;

use crate::scenario::Exchange;
use crate::scenario::addresses::Addresses;
use crate::scenario::answer::{Answer, Fault};
use crate::scenario::service::{Script, path_of};
use crate::seen::{AnsweredBy, SeenBody, SeenRequest};
use crate::wire::{Framing, Head, read_body, read_head};
use anyhow::{Context, Result};
use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::io::BufReader;
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout_at};

/// How long nothing must come until nothing more is expected to.
const SETTLED: Duration = Duration::from_millis(150);

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
    script: Mutex<Script>,
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
            let script = Script::of(exchange, name);
            // Whoever has used a connection before asks again on a new one where that ends without an answer (workerd):
            // what is to fail must fail on a new one.
            if script.breaks_off() {
                server.listening.shutdown().await;
            }
            server.play(script).await.with_context(|| name.clone())?;
        }
        Ok(())
    }

    /// What they saw since the last call. Waits up to `patience` for requests that the exchange expects and that have
    /// not come yet, as those do not that are sent after the response.
    pub async fn take_seen(&self, exchange: &Exchange, patience: Duration) -> BTreeMap<String, Vec<SeenRequest>> {
        let deadline = Instant::now() + patience;
        for (name, server) in &self.0 {
            let steps = exchange.steps_of(name).filter(|step| step.answer.fault != Some(Fault::Refuse)).count();
            server.wait_until(deadline, |seen| answered_by_steps(seen) >= steps).await;
        }
        self.0.iter().map(|(name, server)| (name.clone(), server.take())).collect()
    }

    /// Waits, up to `patience`, until the calls that an exchange counts have come, and then until none comes any more
    /// for as long as [`SETTLED`]: that nothing more is sent cannot be known otherwise.
    pub async fn settle(&self, exchange: &Exchange, patience: Duration) {
        let deadline = Instant::now() + patience;
        for (place, expected) in &exchange.calls {
            let (name, path) = place.split_at(place.find('/').unwrap_or(place.len()));
            let Some(server) = self.0.get(name) else { continue };
            let meant = |one: &&SeenRequest| path.is_empty() || path_of(&one.target) == path;
            server.wait_until(deadline, |seen| seen.iter().filter(meant).count() as u64 >= *expected).await;
        }
        let count = || self.0.values().map(|server| lock(&server.state.seen).len()).sum::<usize>();
        let mut before = None;
        while before != Some(count()) && Instant::now() < deadline {
            before = Some(count());
            sleep(SETTLED).await;
        }
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

    /// Replaces what is left of the script with these answers, whatever the requests are. Where one is
    /// [`Fault::Refuse`], all must be: the server then refuses connections until the next script.
    pub async fn script(&mut self, answers: Vec<Answer>) -> Result<()> {
        self.play(Script::in_order(answers)).await
    }

    /// Replaces what is left of the script.
    pub async fn play(&mut self, script: Script) -> Result<()> {
        if script.refuses()? {
            self.listening.shutdown().await;
        } else if self.listening.is_empty() {
            self.listen()?;
        }
        *lock(&self.state.script) = script;
        Ok(())
    }

    /// What it saw since the last call. Waits up to `patience` until there are `expected` requests.
    pub async fn take_seen(&self, expected: usize, patience: Duration) -> Vec<SeenRequest> {
        self.wait_until(Instant::now() + patience, |seen| seen.len() >= expected).await;
        self.take()
    }

    /// Too few requests are for the caller to judge.
    async fn wait_until(&self, deadline: Instant, enough: impl Fn(&[SeenRequest]) -> bool) {
        let enough = async {
            loop {
                let arrived = self.state.arrived.notified();
                if enough(&lock(&self.state.seen)) {
                    return;
                }
                arrived.await;
            }
        };
        let _ = timeout_at(deadline.into(), enough).await;
    }

    fn take(&self) -> Vec<SeenRequest> {
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
    while let Ok(Some((head, rest, answer))) = receive(&mut stream, unread, &state).await {
        match answering::answer(stream, &head, &answer).await {
            Some(kept) => stream = kept,
            None => return,
        }
        unread = rest;
    }
}

/// Reads a request and records it. Returns its head, what came after it, and what it is to be answered.
async fn receive(
    stream: &mut TcpStream,
    unread: Vec<u8>,
    state: &State,
) -> std::io::Result<Option<(Head, Vec<u8>, Answer)>> {
    let mut reader = BufReader::with_capacity(64 * 1024, tokio::io::AsyncReadExt::chain(unread.as_slice(), stream));
    let Some(head) = read_head(&mut reader).await? else { return Ok(None) };
    let mut body = SeenBody::empty();
    let framing = head.framing(Framing::Length(0))?;
    let end = read_body(&mut reader, framing, |bytes| body.push(bytes)).await;
    let mut words = head.start.splitn(2, ' ');
    let method = words.next().unwrap_or_default().to_owned();
    let rest = words.next().unwrap_or_default();
    let target = rest.strip_suffix(" HTTP/1.1").unwrap_or(rest).to_owned();
    let (answer, answered_by) = match end {
        Ok(_) => lock(&state.script).answer(&method, &target),
        Err(_) => (Answer::default(), AnsweredBy::Nothing),
    };
    let seen = SeenRequest { method, target, headers: head.fields.clone(), body, complete: end.is_ok(), answered_by };
    lock(&state.seen).push(seen);
    state.arrived.notify_waiters();
    end?;
    Ok(Some((head, reader.buffer().to_vec(), answer)))
}

/// One that broke off is none that a service is for: a step may have been.
fn answered_by_steps(seen: &[SeenRequest]) -> usize {
    seen.iter().filter(|one| one.answered_by != AnsweredBy::Service).count()
}

/// Another task's panic leaves these values as good as they were.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
