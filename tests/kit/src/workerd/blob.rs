//! What Cloudflare's edge knows of a client, as `request.cf` has it: workerd reads it from a field of its socket.
//! https://developers.cloudflare.com/workers/runtime-apis/request/#incomingrequestcfproperties

use crate::scenario::{Certificate, Request};
use serde_json::{Map, Value, json};

/// The JSON for a request that says something of its client.
pub(crate) fn render(request: &Request) -> Option<String> {
    if request.country.is_none() && request.certificate.is_none() {
        return None;
    }
    let mut cf = Map::new();
    cf.extend(request.country.iter().map(|country| ("country".to_owned(), json!(country))));
    cf.insert("tlsClientAuth".to_owned(), client_auth(request.certificate.as_ref()));
    Some(Value::Object(cf).to_string())
}

/// It is there without a certificate too.
fn client_auth(certificate: Option<&Certificate>) -> Value {
    let Some(certificate) = certificate else { return json!({ "certPresented": "0", "certVerified": "NONE" }) };
    json!({
        "certPresented": "1",
        "certVerified": if certificate.verified { "SUCCESS" } else { "FAILED:self signed certificate" },
        "certRevoked": "0",
        "certFingerprintSHA256": certificate.sha256,
        "certSubjectDNRFC2253": certificate.subject,
        "certIssuerDNRFC2253": certificate.issuer,
        "certSerial": certificate.serial,
        "certNotAfter": certificate.not_after,
    })
}
