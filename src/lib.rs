//! edgate: an API gateway at the edge, one crate for Cloudflare Workers and for Fermyon Spin.
//!
//! # The life of a request
//!
//! 1. The platform calls its adapter (`cloudflare` or `spin`), which turns what it has into an
//!    [`host::Incoming`] and calls [`instance::Instance::handle`].
//! 2. The instance has the [`gateway::Gateway`], compiled once from the configuration by [`compile::load`].
//! 3. [`gateway::Gateway::handle`] opens an [`exchange::Exchange`], checks limits, spells the path in its one way
//!    ([`path`]), and finds the route ([`routing`]).
//! 4. The route's policies ([`policy`]) see the request in their fixed order, its action produces a response
//!    ([`upstream`], [`respond`]), and the policies see the response in the reverse order.
//! 5. Whatever went wrong is a [`reject::Reject`], and becomes a problem document there and nowhere else.
//! 6. The record is written ([`observe`]), and the adapter turns the response into the platform's own.
//!
//! # What holds
//!
//! - The core never names a platform and never reads the world: clock, randomness, network and log are
//!   [`host::Host`]'s. A test reads the sources to keep it so (`tests/layering.rs`).
//! - A gateway never changes. What lives longer than a request is in [`instance`], and is worth nothing but time.
//! - A body that nobody reads stays the platform's own stream ([`body::HostBody`]).
//! - Nothing panics, whatever comes in.
//!
//! Modules stand in reading order.

// The path of a request.
pub mod instance;

pub mod gateway;

pub mod exchange;
pub mod refusal;
pub mod reject;

pub mod body;
pub mod event;
pub mod headers;
pub mod host;
pub mod interest;
pub mod part;
pub mod path;
pub mod raw;
pub mod rule;
pub mod template;

// Who calls: what is shown, and what is known.
pub mod consumers;
pub mod identity;
pub mod issuer;

pub mod api_key;
pub mod http_signature;
pub mod jose;
pub mod oauth;
pub mod password;
pub mod revocation;
pub mod secret;

// How much clients may ask for.
pub mod limit;
pub mod meter;
pub mod window;

// What an instance remembers.
pub mod bounded;
pub mod race;
pub mod renewed;

// Configuration.
pub mod compile;
pub mod config;

// Choosing a route.
pub mod routing;

// Between the client and the action.
pub mod policy;

// Actions.
pub mod admin;
pub mod aggregate;
pub mod batch;
pub mod respond;
pub mod upstream;

// Around an action.
pub mod idempotency;

// What is seen from outside.
pub mod observe;

// Where it runs.
#[cfg(all(target_family = "wasm", target_os = "unknown"))]
pub mod cloudflare;
#[cfg(not(target_family = "wasm"))]
pub mod memory;
#[cfg(target_os = "wasi")]
pub mod spin;
#[cfg(not(all(target_family = "wasm", target_os = "unknown")))]
pub mod zone;

// The command line.
#[cfg(not(target_family = "wasm"))]
pub mod cli;
