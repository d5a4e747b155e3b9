//! The signed requests of RFC 9421: keys, messages, signature bases and signatures of its sections 3.1 and 4.3 and of
//! its appendix B; and fields that nobody would send, which are never more than refused. B.2.4 is left out: it is a response, and its algorithm is that of B.3 and of section 4.3. There is no
//! example for P-384.

use base64ct::{Base64, Base64UrlUnpadded, Encoding};
use edgate::http_signature::Message;
use edgate::http_signature::candidate::{Candidate, find};
use edgate::http_signature::digest::check_digest;
use edgate::http_signature::key::{KeyAlgorithm, check_mac};
use http::{HeaderMap, HeaderName};
use proptest::prelude::{Strategy, prop_assert, proptest};
use proptest::string::string_regex;
use rsa::RsaPublicKey;
use rsa::pkcs1::DecodeRsaPublicKey;
use rsa::pkcs8::DecodePublicKey;
use rsa::signature::Verifier;
use sha2::{Sha256, Sha512};

/// Appendix B.1.1, PKCS #1.
const RSA: &str = "MIIBCgKCAQEAhAKYdtoeoy8zcAcR874L8cnZxKzAGwd7v36APp7Pv6Q2jdsPBRrwWEBnez6d0UDKDwGbc6nxfEXAy5mbhgajzrw3\
                   MOEt8uA5txSKobBpKDeBLOsdJKFqMGmXCQvEG7YemcxDTRPxAleIAgYYRjTSd/QBwVW9OwNFhekro3RtlinV0a75jfZgkne/Yikt\
                   SvLG34lw2zqXBDTC5NHROUqGTlML4PlNZS5Ri2U4aCNx2rUPRcKIlE0PuKxI4T+HIaFpv8+rdV6eUgOrB2xeI1dSFFn/nnv5OoZJ\
                   EIB+VmuKn3DCUcCZSFlQPSXSfBDiUGhwOw76WuSSsf1D4b/vLoJ10wIDAQAB";

/// Appendix B.1.2, SubjectPublicKeyInfo.
const RSA_PSS: &str = "MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAr4tmm3r20Wd/PbqvP1s2+QEtvpuRaV8Yq40gjUR8y2Rjxa6dpG2G\
                       XHbPfvMs8ct+Lh1GH45x28Rw3Ry53mm+oAXjyQ86OnDkZ5N8lYbggD4O3w6M6pAvLkhk95AndTrifbIFPNU8PPMO7OyrFAHq\
                       gDsznjPFmTOtCEcN2Z1FpWgchwuYLPL+Wokqltd11nqqzi+bJ9cvSKADYdUAAN5WUtzdpiy6LbTgSxP7ociU4Tn0g5I6aDZJ\
                       7A8Lzo0KSyZYoA485mqcO0GVAdVw9lq4aOT9v6d+nb4bnNkQVklLQ3fVAvJm+xdDOp9LCNCN48V2pnDOkFV6+U9nV5oyc6XI\
                       2wIDAQAB";

/// Appendix B.1.3, SubjectPublicKeyInfo: 26 bytes, and the point.
const ECC_P256: &str = "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEqIVYZVLCrPZHGHjP17CTW0/+D9Lfw0EkjqF7xB4FivAxzic30tMM4GF+hR6D\
                        xh71Z50VGGdldkkDXZCnTNnoXQ==";

/// Appendix B.1.4, the `x` of the JSON Web Key.
const ED25519: &str = "JrQLj5P_89iXES9-vFgrIy29clF9CC_oPPsw3c5D0bs";

/// Appendix B.1.5.
const SHARED_SECRET: &str = "uzvJfB4u3N0Jy4T7NZ75MDVcr8zSTInedJtkgcu46YW4XByzNJjxBdtjUkdJPBtbmHhIDi6pcl8jsasjlTMtDQ==";

const CONTENT: &[u8] = b"{\"hello\": \"world\"}";
const CONTENT_DIGEST: &str =
    "sha-512=:WZDPaVn/7XgHaAy8pmojAkGWoRx2UFChF41A2svX+TaPm+AbwAgBWnrIiYllu7BNNyealdVLvRwEmTHWXvJwew==:";

/// A request of the specification, without a signature.
struct Request {
    method: &'static str,
    authority: &'static str,
    path: &'static str,
    query: Option<&'static str>,
    headers: HeaderMap,
}

impl Request {
    /// The `test-request` of appendix B.2.
    fn test() -> Request {
        let mut request = Request {
            method: "POST",
            authority: "example.com",
            path: "/foo",
            query: Some("param=Value&Pet=dog"),
            headers: HeaderMap::new(),
        };
        for (name, value) in [
            ("host", "example.com"),
            ("date", "Tue, 20 Apr 2021 02:07:55 GMT"),
            ("content-type", "application/json"),
            ("content-digest", CONTENT_DIGEST),
            ("content-length", "18"),
        ] {
            request.add(name, value);
        }
        request
    }

    fn add(&mut self, name: &'static str, value: &str) {
        self.headers.append(HeaderName::from_static(name), value.parse().expect("it is a field's value"));
    }

    /// Adds a signature as an example has it.
    fn sign(mut self, input: &str, signature: &str) -> Request {
        self.add("signature-input", &format!("sig1={input}"));
        self.add("signature", &format!("sig1=:{signature}:"));
        self
    }

    fn message(&self) -> Message<'_> {
        Message {
            method: self.method,
            scheme: "https",
            authority: self.authority,
            path: self.path,
            query: self.query,
            headers: &self.headers,
            has_content: self.method == "POST",
        }
    }

    fn candidates(&self) -> Vec<Candidate> {
        find(&self.headers).expect("they are well-formed").expect("it is signed")
    }

    /// The first signature's base, and whether the signature is that of the key it names.
    fn check(&self) -> (String, bool) {
        let candidate = self.candidates().remove(0);
        let base = candidate.base(&self.message()).expect("it has a base");
        let holds = holds(&candidate, &base);
        (base, holds)
    }

    /// The signature holds, and its base is that of the specification but for the line with the parameters, which is what
    /// `Signature-Input` has.
    #[track_caller]
    fn assert_holds(&self, lines: &[&str]) {
        let (base, holds) = self.check();
        let input = self.headers["signature-input"].to_str().expect("it is text").replacen("sig1=", "", 1);
        let last = format!("\"@signature-params\": {input}");
        assert_eq!(base.split('\n').collect::<Vec<_>>(), [lines, &[last.as_str()]].concat());
        assert!(holds, "{base}");
    }
}

/// Whether a signature is that of the key it names.
fn holds(candidate: &Candidate, base: &str) -> bool {
    let (base, signature) = (base.as_bytes(), &candidate.signature[..]);
    match candidate.key_id.as_deref() {
        Some("test-key-rsa") => {
            let key = RsaPublicKey::from_pkcs1_der(&base64(RSA)).expect("it is a key");
            let signature = rsa::pkcs1v15::Signature::try_from(signature).expect("it has its length");
            rsa::pkcs1v15::VerifyingKey::<Sha256>::new(key).verify(base, &signature).is_ok()
        }
        Some("test-key-rsa-pss") => {
            let key = RsaPublicKey::from_public_key_der(&base64(RSA_PSS)).expect("it is a key");
            let signature = rsa::pss::Signature::try_from(signature).expect("it has its length");
            rsa::pss::VerifyingKey::<Sha512>::new(key).verify(base, &signature).is_ok()
        }
        Some("test-key-ecc-p256") => {
            let key = p256::ecdsa::VerifyingKey::from_sec1_bytes(&base64(ECC_P256)[26..]).expect("it is a key");
            let signature = p256::ecdsa::Signature::from_slice(signature).expect("it has its length");
            key.verify(base, &signature).is_ok()
        }
        Some("test-key-ed25519") => {
            let key = Base64UrlUnpadded::decode_vec(ED25519).expect("it is Base64");
            let key = key.try_into().expect("it has its length");
            let key = ed25519_dalek::VerifyingKey::from_bytes(&key).expect("it is a key");
            let signature = ed25519_dalek::Signature::from_slice(signature).expect("it has its length");
            key.verify_strict(base, &signature).is_ok()
        }
        Some("test-shared-secret") => {
            let base = std::str::from_utf8(base).expect("it is text");
            check_mac(&base64(SHARED_SECRET), base, signature).is_ok()
        }
        other => panic!("there is no key {other:?}"),
    }
}

fn base64(text: &str) -> Vec<u8> {
    Base64::decode_vec(text).expect("it is Base64")
}

#[test]
fn minimal_signature_of_b_2_1() {
    let request = Request::test().sign(
        r#"();created=1618884473;keyid="test-key-rsa-pss";nonce="b3k2pp5k7z-50gnwp.yemd""#,
        "d2pmTvmbncD3xQm8E9ZV2828BjQWGgiwAaw5bAkgibUopemLJcWDy/lkbbHAve4cRAtx31Iq786U7it++wgGxbtRxf8Udx7zFZsckzXaJMkA\
         7ChG52eSkFxykJeNqsrWH5S+oxNFlD4dzVuwe8DhTSja8xxbR/Z2cOGdCbzR72rgFWhzx2VjBqJzsPLMIQKhO4DGezXehhWwE56YCE+O6c0m\
         KZsfxVrogUvA4HELjVKWmAvtl6UnCh8jYzuVG5WSb/QEVPnP5TmcAnLH1g+s++v6d4s8m0gCw1fV5/SITLq9mhho8K3+7EPYTU8IU1bLhdxO\
         5Nyt8C8ssinQ98Xw9Q==",
    );
    request.assert_holds(&[]);
    assert_eq!(request.candidates()[0].nonce.as_deref(), Some("b3k2pp5k7z-50gnwp.yemd"));
}

#[test]
fn selective_components_of_b_2_2() {
    let request = Request::test().sign(
        r#"("@authority" "content-digest" "@query-param";name="Pet");created=1618884473;keyid="test-key-rsa-pss";tag="header-example""#,
        "LjbtqUbfmvjj5C5kr1Ugj4PmLYvx9wVjZvD9GsTT4F7GrcQEdJzgI9qHxICagShLRiLMlAJjtq6N4CDfKtjvuJyE5qH7KT8UCMkSowOB4+EC\
         xCmT8rtAmj/0PIXxi0A0nxKyB09RNrCQibbUjsLS/2YyFYXEu4TRJQzRw1rLEuEfY17SARYhpTlaqwZVtR8NV7+4UKkjqpcAoFqWFQh62s7C\
         l+H2fjBSpqfZUJcsIk4N6wiKYd4je2U/lankenQ99PZfB4jY3I5rSV2DSBVkSFsURIjYErOs0tFTQosMTAoxk//0RoKUqiYY8Bh0aaUEb0rQ\
         l3/XaVe4bXTugEjHSw==",
    );
    request.assert_holds(&[
        r#""@authority": example.com"#,
        &format!(r#""content-digest": {CONTENT_DIGEST}"#),
        r#""@query-param";name="Pet": dog"#,
    ]);
    assert_eq!(request.candidates()[0].tag.as_deref(), Some("header-example"));
    assert_eq!(check_digest(&request.headers, CONTENT), Ok(()));
}

#[test]
fn full_coverage_of_b_2_3() {
    let request = Request::test().sign(
        r#"("date" "@method" "@path" "@query" "@authority" "content-type" "content-digest" "content-length");created=1618884473;keyid="test-key-rsa-pss""#,
        "bbN8oArOxYoyylQQUU6QYwrTuaxLwjAC9fbY2F6SVWvh0yBiMIRGOnMYwZ/5MR6fb0Kh1rIRASVxFkeGt683+qRpRRU5p2voTp768ZrCUb38\
         K0fUxN0O0iC59DzYx8DFll5GmydPxSmme9v6ULbMFkl+V5B1TP/yPViV7KsLNmvKiLJH1pFkh/aYA2HXXZzNBXmIkoQoLd7YfW91kE9o/CCo\
         C1xMy7JA1ipwvKvfrs65ldmlu9bpG6A9BmzhuzF8Eim5f8ui9eH8LZH896+QIF61ka39VBrohr9iyMUJpvRX2Zbhl5ZJzSRxpJyoEZAFL2FU\
         o5fTIztsDZKEgM4cUA==",
    );
    request.assert_holds(&[
        r#""date": Tue, 20 Apr 2021 02:07:55 GMT"#,
        r#""@method": POST"#,
        r#""@path": /foo"#,
        r#""@query": ?param=Value&Pet=dog"#,
        r#""@authority": example.com"#,
        r#""content-type": application/json"#,
        &format!(r#""content-digest": {CONTENT_DIGEST}"#),
        r#""content-length": 18"#,
    ]);
}

#[test]
fn hmac_of_b_2_5() {
    let request = Request::test().sign(
        r#"("date" "@authority" "content-type");created=1618884473;keyid="test-shared-secret""#,
        "pxcQw6G3AjtMBQjwo8XzkZf/bws5LelbaMk5rGIGtE8=",
    );
    request.assert_holds(&[
        r#""date": Tue, 20 Apr 2021 02:07:55 GMT"#,
        r#""@authority": example.com"#,
        r#""content-type": application/json"#,
    ]);
}

#[test]
fn ed25519_of_b_2_6() {
    let request = Request::test().sign(
        r#"("date" "@method" "@path" "@authority" "content-type" "content-length");created=1618884473;keyid="test-key-ed25519""#,
        "wqcAqbmYJ2ji2glfAMaRy4gruYYnx2nEFN2HN6jrnDnQCK1u02Gb04v9EDgwUPiu4A0w6vuQv5lIp5WPpBKRCw==",
    );
    request.assert_holds(&[
        r#""date": Tue, 20 Apr 2021 02:07:55 GMT"#,
        r#""@method": POST"#,
        r#""@path": /foo"#,
        r#""@authority": example.com"#,
        r#""content-type": application/json"#,
        r#""content-length": 18"#,
    ]);
}

#[test]
fn proxy_of_b_3() {
    const CLIENT_CERT: &str = ":MIIBqDCCAU6gAwIBAgIBBzAKBggqhkjOPQQDAjA6MRswGQYDVQQKDBJMZXQncyBBdXRoZW50aWNhdGUxGzAZBgNV\
                               BAMMEkxBIEludGVybWVkaWF0ZSBDQTAeFw0yMDAxMTQyMjU1MzNaFw0yMTAxMjMyMjU1MzNaMA0xCzAJBgNVBAMMAkJD\
                               MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE8YnXXfaUgmnMtOXU/IncWalRhebrXmckC8vdgJ1p5Be5F/3YC8OthxM4\
                               +k1M6aEAEFcGzkJiNy6J84y7uzo9M6NyMHAwCQYDVR0TBAIwADAfBgNVHSMEGDAWgBRm3WjLa38lbEYCuiCPct0ZaSED\
                               2DAOBgNVHQ8BAf8EBAMCBsAwEwYDVR0lBAwwCgYIKwYBBQUHAwIwHQYDVR0RAQH/BBMwEYEPYmRjQGV4YW1wbGUuY29t\
                               MAoGCCqGSM49BAMCA0gAMEUCIBHda/r1vaL6G3VliL4/Di6YK0Q6bMjeSkC3dFCOOB8TAiEAx/kHSB4urmiZ0NX5r5Xa\
                               rmPk0wmuydBVoU4hBVZ1yhk=:";
    let mut request = Request { authority: "service.internal.example", ..Request::test() };
    request.add("client-cert", CLIENT_CERT);
    let request = request.sign(
        r#"("@path" "@query" "@method" "@authority" "client-cert");created=1618884473;keyid="test-key-ecc-p256""#,
        "xVMHVpawaAC/0SbHrKRs9i8I3eOs5RtTMGCWXm/9nvZzoHsIg6Mce9315T6xoklyy0yzhD9ah4JHRwMLOgmizw==",
    );
    request.assert_holds(&[
        r#""@path": /foo"#,
        r#""@query": ?param=Value&Pet=dog"#,
        r#""@method": POST"#,
        r#""@authority": service.internal.example"#,
        &format!(r#""client-cert": {CLIENT_CERT}"#),
    ]);
}

#[test]
fn transformations_of_b_4() {
    let signed = |method, authority, query, fields: &[(&'static str, &str)]| {
        let mut request = Request { method, authority, path: "/demo", query: Some(query), headers: HeaderMap::new() };
        for (name, value) in fields {
            request.add(name, value);
        }
        request.sign(
            r#"("@method" "@path" "@authority" "accept");created=1618884473;keyid="test-key-ed25519""#,
            "ZT1kooQsEHpZ0I1IjCqtQppOmIqlJPeo7DHR3SoMn0s5JZ1eRGS0A+vyYP9t/LXlh5QMFFQ6cpLt2m0pmj3NDA==",
        )
    };
    let query = "name1=Value1&Name2=value2";
    let (json, any) = (("accept", "application/json"), ("accept", "*/*"));
    for request in [
        signed("GET", "example.org", query, &[json, any]),
        // A field and a query parameter that are not covered.
        signed("GET", "example.org", "name1=Value1&Name2=value2&param=added", &[("accept-language", "en"), json, any]),
        // Lines that became one, and whitespace around it.
        signed("GET", "example.org", query, &[("accept", "  application/json, */*  ")]),
        // Other fields gone, or in another order.
        signed("GET", "example.org", query, &[("x", "1"), json, ("date", "now"), any]),
    ] {
        request.assert_holds(&[
            r#""@method": GET"#,
            r#""@path": /demo"#,
            r#""@authority": example.org"#,
            r#""accept": application/json, */*"#,
        ]);
    }
    for request in [
        signed("POST", "example.com", query, &[json, any]),
        signed("POST", "example.org", query, &[json, any]),
        signed("GET", "example.com", query, &[json, any]),
        signed("GET", "example.org", query, &[any, json]),
        signed("GET", "example.org", query, &[("accept", "application/json,*/*")]),
    ] {
        let (base, holds) = request.check();
        assert!(!holds, "{base}");
    }
}

#[test]
fn request_of_section_3_1() {
    let request = Request::test().sign(
        r#"("@method" "@authority" "@path" "content-digest" "content-length" "content-type");created=1618884473;keyid="test-key-rsa-pss""#,
        "HIbjHC5rS0BYaa9v4QfD4193TORw7u9edguPh0AW3dMq9WImrlFrCGUDih47vAxi4L2YRZ3XMJc1uOKk/J0ZmZ+wcta4nKIgBkKq0rM9hs3C\
         QyxXGxHLMCy8uqK488o+9jrptQ+xFPHK7a9sRL1IXNaagCNN3ZxJsYapFj+JXbmaI5rtAdSfSvzPuBCh+ARHBmWuNo1UzVVdHXrl8ePL4ccc\
         qlazIJdC4QEjrF+Sn4IxBQzTZsL9y9TP5FsZYzHvDqbInkTNigBcE9cKOYNFCn4D/WM7F6TNuZO9EgtzepLWcjTymlHzK7aXq6Am6sfOrpIC\
         49yXjj3ae6HRalVc/g==",
    );
    assert!(request.check().1);
}

/// A proxy has signed what came to it, with another authority, and says whose request it was.
#[test]
fn two_signatures_of_section_4_3() {
    let mut request = Request { authority: "origin.host.internal.example", ..Request::test() };
    request.add("forwarded", "for=192.0.2.123;host=example.com;proto=https");
    request.add(
        "signature-input",
        r#"sig1=("@method" "@authority" "@path" "content-digest" "content-type" "content-length");created=1618884475;keyid="test-key-ecc-p256", proxy_sig=("@method" "@authority" "@path" "content-digest" "content-type" "content-length" "forwarded");created=1618884480;keyid="test-key-rsa";alg="rsa-v1_5-sha256";expires=1618884540"#,
    );
    request.add(
        "signature",
        "sig1=:X5spyd6CFnAG5QnDyHfqoSNICd+BUP4LYMz2Q0JXlb//4Ijpzp+kve2w4NIyqeAuM7jTDX+sNalzA8ESSaHD3A==:",
    );
    request.add(
        "signature",
        "proxy_sig=:S6ZzPXSdAMOPjN/6KXfXWNO/f7V6cHm7BXYUh3YD/fRad4BCaRZxP+JH+8XY1I6+8Cy+CM5g92iHgxtRPz+MjniOaYmdkDcnL9cC\
         pXJleXsOckpURl49GwiyUpZ10KHgOEe11sx3G2gxI8S0jnxQB+Pu68U9vVcasqOWAEObtNKKZd8tSFu7LB5YAv0RAGhB8tmpv7sFnIm9y+7X\
         5kXQfi8NMaZaA8i2ZHwpBdg7a6CMfwnnrtflzvZdXAsD3LH2TwevU+/PBPv0B6NMNk93wUs/vfJvye+YuI87HU38lZHowtznbLVdp770I6VH\
         R6WfgS9ddzirrswsE1w5o0LV/g==:",
    );
    let candidates = request.candidates();
    let [sig1, proxy] = &candidates[..] else { panic!("there are two") };
    let base = proxy.base(&request.message()).expect("it has a base");
    assert!(holds(proxy, &base), "{base}");
    assert_eq!((proxy.label.as_str(), proxy.expires), ("proxy_sig", Some(1_618_884_540)));
    assert_eq!(KeyAlgorithm::RsaV15Sha256.check(proxy), Ok(()));
    assert!(KeyAlgorithm::RsaPssSha512.check(proxy).is_err());
    // The client's own signature is of the authority that the client saw.
    let base = sig1.base(&request.message()).expect("it has a base");
    assert!(!holds(sig1, &base));
    let base = sig1.base(&Message { authority: "example.com", ..request.message() }).expect("it has a base");
    assert!(holds(sig1, &base));
}

const IDENTIFIER: &str = "\"(@method|@target-uri|@path|@query|x)\"|\"x\";(sf|bs|key=\"[ab]\")|\"@query-param\";name=\"a\"\
                          |\"[@-~]{0,8}\"(;[a-z]{1,4}(=\"?[a-z?:]{0,3}\"?)?)?";
const PARAMETER: &str = "created=-?[0-9]{1,15}|(keyid|nonce|tag|alg)=\"[ -!]{0,3}\"|[a-z]{1,2}|[a-z]{1,8}=[!-~]{0,3}";

/// Texts that a regular expression matches.
fn regex(pattern: String) -> impl Strategy<Value = String> {
    string_regex(&pattern).expect("it is a regular expression")
}

proptest! {
    #[test]
    fn whatever_the_fields_say_is_answered(
        input in regex(format!("a=\\((({IDENTIFIER}) {{1,2}}){{0,3}}\\)(;({PARAMETER})){{0,3}}|[ -~]{{0,40}}")),
        signature in "a=:([A-Za-z0-9+/]{4}){0,3}:|a=:([A-Za-z0-9+/]{4}){0,3}:(, ?b=:AA==:)?|[ -~]{0,40}",
        digest in "((sha-256|sha-512|md5)=:[A-Za-z0-9+/=]{0,12}:,? ?){0,3}|[ -~]{0,40}",
        field in "(a=[a-z0-9;=]{0,4},? ?){0,3}|[ -~\t\u{e9}]{0,20}",
        path in "/[!-~]{0,8}|.{0,10}",
        query in "(a=.{0,3}&?){0,2}|.{0,20}",
    ) {
        let mut headers = HeaderMap::new();
        for (name, value) in [("signature-input", &input), ("signature", &signature), ("content-digest", &digest), ("x", &field)] {
            headers.insert(name, value.parse().expect("it is a field's value"));
        }
        let message = Message {
            method: "GET", scheme: "https", authority: "a", path: &path, query: Some(&query), headers: &headers, has_content: true,
        };
        for candidate in find(&headers).ok().flatten().unwrap_or_default() {
            let Ok(base) = candidate.base(&message) else { continue };
            prop_assert!(base.bytes().all(|byte| matches!(byte, b'\t' | b'\n' | b' '..=b'~')));
            prop_assert!(base.lines().count() == candidate.components().map_or(0, <[_]>::len) + 1);
        }
        prop_assert!(check_digest(&headers, b"content").is_err());
    }
}
