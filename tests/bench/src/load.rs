//! The load: some connections, each of which sends its next request when the answer to the last one is complete. Every
//! answer must be the one that is expected: a failure is no measurement.

use crate::plan::{Answer, Ask};
use anyhow::{Context, Result, ensure};
use http_body_util::{BodyExt, Full};
use hyper::body::Bytes;
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HOST, HeaderName, HeaderValue};
use hyper::{HeaderMap, Request};
use hyper_util::rt::TokioIo;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

/// How much load: it ends with whichever is reached first.
#[derive(Debug, Clone, Copy)]
pub struct Amount {
    pub requests: usize,
    pub time: Duration,
    /// How many requests begin in a second, all connections together. As many as there can be when not given.
    pub pace: Option<u32>,
}

/// What came of it.
#[derive(Debug)]
pub struct Sample {
    pub elapsed: Duration,
    /// How long every answer took, the shortest first.
    pub latencies: Vec<Duration>,
}

/// What a browser's request carries when it comes through Cloudflare.
const FIELDS: [(&str, &str); 12] = [
    ("accept", "application/json, text/plain, */*"),
    ("accept-encoding", "gzip, br"),
    ("accept-language", "en-GB,en;q=0.9,de;q=0.8"),
    ("authorization", "Bearer eyJhbGciOiJSUzI1NiIsImtpZCI6IjEifQ.eyJzdWIiOiI0MiIsImV4cCI6MTc5NTAwMDAwMH0.c2lnbmF0dXJl"),
    ("cf-connecting-ip", "203.0.113.7"),
    ("cf-ipcountry", "DE"),
    ("cf-ray", "9a3b1c5d7e9f1234-FRA"),
    ("cookie", "session=5f2b8c1e9d7a4f60; theme=dark; _ga=GA1.2.1234567890.1700000000"),
    ("origin", "https://shop.example.com"),
    ("referer", "https://shop.example.com/items?page=2"),
    (
        "user-agent",
        "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36",
    ),
    ("x-requested-with", "XMLHttpRequest"),
];

/// One request, ready to be sent again and again.
#[derive(Debug, Clone)]
struct Template {
    ask: Ask,
    fields: HeaderMap,
    body: Bytes,
}

/// Loads a gateway.
pub async fn run(gateway: SocketAddr, ask: &Ask, connections: usize, amount: Amount) -> Result<Sample> {
    let template = Template::new(ask, gateway)?;
    let mut senders = Vec::new();
    for _ in 0..connections {
        senders.push(connect(gateway).await?);
    }
    let left = Arc::new(AtomicUsize::new(amount.requests));
    let start = Instant::now();
    // One connection after the other, each of them once in a while.
    let gap = amount.pace.map(|pace| Duration::from_secs(1) / pace);
    let beat = |number: u32| gap.map(|gap| Beat { next: start + gap * number, every: gap * connections as u32 });
    let clients: JoinSet<Result<Vec<Duration>>> = (0..)
        .zip(senders)
        .map(|(number, sender)| client(sender, template.clone(), Arc::clone(&left), start + amount.time, beat(number)))
        .collect();
    let mut latencies = Vec::new();
    for one in clients.join_all().await {
        latencies.extend(one.with_context(|| format!("{} {}", ask.method, ask.path))?);
    }
    let elapsed = start.elapsed();
    latencies.sort_unstable();
    Ok(Sample { elapsed, latencies })
}

/// Sends one request on a connection of its own.
pub async fn once(gateway: SocketAddr, ask: &Ask) -> Result<()> {
    let template = Template::new(ask, gateway)?;
    exchange(&mut connect(gateway).await?, &template).await
}

async fn connect(gateway: SocketAddr) -> Result<SendRequest<Full<Bytes>>> {
    let stream = TcpStream::connect(gateway).await.with_context(|| format!("cannot connect to {gateway}"))?;
    stream.set_nodelay(true).context("cannot prepare a connection")?;
    let (sender, connection) = handshake(TokioIo::new(stream)).await.context("cannot begin a connection")?;
    // It ends with its sender, which hears of its errors.
    tokio::spawn(connection);
    Ok(sender)
}

async fn client(
    mut sender: SendRequest<Full<Bytes>>,
    template: Template,
    left: Arc<AtomicUsize>,
    until: Instant,
    mut beat: Option<Beat>,
) -> Result<Vec<Duration>> {
    let mut latencies = Vec::with_capacity(4096);
    let take = |left: usize| left.checked_sub(1);
    while Instant::now() < until && left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, take).is_ok() {
        if let Some(beat) = &mut beat {
            beat.wait().await;
        }
        let sent = Instant::now();
        exchange(&mut sender, &template).await?;
        latencies.push(sent.elapsed());
    }
    Ok(latencies)
}

/// When a connection sends. One that is late sends at once, and goes on from there.
struct Beat {
    next: Instant,
    every: Duration,
}

impl Beat {
    async fn wait(&mut self) {
        tokio::time::sleep_until(self.next.into()).await;
        self.next = (self.next + self.every).max(Instant::now());
    }
}

async fn exchange(sender: &mut SendRequest<Full<Bytes>>, template: &Template) -> Result<()> {
    sender.ready().await.context("the connection is closed")?;
    let response = sender.send_request(template.request()?).await.context("no answer")?;
    let status = response.status();
    let mut body = response.into_body();
    let mut length = 0;
    while let Some(frame) = body.frame().await {
        length += frame.context("the answer breaks off")?.data_ref().map_or(0, Bytes::len);
    }
    let expected = template.ask.gets.status();
    ensure!(status == expected, "the answer's status is {status} instead of {expected}");
    if let Answer::Served(bytes) = template.ask.gets {
        ensure!(length == bytes, "the answer has {length} bytes instead of {bytes}");
    }
    Ok(())
}

impl Template {
    fn new(ask: &Ask, gateway: SocketAddr) -> Result<Template> {
        let field = |(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value));
        let mut fields: HeaderMap = FIELDS.into_iter().map(field).collect();
        fields.insert(HOST, gateway.to_string().parse().context("no host")?);
        if ask.sends > 0 {
            fields.insert(CONTENT_TYPE, HeaderValue::from_static("application/octet-stream"));
        }
        Ok(Template { ask: ask.clone(), fields, body: vec![b'x'; ask.sends].into() })
    }

    fn request(&self) -> Result<Request<Full<Bytes>>> {
        let mut request = Request::new(Full::new(self.body.clone()));
        *request.method_mut() = self.ask.method.clone();
        *request.uri_mut() = self.ask.path.parse().context("no path")?;
        *request.headers_mut() = self.fields.clone();
        if let Some(token) = self.ask.tokens.as_ref().and_then(|tokens| tokens.next()) {
            request.headers_mut().insert(AUTHORIZATION, token);
        }
        Ok(request)
    }
}
