//! A Redis of a test's own.

use edgate_kit::redis::{Keeping, Redis};
use std::time::{Duration, Instant};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// Gives a command, and gives back the answer.
async fn ask(redis: &Redis, command: &str) -> String {
    let words: Vec<&str> = command.split(' ').collect();
    redis.command(&words).await.unwrap_or_else(|error| format!("{error:#}"))
}

#[tokio::test]
async fn each_test_has_its_own() {
    let (a, b) = (Redis::start().await.expect("it starts"), Redis::start().await.expect("it starts"));
    assert_eq!(a.url(), format!("redis://{}", a.address()));
    assert_eq!(ask(&a, "SET key 1 NX PX 60000").await, "OK");
    assert_eq!(ask(&a, "SET key 1 NX PX 60000").await, "");
    assert_eq!(ask(&b, "SET key 1 NX PX 60000").await, "OK");
}

#[tokio::test]
async fn another_one_takes_its_place() {
    let mut redis = Redis::start().await.expect("it starts");
    assert_eq!(ask(&redis, "SET key 1").await, "OK");
    redis.restart().await.expect("it starts again");
    assert_eq!(ask(&redis, "GET key").await, "");
}

#[tokio::test]
async fn it_ends_when_it_is_dropped() {
    let redis = Redis::start().await.expect("it starts");
    let address = redis.address();
    drop(redis);
    // It is killed at once, and gone when the kernel has seen to it.
    let gone = async { while TcpStream::connect(address).await.is_ok() {} };
    timeout(Duration::from_secs(5), gone).await.expect("it is gone");
}

#[tokio::test]
async fn one_that_keeps_values_has_them_when_it_was_killed() {
    let mut redis = Redis::start_that_keeps(Keeping::Values).await.expect("it starts");
    assert_eq!(ask(&redis, "SET key value").await, "OK");
    redis.kill().await;
    assert!(ask(&redis, "GET key").await.contains("refused"));
    redis.restart().await.expect("it starts again");
    assert_eq!(ask(&redis, "GET key").await, "value");
    assert_eq!(ask(&redis, "KEYS *").await, "key");
}

#[tokio::test]
async fn scripts_are_forgotten_when_the_test_wants() {
    let redis = Redis::start().await.expect("it starts");
    let hash = ask(&redis, "SCRIPT LOAD return{'a','b'}").await;
    assert_eq!(ask(&redis, &format!("EVALSHA {hash} 0")).await, "a\nb");
    redis.forget_scripts().await.expect("it does");
    assert!(ask(&redis, &format!("EVALSHA {hash} 0")).await.contains("NOSCRIPT"));
}

#[tokio::test]
async fn one_that_is_paused_answers_when_it_goes_on() {
    let redis = Redis::start().await.expect("it starts");
    redis.pause().expect("it stops");
    let pong = ask(&redis, "PING");
    tokio::pin!(pong);
    assert!(timeout(Duration::from_millis(100), &mut pong).await.is_err());
    redis.resume().expect("it goes on");
    assert_eq!(pong.await, "PONG");
    let (begin, time) = (Instant::now(), Duration::from_millis(100));
    redis.hold_back(time).await.expect("it does");
    assert_eq!(ask(&redis, "GET key").await, "");
    assert!(begin.elapsed() >= time);
}
