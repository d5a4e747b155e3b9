//! A body: nothing, some bytes, or a stream that stays the platform's own and never enters wasm.

use bytes::Bytes;
use std::any::Any;
use std::fmt;

/// The content of a request or a response.
#[derive(Debug, Default)]
pub enum Body {
    #[default]
    Empty,
    Bytes(Bytes),
    Host(HostBody),
}

/// A stream that only the host can read. The core passes it on, and says how much of it may pass.
pub struct HostBody {
    /// What the adapter knows it by.
    pub handle: Box<dyn Any>,
    /// Its length in bytes, where the message declares one.
    pub length: Option<u64>,
    /// The most bytes that may pass. The host ends the message with an error beyond that.
    pub limit: Option<u64>,
}

impl Body {
    /// The length in bytes, where it is known.
    pub fn length(&self) -> Option<u64> {
        match self {
            Body::Empty => Some(0),
            Body::Bytes(bytes) => Some(bytes.len() as u64),
            Body::Host(body) => body.length,
        }
    }

    /// A stream of the host's.
    pub fn host(handle: impl Any, length: Option<u64>) -> Body {
        Body::Host(HostBody { handle: Box::new(handle), length, limit: None })
    }

    /// Bytes; nothing, where there are none.
    pub fn bytes(bytes: impl Into<Bytes>) -> Body {
        let bytes = bytes.into();
        if bytes.is_empty() { Body::Empty } else { Body::Bytes(bytes) }
    }
}

impl fmt::Debug for HostBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HostBody").field("length", &self.length).field("limit", &self.limit).finish_non_exhaustive()
    }
}
