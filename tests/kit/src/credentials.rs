//! What clients and issuers show: keys, tokens (RFC 7519), signed requests (RFC 9421), well made and badly. This signs,
//! and checks what the gateway signs; it shares no code with what the gateway does, so that neither hides a mistake of
//! the other. Nothing here knows scenarios.

pub mod algorithm;
pub mod encoding;
pub mod key;
pub mod signed;
pub mod tamper;
pub mod token;
pub mod verify;
