//! The real things that edgate's tests need: upstream servers that misbehave on request, an HTTP client that sees
//! exactly what arrives, the processes of both platforms, and the format in which a scenario says what should happen.
//! It knows nothing of edgate itself: a scenario's configuration passes through it as JSON.

// What a scenario says.
pub mod scenario;
pub mod units;

// What those show who call.
pub mod credentials;

// What happened, and whether it is what was said.
pub mod compare;
pub mod seen;

// The two ends of the wire.
pub mod client;
pub mod crowd;
pub mod upstream;
pub mod websocket;
pub mod wire;

// The platforms between them.
pub mod lines;
pub mod process;
pub mod redis;
pub mod running;
pub mod spin;
pub mod workerd;

// Issuers of tokens: one that breaks when it is told to, and a real one.
pub mod issuer;
pub mod openid;

// Upstreams for people.
pub mod demo;
