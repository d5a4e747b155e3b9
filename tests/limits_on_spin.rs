//! Limits that several hosts on Spin share, each with several instances: by one Redis, and in one key-value store. However
//! many clients ask at once, exactly as many requests as the limit says are let through, also where whoever counts goes
//! away and comes back.

#[path = "replay/hosts.rs"]
mod hosts;
#[path = "replay/start.rs"]
mod start;

use anyhow::{Context, Result, ensure};
use edgate_kit::redis::{Keeping, Redis};
use edgate_kit::running::Deployment;
use edgate_kit::scenario::answer::{Answer, AnswerBody};
use edgate_kit::scenario::content::Content;
use edgate_kit::scenario::{Abandon, HostName, Request};
use edgate_kit::seen::{End, values};
use edgate_kit::upstream::Upstream;
use hosts::{Hosts, Statuses};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::time::{Duration, Instant};
use tokio::time::sleep;

const CLIENTS: usize = 64;

/// For how long an instance leaves counters alone that could not be asked, and a little more.
const LEFT_ALONE: Duration = Duration::from_millis(1_100);

/// A limit of so many requests that come back too slowly to be seen.
fn limit(requests: usize, accuracy: &str, on_failure: &str, timeout: &str) -> Value {
    let rate = format!("{requests}/1d");
    json!({ "rate": rate, "key": "global", "accuracy": accuracy, "on_failure": on_failure, "timeout": timeout })
}

/// One that nobody may pass uncounted, and that waits for its counter.
fn exact(requests: usize) -> Value {
    limit(requests, "exact", "deny", "10s")
}

/// How often each client must ask so that all of them ask for more than there is.
fn enough(requests: usize) -> usize {
    (2 * requests).div_ceil(CLIENTS) + 1
}

fn sum(phases: &[Statuses]) -> Statuses {
    let mut all = Statuses::new();
    for (status, count) in phases.iter().flatten() {
        *all.entry(*status).or_default() += count;
    }
    all
}

#[tokio::test]
async fn hosts_on_one_redis_let_exactly_the_limit_through() -> Result<()> {
    for requests in [1, 100, 1_000] {
        let redis = Redis::start().await?;
        let hosts = Hosts::on_redis(3, &redis, &exact(requests)).await?;
        let statuses = hosts.ask(CLIENTS, enough(requests)).await?;
        hosts.let_through(&statuses, requests).await?;
    }
    Ok(())
}

#[tokio::test]
async fn hosts_on_one_store_let_exactly_the_limit_through() -> Result<()> {
    for requests in [1, 100, 1_000] {
        let folder = tempfile::tempdir()?;
        let hosts = Hosts::on_store(3, folder.path(), &exact(requests)).await?;
        let statuses = hosts.ask(CLIENTS, enough(requests)).await?;
        hosts.let_through(&statuses, requests).await?;
    }
    Ok(())
}

#[tokio::test]
async fn leases_let_no_more_than_the_limit_through() -> Result<()> {
    let redis = Redis::start().await?;
    for requests in [1, 100, 1_000] {
        redis.command(&["FLUSHALL"]).await?;
        let hosts = Hosts::on_redis(3, &redis, &limit(requests, "leased", "deny", "10s")).await?;
        let statuses = hosts.ask(CLIENTS, enough(requests)).await?;
        let admitted = statuses.get(&200).copied().unwrap_or_default();
        // How much less depends on how many instances have something left.
        ensure!((requests / 2..=requests).contains(&admitted), "{admitted} of {requests}: {statuses:?}");
        ensure!(statuses.keys().all(|status| matches!(status, 200 | 429)), "{statuses:?}");
    }
    Ok(())
}

#[tokio::test]
async fn redis_that_is_started_again_with_its_values_goes_on_counting() -> Result<()> {
    let mut redis = Redis::start_that_keeps(Keeping::Values).await?;
    let hosts = Hosts::on_redis(2, &redis, &exact(200)).await?;
    let before = hosts.ask(32, 4).await?;
    ensure!(before == Statuses::from([(200, 128)]), "{before:?}");
    // The instances keep their connections, which are dead then. It is not forgotten, and nobody notices.
    redis.restart().await?;
    let after = hosts.ask(32, 4).await?;
    hosts.let_through(&sum(&[before, after]), 200).await
}

#[tokio::test]
async fn redis_that_is_started_again_meanwhile_lets_nobody_past_the_limit() -> Result<()> {
    let mut redis = Redis::start_that_keeps(Keeping::Values).await?;
    let hosts = Hosts::on_redis(2, &redis, &exact(500)).await?;
    let (meanwhile, restarted) = tokio::join!(hosts.ask(CLIENTS, 8), async {
        sleep(Duration::from_millis(200)).await;
        redis.restart().await
    });
    restarted?;
    sleep(LEFT_ALONE).await;
    let all = sum(&[meanwhile?, hosts.ask(CLIENTS, 10).await?]);
    let admitted = all.get(&200).copied().unwrap_or_default();
    // Those that were under way may have been counted, and nobody knows: up to one for each client.
    ensure!((500 - CLIENTS..=500).contains(&admitted), "{all:?}, {:?}", hosts.complaint().await);
    ensure!(all.contains_key(&429), "{all:?}");
    Ok(())
}

#[tokio::test]
async fn redis_that_forgets_its_scripts_is_told_again_and_nobody_notices() -> Result<()> {
    let redis = Redis::start().await?;
    let hosts = Hosts::on_redis(2, &redis, &exact(500)).await?;
    let (statuses, forgotten) = tokio::join!(hosts.ask(CLIENTS, 16), async {
        for _ in 0..20 {
            redis.forget_scripts().await?;
            sleep(Duration::from_millis(20)).await;
        }
        anyhow::Ok(())
    });
    forgotten?;
    hosts.let_through(&statuses?, 500).await
}

/// What is answered while Redis is in a bad way, and that it counts again when it is well.
async fn breaks(on_failure: &str, meanwhile: u16) -> Result<()> {
    let mut redis = Redis::start_that_keeps(Keeping::Values).await?;
    let hosts = Hosts::on_redis(1, &redis, &limit(3, "exact", on_failure, "300ms")).await?;
    let ask = async || hosts.ask(1, 1).await.map(|statuses| statuses.keys().copied().collect::<Vec<_>>());
    ensure!(ask().await? == [200], "the first");
    redis.kill().await;
    ensure!(ask().await? == [meanwhile], "it is down");
    redis.restart().await?;
    sleep(LEFT_ALONE).await;
    ensure!(ask().await? == [200], "it is back");
    redis.pause()?;
    let begin = Instant::now();
    ensure!(ask().await? == [meanwhile], "it is slow");
    ensure!(begin.elapsed() < Duration::from_secs(3), "the time-out is 300 ms, and it took {:?}", begin.elapsed());
    redis.resume()?;
    sleep(LEFT_ALONE).await;
    // What nobody waited for may have been counted.
    let rest = [ask().await?, ask().await?];
    ensure!(rest[1] == [429] && matches!(rest[0][..], [200 | 429]), "it goes on: {rest:?}");
    let complaint = hosts.complaint().await.context("nobody says that it was down")?;
    ensure!(complaint.contains("its counters cannot be asked"), "{complaint}");
    Ok(())
}

#[tokio::test]
async fn redis_that_breaks_refuses_where_the_limit_says_so() -> Result<()> {
    breaks("deny", 503).await
}

#[tokio::test]
async fn redis_that_breaks_lets_through_where_the_limit_says_nothing() -> Result<()> {
    breaks("allow", 200).await
}

#[tokio::test]
async fn whoever_ends_with_a_ticket_holds_up_the_others_for_a_moment() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let hosts = Hosts::on_store(1, folder.path(), &exact(3)).await?;
    let begin = Instant::now();
    ensure!(hosts.ask(1, 1).await? == Statuses::from([(200, 1)]), "the first");
    let usual = begin.elapsed();
    // One more ticket than were served, and nobody has it.
    let values = folder.path().join("kv/default");
    let mut tickets = std::fs::read_dir(&values)?.map(|file| Ok(file?.path())).collect::<Result<Vec<_>>>()?;
    tickets.retain(|path| std::fs::read(path).is_ok_and(|value| value == 1u64.to_le_bytes()));
    ensure!(tickets.len() == 1, "{tickets:?}");
    std::fs::write(&tickets[0], 2u64.to_le_bytes())?;
    let begin = Instant::now();
    ensure!(hosts.ask(4, 1).await? == Statuses::from([(200, 2), (429, 2)]), "those behind it");
    let took = begin.elapsed();
    ensure!(took > Duration::from_millis(800) && took < Duration::from_secs(5), "{took:?}, and before {usual:?}");
    Ok(())
}

/// A gateway that lets one request through at a time, to an upstream that gives these answers.
async fn one_at_a_time(answers: Vec<Answer>) -> Result<(edgate_kit::running::Running, Upstream)> {
    let mut upstream = Upstream::start().await?;
    upstream.script(answers).await?;
    let url = format!("http://{}", upstream.address());
    let bindings = vec![
        ("LIMIT_ONE".to_owned(), json!({ "concurrency": 1, "key": "global", "lease": "10m", "on_failure": "deny" })),
        ("UPSTREAM_U".to_owned(), json!({ "url": url })),
        ("ROUTE_ONE".to_owned(), json!({ "match": { "path": "/one" }, "limits": ["one"], "upstream": "u" })),
    ];
    let stores = BTreeMap::from([("default".to_owned(), BTreeMap::new())]);
    let deployment = Deployment { bindings, stores, ..Deployment::default() };
    Ok((start::start(HostName::Spin, &deployment, vec![url]).await?, upstream))
}

fn chunks(chunks: usize, every: Duration) -> Answer {
    let chunks = vec!["chunk".to_owned(); chunks];
    Answer { body: AnswerBody::Chunks { chunks, every }, ..Answer::default() }
}

#[tokio::test]
async fn requests_are_held_until_the_end_of_their_answers() -> Result<()> {
    let (gateway, _upstream) =
        one_at_a_time(vec![chunks(10, Duration::from_millis(100)), chunks(1, Duration::ZERO)]).await?;
    let request = Request::new("GET", "/one");
    let (long, early) = tokio::join!(gateway.send(&request), async {
        sleep(Duration::from_millis(400)).await;
        gateway.send(&request).await
    });
    let (long, early) = (long?, early?);
    ensure!((long.status, early.status) == (200, 429), "{} and {}", long.status, early.status);
    ensure!(long.body.text() == "chunk".repeat(10), "{}", long.body.text());
    sleep(Duration::from_millis(200)).await;
    let later = gateway.send(&request).await?;
    ensure!(later.status == 200 && later.body.text() == "chunk", "{later:?}");
    Ok(())
}

#[tokio::test]
async fn answers_without_content_are_as_they_were() -> Result<()> {
    let whole = || Answer { body: AnswerBody::Whole(Content::Bytes(b"content".to_vec())), ..Answer::default() };
    let none = Answer { status: 204, body: AnswerBody::Whole(Content::Bytes(Vec::new())), ..Answer::default() };
    let (gateway, _upstream) = one_at_a_time(vec![whole(), whole(), none]).await?;
    for (method, status, content, length) in
        [("GET", 200, "content", Some("7")), ("HEAD", 200, "", Some("7")), ("GET", 204, "", None)]
    {
        let answer = gateway.send(&Request::new(method, "/one")).await?;
        ensure!(answer.status == status && answer.body.text() == content, "{method}: {answer:?}");
        ensure!(values(&answer.headers, "content-length").first().copied() == length, "{method}: {answer:?}");
        ensure!(answer.end == End::Complete, "{method}: {answer:?}");
        // It is given back behind the answer.
        sleep(Duration::from_millis(200)).await;
    }
    Ok(())
}

#[tokio::test]
async fn clients_that_go_away_hold_nothing_even_where_the_upstream_is_silent() -> Result<()> {
    let (gateway, _upstream) =
        one_at_a_time(vec![chunks(3, Duration::from_secs(20)), chunks(1, Duration::ZERO)]).await?;
    let request = Request::new("GET", "/one");
    let leaves = Request { abandon: Some(Abandon::AfterHead), ..request.clone() };
    gateway.send(&leaves).await?;
    let begin = Instant::now();
    while gateway.send(&request).await?.status != 200 {
        ensure!(begin.elapsed() < Duration::from_secs(8), "it is held");
        sleep(Duration::from_millis(100)).await;
    }
    Ok(())
}
