//! A Redis of a test's own.

use edgate_kit::redis::Redis;
use std::net::SocketAddr;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// Sends a command as one would by hand, and gives back the answer.
async fn ask(address: SocketAddr, command: &str) -> String {
    let mut stream = TcpStream::connect(address).await.expect("it listens");
    stream.write_all(format!("{command}\r\n").as_bytes()).await.expect("it reads");
    let mut answer = vec![0; 64];
    let length = stream.read(&mut answer).await.expect("it answers");
    String::from_utf8_lossy(&answer[..length]).into_owned()
}

#[tokio::test]
async fn each_test_has_its_own() {
    let (a, b) = (Redis::start().await.expect("it starts"), Redis::start().await.expect("it starts"));
    assert_eq!(a.url(), format!("redis://{}", a.address()));
    assert_eq!(ask(a.address(), "SET key 1 NX PX 60000").await, "+OK\r\n");
    assert_eq!(ask(a.address(), "SET key 1 NX PX 60000").await, "$-1\r\n");
    assert_eq!(ask(b.address(), "SET key 1 NX PX 60000").await, "+OK\r\n");
}

#[tokio::test]
async fn another_one_takes_its_place() {
    let mut redis = Redis::start().await.expect("it starts");
    assert_eq!(ask(redis.address(), "SET key 1").await, "+OK\r\n");
    redis.restart().await.expect("it starts again");
    assert_eq!(ask(redis.address(), "GET key").await, "$-1\r\n");
}

#[tokio::test]
async fn it_ends_when_it_is_dropped() {
    let redis = Redis::start().await.expect("it starts");
    let address = redis.address();
    drop(redis);
    // It is killed at once, and gone when the kernel has seen to it.
    let gone = async { while TcpStream::connect(address).await.is_ok() {} };
    tokio::time::timeout(std::time::Duration::from_secs(5), gone).await.expect("it is gone");
}
