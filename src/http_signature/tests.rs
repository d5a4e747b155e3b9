//! Requests that are signed as they must be, and what becomes of them when anything is changed. The vectors of RFC 9421
//! are in `tests/http_signature.rs`.

use super::Message;
use super::candidate::{Candidate, find};
use super::component::Identifier;
use super::digest::check_digest;
use super::flaw::Flaw;
use super::key::{KeyAlgorithm, check_mac};
use super::rules::Rules;
use base64ct::{Base64, Encoding};
use hmac::{Hmac, Mac};
use http::{HeaderMap, HeaderName};
use sha2::Sha256;

const SECRET: &[u8] = b"a secret of at least thirty-two bytes";
const NOW: f64 = 1_618_884_480.0;

/// A request, and the content that came with it.
#[derive(Clone)]
struct Request {
    method: &'static str,
    scheme: &'static str,
    authority: &'static str,
    path: &'static str,
    query: Option<&'static str>,
    headers: HeaderMap,
    content: &'static [u8],
}

impl Request {
    fn new() -> Request {
        let mut request = Request {
            method: "POST",
            scheme: "https",
            authority: "example.com",
            path: "/foo",
            query: Some("param=Value&Pet=dog"),
            headers: HeaderMap::new(),
            content: b"{\"hello\": \"world\"}",
        };
        request.set("date", "Tue, 20 Apr 2021 02:07:55 GMT");
        request.set("content-digest", "sha-256=:X48E9qOokqqrvdts8nOJRJN3OWDUoyWxBf7kbu9DBPE=:");
        request
    }

    fn message(&self) -> Message<'_> {
        Message {
            method: self.method,
            scheme: self.scheme,
            authority: self.authority,
            path: self.path,
            query: self.query,
            headers: &self.headers,
            has_content: !self.content.is_empty(),
        }
    }

    fn set(&mut self, name: &'static str, value: &str) {
        self.headers.insert(HeaderName::from_static(name), value.parse().unwrap());
    }

    fn get(&self, name: &str) -> String {
        self.headers[name].to_str().unwrap().to_owned()
    }

    fn candidate(&self) -> Candidate {
        find(&self.headers).unwrap().unwrap().remove(0)
    }

    /// Signs with [`SECRET`], whatever the rules.
    fn sign(&mut self, input: &str) {
        self.set("signature-input", &format!("sig={input}"));
        self.set("signature", "sig=::");
        let base = self.candidate().base(&self.message()).unwrap();
        let mac = Hmac::<Sha256>::new_from_slice(SECRET).unwrap().chain_update(base).finalize().into_bytes();
        self.set("signature", &format!("sig=:{}:", Base64::encode_string(&mac)));
    }

    /// All that a caller does, with one key: `key`.
    fn verify(&self, rules: &Rules) -> Result<(), Flaw> {
        let candidates = find(&self.headers)?.unwrap_or_default();
        let ours = candidates.iter().find(|candidate| candidate.key_id.as_deref() == Some("key"));
        let candidate = ours.ok_or(Flaw::WrongSignature)?;
        KeyAlgorithm::HmacSha256.check(candidate)?;
        rules.check(candidate, &self.message(), NOW)?;
        check_mac(SECRET, &candidate.base(&self.message())?, &candidate.signature)?;
        if candidate.covers_content() {
            check_digest(&self.headers, self.content)?;
        }
        Ok(())
    }
}

fn components(names: &[&str]) -> Vec<Identifier> {
    names.iter().map(|name| Identifier::parse(name).unwrap()).collect()
}

fn rules() -> Rules {
    let components = components(&Rules::COMPONENTS);
    Rules { components, max_age: 300.0, leeway: 30.0, tag: None, nonce_required: false }
}

const INPUT: &str = r#"("@method" "@target-uri" "content-digest" "date");created=1618884473;keyid="key""#;

fn signed(input: &str) -> Request {
    let mut request = Request::new();
    request.sign(input);
    request
}

#[track_caller]
fn assert_code(outcome: Result<(), Flaw>, code: &str, what: &str) {
    assert_eq!(outcome.map_or_else(|flaw| flaw.code(), |()| "ok"), code, "{what}");
}

#[test]
fn signature_holds_however_it_is_written() {
    for input in [
        INPUT,
        // The order is the signer's.
        r#"("date" "content-digest" "@target-uri" "@method");keyid="key";created=1618884473"#,
        // Parameters that nobody knows are signed like others.
        r#"("@method" "@target-uri" "content-digest");created=1618884473;keyid="key";x;y=1.5;z=:AA==:;t=@1;u=a/b"#,
        r#"("@method" "@target-uri" "content-digest");created=1618884473;keyid="key";alg="hmac-sha256";expires=1618884490"#,
        // All parts of the target are the target.
        r#"("@method" "@scheme" "@authority" "@path" "@query" "content-digest");created=1618884473;keyid="key""#,
        // A field is covered as a whole in three forms.
        r#"("@method" "@target-uri" "content-digest";sf);created=1618884473;keyid="key""#,
        r#"("@method" "@target-uri" "content-digest";bs);created=1618884473;keyid="key""#,
    ] {
        assert_eq!(signed(input).verify(&rules()), Ok(()), "{input}");
    }
}

#[test]
fn spelling_of_the_parameters_makes_no_difference() {
    let mut request = signed(INPUT);
    let input = request.get("signature-input").replace(" ", "   ").replace(";", ";  ");
    request.set("signature-input", &input);
    assert_eq!(request.verify(&rules()), Ok(()));
}

#[test]
fn signature_of_somebody_else_is_no_hindrance() {
    let mut request = signed(INPUT);
    for (name, other) in [
        ("signature-input", r#"other=("@status";req "@method" "@method");alg="x";keyid="other""#),
        ("signature", "other=:AAAA:"),
    ] {
        request.headers.append(HeaderName::from_static(name), other.parse().unwrap());
    }
    assert_eq!(request.verify(&rules()), Ok(()));
}

/// A name, a change, and the flaw that it makes.
type Change = (&'static str, fn(&mut Request), &'static str);

#[test]
fn nothing_that_is_covered_can_be_changed() {
    let changes: &[Change] = &[
        ("method", |request| request.method = "PUT", "wrong-signature"),
        ("method's case", |request| request.method = "post", "wrong-signature"),
        ("scheme", |request| request.scheme = "http", "wrong-signature"),
        ("authority", |request| request.authority = "example.org", "wrong-signature"),
        ("port", |request| request.authority = "example.com:8443", "wrong-signature"),
        ("path", |request| request.path = "/bar", "wrong-signature"),
        ("path's spelling", |request| request.path = "/f%6fo", "wrong-signature"),
        ("path's slash", |request| request.path = "/foo/", "wrong-signature"),
        ("query", |request| request.query = Some("param=Value&Pet=cat"), "wrong-signature"),
        ("query's order", |request| request.query = Some("Pet=dog&param=Value"), "wrong-signature"),
        ("no query", |request| request.query = None, "wrong-signature"),
        ("field", |request| request.set("date", "Tue, 20 Apr 2021 02:07:56 GMT"), "wrong-signature"),
        ("field twice", |request| _ = request.headers.append("date", "x".parse().unwrap()), "wrong-signature"),
        ("field's bytes", |request| request.set("date", "\u{e9}"), "unclear-component"),
        ("no field", |request| _ = request.headers.remove("date"), "missing-component"),
        ("content", |request| request.content = b"{}", "wrong-digest"),
        ("no content", |request| request.content = b"", "wrong-digest"),
        ("no digest", |request| _ = request.headers.remove("content-digest"), "missing-component"),
        ("digest", |request| request.set("content-digest", "sha-256=:AA==:"), "wrong-signature"),
    ];
    for (what, change, code) in changes {
        let mut request = signed(INPUT);
        change(&mut request);
        assert_code(request.verify(&rules()), code, what);
    }
}

#[test]
fn nothing_that_the_signature_says_can_be_changed() {
    let changes: &[(&str, &str, &str)] = &[
        ("created=1618884473", "created=1618884474", "wrong-signature"),
        ("created=1618884473", "created=1618884473;expires=1618884500", "wrong-signature"),
        (";created=1618884473", "", "no-created"),
        (r#"keyid="key""#, r#"keyid="other""#, "wrong-signature"),
        (r#"keyid="key""#, r#"keyid="key";x"#, "wrong-signature"),
        (r#"keyid="key""#, r#"keyid="key";alg="ed25519""#, "wrong-algorithm"),
        (r#"keyid="key""#, r#"keyid="key";alg="none""#, "wrong-algorithm"),
        (r#"keyid="key""#, r#"keyid="key";alg="""#, "wrong-algorithm"),
        (r#"keyid="key""#, r#"keyid="key";alg="hmac-sha256""#, "wrong-signature"),
        (r#"keyid="key""#, r#"keyid="key";tag="t""#, "wrong-signature"),
        (r#" "date""#, "", "wrong-signature"),
        (r#" "date""#, r#" "date";bs"#, "wrong-signature"),
        (r#" "date""#, r#" "date" "date""#, "repeated-component"),
        (r#" "date""#, r#" "@status""#, "unknown-component"),
        (r#""@method" "@target-uri""#, r#""@target-uri" "@method""#, "wrong-signature"),
        (r#" "content-digest""#, "", "uncovered-component"),
        (r#" "content-digest""#, r#" "content-digest";key="sha-256""#, "uncovered-component"),
        (r#""@method" "#, "", "uncovered-component"),
        ("sig=", "other=", "unpaired-signature"),
        ("sig=", "sig", "malformed-signature"),
    ];
    for (from, to, code) in changes {
        let mut request = signed(INPUT);
        let input = request.get("signature-input");
        assert!(input.contains(from), "{from}");
        request.set("signature-input", &input.replace(from, to));
        assert_code(request.verify(&rules()), code, to);
    }
}

#[test]
fn no_bit_of_the_signature_can_be_changed() {
    let request = signed(INPUT);
    let base = request.candidate().base(&request.message()).unwrap();
    let signature = request.candidate().signature;
    assert_eq!(check_mac(SECRET, &base, &signature), Ok(()));
    for bit in 0..signature.len() * 8 {
        let mut changed = signature.clone();
        changed[bit / 8] ^= 1 << (bit % 8);
        assert_eq!(check_mac(SECRET, &base, &changed), Err(Flaw::WrongSignature));
    }
    for length in 0..signature.len() {
        assert_eq!(check_mac(SECRET, &base, &signature[..length]), Err(Flaw::WrongSignature));
    }
    assert_eq!(check_mac(SECRET, &base, &[&signature[..], &[0]].concat()), Err(Flaw::WrongSignature));
    assert_eq!(check_mac(b"", &base, &signature), Err(Flaw::WrongSignature));
}

#[test]
fn signature_that_is_taken_away_is_missed() {
    for (name, code) in [("signature", "unpaired-signature"), ("signature-input", "unpaired-signature")] {
        let mut request = signed(INPUT);
        request.headers.remove(name);
        assert_code(request.verify(&rules()), code, name);
    }
    assert_eq!(find(&Request::new().headers), Ok(None));
}

#[test]
fn signature_has_its_time() {
    for (times, code) in [
        ("created=1618884480", "ok"),
        ("created=1618884510", "ok"),
        ("created=1618884511", "signature-from-future"),
        ("created=999999999999999", "signature-from-future"),
        ("created=1618884150", "ok"),
        ("created=1618884149", "signature-too-old"),
        ("created=0", "signature-too-old"),
        ("created=-1", "signature-too-old"),
        ("created=1618884480;expires=1618884450", "ok"),
        ("created=1618884480;expires=1618884449", "signature-expired"),
        ("created=1618884480;expires=-999999999999999", "signature-expired"),
        // What a signature says of its own end does not make it last longer.
        ("created=1618884149;expires=999999999999999", "signature-too-old"),
        ("expires=999999999999999", "no-created"),
    ] {
        let input = format!(r#"("@method" "@target-uri" "content-digest");{times};keyid="key""#);
        assert_code(signed(&input).verify(&rules()), code, times);
    }
}

#[test]
fn tag_and_nonce_are_as_asked_for() {
    let tagged = Rules { tag: Some("app".to_owned()), ..rules() };
    let once = Rules { nonce_required: true, ..rules() };
    for (parameters, rules, code) in [
        ("", &tagged, "wrong-tag"),
        (r#";tag="""#, &tagged, "wrong-tag"),
        (r#";tag="App""#, &tagged, "wrong-tag"),
        (r#";tag="app""#, &tagged, "ok"),
        (r#";tag="other""#, &rules(), "ok"),
        ("", &once, "no-nonce"),
        (r#";nonce="""#, &once, "no-nonce"),
        (r#";nonce="n""#, &once, "ok"),
    ] {
        let input = format!("{INPUT}{parameters}");
        assert_code(signed(&input).verify(rules), code, parameters);
    }
    assert_eq!(rules().lifetime(), 360.0);
}

#[test]
fn what_must_be_covered_is_what_the_rules_say() {
    for (wanted, covered, code) in [
        (&[][..], "", "ok"),
        (&["@method"], "", "uncovered-component"),
        (&["@method"], r#""@method""#, "ok"),
        (&["@target-uri"], r#""@scheme" "@authority" "@path""#, "uncovered-component"),
        (&["@target-uri"], r#""@authority" "@path" "@query""#, "uncovered-component"),
        (&["@target-uri"], r#""@query" "@path" "@authority" "@scheme""#, "ok"),
        (&["@path"], r#""@target-uri""#, "uncovered-component"),
        (&["@query"], r#""@query-param";name="Pet""#, "uncovered-component"),
        (&["@query-param;name=\"Pet\""], r#""@query-param";name="Pet""#, "ok"),
        (&["@query-param;name=\"Pet\""], r#""@query-param";name="param""#, "uncovered-component"),
        (&["Date"], r#""date""#, "ok"),
        (&["date"], r#""date";bs"#, "ok"),
        (&["date;bs"], r#""date""#, "uncovered-component"),
        (&["content-digest;key=\"sha-256\""], r#""content-digest";key="sha-256""#, "ok"),
        (&["content-digest;key=\"sha-256\""], r#""content-digest""#, "uncovered-component"),
    ] {
        let rules = Rules { components: components(wanted), ..rules() };
        let input = format!(r#"({covered});created=1618884473;keyid="key""#);
        assert_code(signed(&input).verify(&rules), code, &format!("{wanted:?}: {covered}"));
    }
}

#[test]
fn content_is_covered_where_there_is_content() {
    let input = r#"("@method" "@target-uri");created=1618884473;keyid="key""#;
    assert_code(signed(input).verify(&rules()), "uncovered-component", "content");
    let mut request = Request { content: b"", ..Request::new() };
    request.headers.remove("content-digest");
    request.sign(input);
    assert_eq!(request.verify(&rules()), Ok(()));
    // Content that is added afterwards is not covered.
    request.content = b"{}";
    assert_code(request.verify(&rules()), "uncovered-component", "content");
}

#[test]
fn components_of_a_configuration_are_read_or_explained() {
    for (text, identifier) in [
        ("@method", "\"@method\""),
        (" \"@target-uri\" ", "\"@target-uri\""),
        ("Content-Type", "\"content-type\""),
        ("\"x\"; sf; key=\"a\"", "\"x\";sf;key=\"a\""),
        ("@query-param;name=\"a\\\"b\"", "\"@query-param\";name=\"a\\\"b\""),
    ] {
        assert_eq!(Identifier::parse(text).map(|identifier| identifier.text).as_deref(), Ok(identifier));
    }
    for (text, part) in [
        ("", "not the name of a header field"),
        ("a b", "not the name of a header field"),
        ("@status", "a request has no status"),
        ("@signature-params", "covers its parameters already"),
        ("@metod", "it must be `@method`, `@target-uri`"),
        ("@method;sf", "without parameters but `name`"),
        ("@query-param", "it needs the parameter's name"),
        ("x;req", "signatures of responses"),
        ("x;tr", "trailers"),
        ("x;sf;bs", "`bs` by itself alone"),
        ("x;key=a", "`bs` by itself alone"),
        ("x;key=\"a", "`x;key=\"a` is no component of a request: "),
        ("x;", "`x;` is no component of a request: "),
        ("é", "is no component of a request: "),
        ("\u{0}", "is no component of a request: "),
    ] {
        let error = Identifier::parse(text).map(|identifier| identifier.text).expect_err(text);
        assert!(error.contains(part), "{error}");
    }
}

#[test]
fn every_flaw_has_its_own_code_and_a_sentence() {
    let name = || "\"x\"".to_owned();
    let flaws = [
        Flaw::Unpaired,
        Flaw::Malformed,
        Flaw::TooLarge,
        Flaw::UnknownComponent(name()),
        Flaw::RepeatedComponent(name()),
        Flaw::MissingComponent(name()),
        Flaw::UnclearComponent(name()),
        Flaw::UncoveredComponent(name()),
        Flaw::NoCreated,
        Flaw::FromFuture,
        Flaw::TooOld,
        Flaw::Expired,
        Flaw::WrongTag,
        Flaw::NoNonce,
        Flaw::WrongAlgorithm,
        Flaw::WrongSignature,
        Flaw::NoDigest,
        Flaw::MalformedDigest,
        Flaw::WrongDigest,
    ];
    let codes: std::collections::BTreeSet<_> = flaws.iter().map(Flaw::code).collect();
    assert_eq!(codes.len(), flaws.len());
    for flaw in flaws {
        let kebab = |byte: u8| byte == b'-' || byte.is_ascii_lowercase();
        assert!(flaw.code().bytes().all(kebab) && !flaw.to_string().ends_with('.'), "{flaw:?}");
    }
}
