//! What the two ends of the wire saw: requests at the upstreams, responses at the client. Field names are in lower
//! case; bytes that are no UTF-8 are shown as Latin-1. Large bodies are counted and checked, not kept.

use std::borrow::Cow;
use std::sync::LazyLock;
use std::time::Duration;

/// How many bytes of a body are kept.
pub const KEPT: usize = 1_000_000;

/// Field names in lower case, with their values, in the order they were sent.
pub type Fields = Vec<(String, String)>;

/// A request as an upstream received it.
#[derive(Debug, Clone, PartialEq)]
pub struct SeenRequest {
    pub method: String,
    /// As it stands in the request line.
    pub target: String,
    pub headers: Fields,
    pub body: SeenBody,
    /// Whether the body came to its end.
    pub complete: bool,
    pub answered_by: AnsweredBy,
}

/// What a scenario had for a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AnsweredBy {
    /// A step of the exchange.
    Step,
    /// A service.
    Service,
    /// Nothing: it was not expected.
    Nothing,
}

/// A response as the client received it.
#[derive(Debug, Clone, PartialEq)]
pub struct SeenResponse {
    pub status: u16,
    pub headers: Fields,
    pub body: SeenBody,
    pub trailers: Fields,
    pub end: End,
    /// When each piece of the body arrived, counted from the first byte of the request.
    pub chunk_times: Vec<Duration>,
    /// The text that came back over a WebSocket.
    pub websocket: Option<String>,
}

/// How a response ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum End {
    /// All of it is there, by the rules of its framing.
    Complete,
    /// It ended before that, and why the client knows.
    Truncated(String),
    /// The client did not wait for the body.
    Abandoned,
}

/// A body: its length, its beginning, and whether it is what [`generated`] gives.
#[derive(Debug, Clone, PartialEq)]
pub struct SeenBody {
    pub length: u64,
    /// At most the first [`KEPT`] bytes.
    pub start: Vec<u8>,
    /// Whether every byte so far is the generated one.
    pub is_generated: bool,
}

impl SeenBody {
    /// An empty body.
    pub fn empty() -> SeenBody {
        SeenBody { length: 0, start: Vec::new(), is_generated: true }
    }

    /// A body of these bytes.
    pub fn of(bytes: &[u8]) -> SeenBody {
        let mut body = SeenBody::empty();
        body.push(bytes);
        body
    }

    /// Adds what came next.
    pub fn push(&mut self, bytes: &[u8]) {
        self.is_generated = self.is_generated && is_generated_at(self.length, bytes);
        let room = KEPT - self.start.len();
        self.start.extend_from_slice(&bytes[..bytes.len().min(room)]);
        self.length += bytes.len() as u64;
    }

    /// Whether all of it was kept.
    pub fn is_whole(&self) -> bool {
        self.length == self.start.len() as u64
    }

    /// What was kept, as text.
    pub fn text(&self) -> Cow<'_, str> {
        String::from_utf8_lossy(&self.start)
    }
}

/// The values of a field, in order.
pub fn values<'a>(fields: &'a [(String, String)], name: &str) -> Vec<&'a str> {
    fields.iter().filter(|(field, _)| field.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str()).collect()
}

/// The length after which the generated body repeats: a prime, so that a lost or doubled block shows.
const PERIOD: usize = 251;

/// The longest piece of the generated body.
pub const PIECE: usize = 64 * 1024;

static GENERATED: LazyLock<Vec<u8>> =
    LazyLock::new(|| (b'a'..=b'z').cycle().take(PERIOD).collect::<Vec<u8>>().repeat(PIECE / PERIOD + 2));

/// A piece of the generated body, from `offset`, of `length` bytes, at most [`PIECE`].
pub fn generated(offset: u64, length: usize) -> &'static [u8] {
    let start = (offset % PERIOD as u64) as usize;
    &GENERATED[start..start + length.min(PIECE)]
}

fn is_generated_at(mut offset: u64, bytes: &[u8]) -> bool {
    bytes.chunks(PIECE).all(|piece| {
        let at = offset;
        offset += piece.len() as u64;
        piece == generated(at, piece.len())
    })
}
