//! The Worker's entry, `src/cloudflare/entry.js`, on workerd, with a script in the core's place: what it does with the
//! platform's objects, and what it says of that. It needs no built gateway.

#[path = "entry/worker.rs"]
mod worker;

use anyhow::Result;
use edgate_kit::running::Running;
use edgate_kit::scenario::Request;
use edgate_kit::scenario::answer::{Answer, AnswerBody, Fault};
use edgate_kit::scenario::content::{Content, FieldsForm, RequestBody};
use edgate_kit::seen::values;
use edgate_kit::upstream::Upstream;
use edgate_kit::workerd::Objects;
use serde_json::{Value, json};
use std::time::Duration;
use worker::{PATIENCE, build, replies, run, start, step, told};

/// Signatures by OpenSSL, with their keys.
const SIGNATURES: &str = include_str!("entry/signatures.json");

fn hex(text: &str) -> String {
    text.bytes().map(|byte| format!("{byte:02x}")).collect()
}

/// A signature to check.
fn check(algorithm: &str, key: &str, jwk: &str, signature: &str, message: &str) -> Value {
    let length = (signature.len() / 2).to_string();
    json!({ "lines": ["C", algorithm, key, jwk, length], "bytes": format!("{signature}{}", hex(message)) })
}

struct Vectors {
    message: String,
    /// Algorithm, public key, private key where there is one, signature.
    algorithms: Vec<(String, String, Option<String>, String)>,
}

fn vectors() -> Vectors {
    let read: Value = serde_json::from_str(SIGNATURES).expect("it is JSON");
    let algorithms = read["algorithms"].as_object().expect("they are by name").iter();
    let algorithms = algorithms.map(|(name, of)| {
        let private = of.get("private").map(Value::to_string);
        (name.clone(), of["jwk"].to_string(), private, of["signature"].as_str().expect("it is text").to_owned())
    });
    Vectors { message: read["message"].as_str().expect("it is text").to_owned(), algorithms: algorithms.collect() }
}

#[test]
fn signatures_of_every_algorithm_are_checked() {
    run(async {
        let Vectors { message, algorithms } = vectors();
        assert_eq!(algorithms.len(), 9);
        let mut scripts = json!({});
        for (algorithm, jwk, _, signature) in &algorithms {
            let (rest, last) = signature.split_at(signature.len() - 1);
            let other = format!("{rest}{}", if last == "0" { "1" } else { "0" });
            scripts[format!("/{algorithm}")] = json!([
                check(algorithm, "", jwk, signature, &message),
                check(algorithm, "key", jwk, signature, &message),
                check(algorithm, "key", "", signature, &message),
                check(algorithm, "key", "", signature, &message[1..]),
                check(algorithm, "key", "", &other, &message),
                check(algorithm, "key", "", &signature[2..], &message),
                check(algorithm, "key", "", "", &message),
            ]);
        }
        for (algorithm, ..) in &algorithms {
            // Each algorithm has a key of this name, so each has an isolate of its own.
            let worker = start(scripts.clone(), Objects::None).await?;
            let (yes, no) = ("V\n1\n1", "V\n1\n0");
            assert_eq!(
                replies(&worker, &format!("/{algorithm}")).await?,
                [yes, yes, yes, no, no, no, no],
                "{algorithm}"
            );
        }
        Ok(())
    });
}

#[test]
fn key_that_is_none_verifies_nothing() {
    run(async {
        let Vectors { message, .. } = vectors();
        let keys = [
            ("RS256", r#"{"kty":"RSA","n":"AQAB","e":"AQAB"}"#),
            ("RS256", r#"{"kty":"RSA","n":"***","e":"AQAB"}"#),
            ("PS256", r#"{"kty":"RSA","e":"AQAB"}"#),
            ("ES256", r#"{"kty":"EC","crv":"P-256","x":"AAAA","y":"AAAA"}"#),
            ("ES384", r#"{"kty":"OKP","crv":"Ed25519","x":"AAAA"}"#),
            ("EdDSA", r#"{"kty":"OKP","crv":"Ed25519","x":"AAAA"}"#),
        ];
        let checks: Vec<Value> =
            keys.iter().map(|(algorithm, jwk)| check(algorithm, "bad", jwk, "0102", &message)).collect();
        let again = check("RS256", "bad", "", "0102", &message);
        let script: Vec<Value> = checks.into_iter().chain([again]).collect();
        let worker = start(json!({ "/": script }), Objects::None).await?;
        let mut expected = vec!["V\n1\n0"; keys.len()];
        expected.push("E\nunknown-key\n");
        assert_eq!(replies(&worker, "/").await?, expected);
        Ok(())
    });
}

#[test]
fn oldest_key_makes_room() {
    run(async {
        let Vectors { message, algorithms } = vectors();
        let (algorithm, jwk, _, signature) = algorithms.iter().find(|(name, ..)| name == "EdDSA").expect("it is there");
        let keys = (0..257).map(|number| check(algorithm, &number.to_string(), jwk, signature, &message));
        let again = ["0", "1"].map(|name| check(algorithm, name, "", signature, &message));
        let script: Vec<Value> = keys.chain(again).collect();
        let worker = start(json!({ "/": script }), Objects::None).await?;
        let replies = replies(&worker, "/").await?;
        assert_eq!(replies.iter().filter(|reply| *reply == "V\n1\n1").count(), 258);
        assert_eq!(replies[257..], ["E\nunknown-key\n", "V\n1\n1"]);
        Ok(())
    });
}

#[test]
fn private_keys_sign() {
    run(async {
        let Vectors { message, algorithms } = vectors();
        let mut scripts = json!({});
        for (algorithm, jwk, private, _) in &algorithms {
            let Some(private) = private else { continue };
            let sign = |jwk: &str| json!({ "lines": ["K", algorithm, "k", jwk], "bytes": hex(&message) });
            let check = json!({ "lines": ["C", algorithm, "", jwk, "64"], "signed": message });
            scripts[format!("/{algorithm}")] = json!([sign(""), sign(private), check, sign(""), check, sign("{}")]);
        }
        assert_eq!(scripts.as_object().map(|scripts| scripts.len()), Some(2));
        for (algorithm, _, _, signature) in algorithms.iter().filter(|(_, _, private, _)| private.is_some()) {
            let worker = start(scripts.clone(), Objects::None).await?;
            let replies = replies(&worker, &format!("/{algorithm}")).await?;
            assert_eq!([&replies[0], &replies[2], &replies[4]], ["E\nunknown-key\n", "V\n1\n1", "V\n1\n1"]);
            assert!(replies[5].starts_with("E\nother\n"), "{replies:?}");
            // EdDSA gives the same signature each time.
            let same = [&replies[1], &replies[3]].map(|reply| *reply == format!("B {signature}"));
            assert_eq!(same, [algorithm == "EdDSA"; 2]);
        }
        Ok(())
    });
}

/// A request that the gateway makes, of the client's header section (`1`) or of nothing (`0`).
fn fetch(upstream: &Upstream, path: &str, made_of: &str) -> Value {
    let url = format!("http://{}{path}", upstream.address());
    json!({ "lines": ["F", "POST", url, "bytes", "", "5000", "0", "", made_of, "0", "0"], "bytes": "00ff0a" })
}

fn answer(name: &str, body: AnswerBody) -> Answer {
    Answer { headers: FieldsForm(vec![("x-answer".to_owned(), name.to_owned())]), body, ..Answer::default() }
}

fn whole(text: &str) -> AnswerBody {
    AnswerBody::Whole(Content::Bytes(text.into()))
}

#[test]
fn own_requests_take_nobodys_place() {
    run(async {
        let mut upstream = Upstream::start().await?;
        let answers = [("first", "1"), ("upstream", "up"), ("second", "own"), ("third", "unread")];
        upstream.script(answers.map(|(name, body)| answer(name, whole(body))).to_vec()).await?;
        let own = fetch(&upstream, "/own", "0");
        let read = step(&["B", "{last}", "10", "5000"]);
        let answer = json!({ "raw": "A\n203\n{up}\n1\n0\n1\nx-added\n1" });
        let mut up = fetch(&upstream, "/up", "1");
        up["as"] = "up".into();
        let scripts = json!({ "/": [own, read, up, own, read, own, answer] });
        let worker = start(scripts, Objects::None).await?;
        let mut request = Request::new("GET", "/");
        request.headers.0.push(("x-client".to_owned(), "1".to_owned()));
        let response = worker.send(&request).await?;
        assert_eq!((response.status, response.body.text().as_ref()), (203, "up"));
        assert_eq!(values(&response.headers, "x-answer"), ["upstream"]);
        assert_eq!(values(&response.headers, "x-added"), ["1"]);
        let seen = upstream.take_seen(4, PATIENCE).await;
        assert_eq!(seen.iter().map(|seen| seen.target.as_str()).collect::<Vec<_>>(), ["/own", "/up", "/own", "/own"]);
        for seen in &seen {
            assert_eq!(seen.body.start, b"\0\xff\n");
            assert_eq!(values(&seen.headers, "content-length"), ["3"]);
            assert_eq!(values(&seen.headers, "x-client").len(), usize::from(seen.target == "/up"));
            assert!(values(&seen.headers, "content-type").is_empty());
        }
        Ok(())
    });
}

#[test]
fn own_response_is_seen_whole_and_can_be_the_answer() {
    run(async {
        let mut upstream = Upstream::start().await?;
        upstream.script(vec![answer("own", whole("body")), answer("own", whole("body"))]).await?;
        // Of the others, no field is wanted.
        let nothing = json!({ "raw": "I\n0\n0\n\nS\n{id}\n0" });
        let scripts = json!({
            "/seen": [nothing, fetch(&upstream, "/", "0")],
            "/answer": [fetch(&upstream, "/", "0"), { "raw": "A\n403\n{last}\n0\n0\n1\nx-made\n1" }],
        });
        let worker = start(scripts, Objects::None).await?;
        let reply = replies(&worker, "/seen").await?.remove(1);
        assert!(reply.starts_with("R\n200\n1\n") && reply.contains("x-answer\nown"), "{reply}");
        let response = worker.send(&Request::new("GET", "/answer")).await?;
        assert_eq!((response.status, response.body.text().as_ref()), (403, "body"));
        assert_eq!(values(&response.headers, "x-made"), ["1"]);
        assert!(values(&response.headers, "x-answer").is_empty());
        Ok(())
    });
}

#[test]
fn bodies_are_read_as_far_as_they_may() {
    run(async {
        let mut upstream = Upstream::start().await?;
        let slow = AnswerBody::Chunks { chunks: vec!["a".into(), "b".into()], every: Duration::from_secs(20) };
        let broken = Answer { fault: Some(Fault::Short), ..answer("broken", whole("abc")) };
        let all = vec![answer("whole", whole("abc")), answer("long", whole("abcd")), answer("slow", slow), broken];
        upstream.script(all).await?;
        let own = fetch(&upstream, "/", "0");
        let read = |whose: &str, ms: &str| step(&["B", whose, "3", ms]);
        let scripts = json!({
            "/own": [own, read("{last}", "5000"), own, read("{last}", "5000"), own, read("{last}", "20"), own, read("{last}", "5000")],
            "/request": [read("request", "5000"), read("request", "5000")],
        });
        let worker = start(scripts, Objects::None).await?;
        let own = replies(&worker, "/own").await?;
        assert_eq!([&own[1], &own[3], &own[5]], ["B 616263", "E\nbody-too-large\n", "E\ntimeout\n"]);
        assert!(own[7].starts_with("E\ndisconnected\n"), "{own:?}");
        for (chunked, content, reply) in
            [(false, "a\0\u{ff}", "E\nbody-too-large\n"), (true, "\0\n", "B 000a"), (false, "abc", "B 616263")]
        {
            let mut request = Request::new("POST", "/request");
            request.body = Some(RequestBody { content: Content::Bytes(content.into()), chunked });
            let told = told(&worker, &request).await?;
            assert_eq!(told[1], reply);
            assert!(told[2].starts_with("E\nother\n"), "a body is read once: {told:?}");
        }
        Ok(())
    });
}

#[test]
fn body_that_was_read_goes_to_the_upstream() {
    run(async {
        let mut upstream = Upstream::start().await?;
        upstream.script(vec![answer("upstream", whole("up"))]).await?;
        let scripts = json!({ "/": [step(&["B", "request", "100", "5000"]), fetch(&upstream, "/", "1")] });
        let worker = start(scripts, Objects::None).await?;
        let mut request = Request::new("POST", "/");
        request.body = Some(RequestBody { content: Content::Bytes(b"three".to_vec()), chunked: false });
        assert_eq!(told(&worker, &request).await?[1], format!("B {}", hex("three")));
        let seen = upstream.take_seen(1, PATIENCE).await.remove(0);
        assert_eq!((seen.body.start.as_slice(), seen.complete), (&b"\0\xff\n"[..], true));
        Ok(())
    });
}

#[test]
fn what_goes_on_behind_an_answer_has_bytes_of_its_own() {
    run(async {
        let mut upstream = Upstream::start().await?;
        upstream.script(vec![answer("behind", whole("1"))]).await?;
        // A task that goes on by itself takes its bytes at once, under the number of its own operation.
        let behind = json!([fetch(&upstream, "/behind", "0")]);
        let scripts = json!({ "/": [{ "behind": behind, "raw": "A\n200\nnone\n0\n0\n0" }] });
        let worker = start(scripts, Objects::None).await?;
        assert_eq!(worker.send(&Request::new("GET", "/")).await?.status, 200);
        assert_eq!(upstream.take_seen(1, PATIENCE).await.remove(0).body.start, b"\0\xff\n");
        Ok(())
    });
}

fn claim(key: &str, ttl: &str) -> Value {
    step(&["L", "0", ttl, key])
}

const FIRST: &str = "V\n1\n1";
const LATER: &str = "V\n1\n0";

#[test]
fn claim_is_for_whoever_comes_first() {
    run(async {
        let minute = "60000";
        let scripts = json!({
            "/claim": [claim("a", minute), claim("b\n", minute), claim("a", minute), claim("b\n", minute)],
            "/short": [claim("c", "1"), step(&["S", "20"]), claim("c", minute), claim("c", minute)],
            "/race": [claim("d", minute)],
        });
        let worker = start(scripts.clone(), Objects::Temporary).await?;
        assert_eq!(replies(&worker, "/claim").await?, [FIRST, FIRST, LATER, LATER]);
        assert_eq!(replies(&worker, "/short").await?, [FIRST, "V\n0", FIRST, LATER]);
        let race = (0..32).map(|_| replies(&worker, "/race"));
        let outcomes = futures(race).await?;
        assert_eq!(outcomes.iter().filter(|replies| **replies == [FIRST]).count(), 1);
        assert_eq!(outcomes.iter().filter(|replies| **replies == [LATER]).count(), 31);
        Ok(())
    });
}

#[test]
fn claim_outlives_its_process() {
    run(async {
        let folder = build()?.join("objects");
        std::fs::create_dir_all(&folder)?;
        let scripts = json!({ "/": [claim("a", "60000")] });
        for expected in [FIRST, LATER, LATER] {
            let worker = start(scripts.clone(), Objects::Folder(folder.clone())).await?;
            assert_eq!(replies(&worker, "/").await?, [expected]);
        }
        Ok(())
    });
}

#[test]
fn claim_without_a_place_is_denied() {
    run(async {
        let worker = start(json!({ "/": [claim("a", "60000")] }), Objects::None).await?;
        let denied = "E\ndenied\nno Durable Object namespace is bound as EDGATE_CLAIMS";
        assert_eq!(replies(&worker, "/").await?, [denied]);
        Ok(())
    });
}

/// The first lines that a script was given of a request.
async fn begun(worker: &Running, path: &str, cf: Option<&Value>) -> Result<Vec<String>> {
    let mut request = Request::new("GET", path);
    request.headers.0.extend(cf.map(|cf| ("CF-Blob".to_owned(), cf.to_string())));
    request.headers.0.push(("x-other".to_owned(), "1".to_owned()));
    let text = told(worker, &request).await?.swap_remove(0);
    assert!(!text.contains("cf-blob"), "{text}");
    Ok(text.split('\n').map(str::to_owned).collect())
}

#[test]
fn what_is_known_of_the_client_crosses_where_it_is_wished() {
    run(async {
        let wish = |words: &str| json!([{ "raw": format!("I\n0\n0\n{words}\nS\n{{id}}\n0") }]);
        let scripts = json!({
            "/": [], "/nothing": wish(""), "/country": wish("country"), "/all": wish("country certificate fields"),
            "/certificate": wish("certificate"),
        });
        let worker = start(scripts, Objects::None).await?;
        let cf = json!({ "country": "NO", "httpProtocol": "HTTP/2", "tlsClientAuth": {
            "certPresented": "1", "certVerified": "SUCCESS", "certRevoked": "0", "certFingerprintSHA256": "ab12",
            "certSubjectDNRFC2253": "CN=a\nx-forged\n1", "certIssuerDNRFC2253": "CN=ca", "certSerial": "0F",
            "certNotAfter": "Dec 22 19:39:00 2027 GMT", "certRFC9440": ":AAAA:",
        } });
        let known = r#"["NO","1","SUCCESS","0","ab12","CN=a\nx-forged\n1","CN=ca","0F","Dec 22 19:39:00 2027 GMT"]"#;
        let line = async |path: &str| begun(&worker, path, Some(&cf)).await.map(|mut lines| lines.swap_remove(3));
        assert_eq!(begun(&worker, "/", None).await?[2..4], ["", "[null]"]);
        assert_eq!(line("/").await?, known);
        line("/nothing").await?;
        assert_eq!(begun(&worker, "/country", Some(&cf)).await?[2..], ["HTTP/2", "", "cf-connecting-ip", "127.0.0.1"]);
        assert_eq!(line("/all").await?, r#"["NO"]"#);
        let all = begun(&worker, "/", Some(&cf)).await?;
        assert_eq!(all[3], known);
        assert!(all.contains(&"x-other".to_owned()), "{all:?}");
        let none = json!({ "country": null, "tlsClientAuth": { "certPresented": "0" } });
        assert_eq!(begun(&worker, "/certificate", Some(&none)).await?[3], "[null]");
        assert_eq!(begun(&worker, "/", Some(&none)).await?[3], "");
        assert_eq!(line("/").await?, known);
        Ok(())
    });
}

/// Waits for all of them.
async fn futures<T>(all: impl Iterator<Item = impl Future<Output = Result<T>>>) -> Result<Vec<T>> {
    let mut waiting: Vec<_> = all.map(|one| (Box::pin(one), None)).collect();
    std::future::poll_fn(|cx| {
        for (one, done) in waiting.iter_mut().filter(|(_, done)| done.is_none()) {
            if let std::task::Poll::Ready(result) = one.as_mut().poll(cx) {
                *done = Some(result);
            }
        }
        if waiting.iter().all(|(_, done)| done.is_some()) {
            std::task::Poll::Ready(())
        } else {
            std::task::Poll::Pending
        }
    })
    .await;
    waiting.into_iter().filter_map(|(_, done)| done).collect()
}
