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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn edge_says_what_the_request_says_of_its_client() {
        let mut request = Request::new("GET", "/");
        assert_eq!(render(&request), None);
        let blob = |request: &Request| serde_json::from_str::<Value>(&render(request).expect("it says something"));
        request.country = Some("NO".to_owned());
        let none = json!({ "certPresented": "0", "certVerified": "NONE" });
        assert_eq!(blob(&request).expect("it is JSON"), json!({ "country": "NO", "tlsClientAuth": none }));
        request.certificate = Some(Certificate { sha256: "ab".to_owned(), ..Certificate::default() });
        let auth = &blob(&request).expect("it is JSON")["tlsClientAuth"];
        assert_eq!((&auth["certPresented"], &auth["certFingerprintSHA256"]), (&json!("1"), &json!("ab")));
        assert_ne!(auth["certVerified"], "SUCCESS");
        request.certificate = Some(Certificate { verified: true, ..Certificate::default() });
        assert_eq!(blob(&request).expect("it is JSON")["tlsClientAuth"]["certVerified"], "SUCCESS");
    }
}
