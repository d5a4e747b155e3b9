//! An upstream that says when its connections end. What it answers stands in the path.

use anyhow::{Context, Result, ensure};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{JoinHandle, spawn_local};

pub struct Talker {
    address: SocketAddr,
    seen: Rc<RefCell<Seen>>,
    task: JoinHandle<()>,
}

#[derive(Default)]
struct Seen {
    /// How many connections for a path have begun and ended.
    begun: BTreeMap<String, usize>,
    ended: BTreeMap<String, usize>,
    open: usize,
    most_open: usize,
}

impl Talker {
    /// `/MS/TEXT` is answered with the text after so long, `/MS/TEXT/MS` gives half of it, and the rest after a pause, and
    /// `/hang` is not answered. What follows as a query only makes a path of its own.
    pub async fn start() -> Result<Talker> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let seen: Rc<RefCell<Seen>> = Rc::default();
        let shared = Rc::clone(&seen);
        let task = spawn_local(async move {
            while let Ok((stream, _)) = listener.accept().await {
                spawn_local(serve(stream, Rc::clone(&shared)));
            }
        });
        Ok(Talker { address, seen, task })
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// Waits until as many connections for a path have ended as have begun, of which there must be one.
    pub async fn ended(&self, path: &str) -> Result<()> {
        for _ in 0..200 {
            let count = |all: &BTreeMap<String, usize>| all.get(path).copied().unwrap_or_default();
            let (begun, ended) = (count(&self.seen.borrow().begun), count(&self.seen.borrow().ended));
            if begun > 0 && begun == ended {
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        let begun = self.seen.borrow().begun.contains_key(path);
        ensure!(begun, "no request for {path} came");
        Err(anyhow::anyhow!("the connection for {path} does not end"))
    }

    /// Waits until there is no connection.
    pub async fn is_quiet(&self) -> Result<()> {
        for _ in 0..200 {
            if self.seen.borrow().open == 0 {
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        Err(anyhow::anyhow!("{} connections are still open", self.seen.borrow().open))
    }

    /// The most connections that there were at the same time.
    pub fn most_open(&self) -> usize {
        self.seen.borrow().most_open
    }
}

impl Drop for Talker {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn serve(mut stream: TcpStream, seen: Rc<RefCell<Seen>>) {
    let Ok(path) = path(&mut stream).await else { return };
    {
        let mut seen = seen.borrow_mut();
        *seen.begun.entry(path.clone()).or_default() += 1;
        seen.open += 1;
        seen.most_open = seen.most_open.max(seen.open);
    }
    let (mut reader, mut writer) = stream.split();
    let answer = async {
        let way = path.split('?').next().unwrap_or_default();
        let words: Vec<&str> = way.split('/').skip(1).collect();
        let wait = async |ms: &str| tokio::time::sleep(Duration::from_millis(ms.parse().unwrap_or_default())).await;
        if let [ms, text, pause @ ..] = words.as_slice() {
            wait(ms).await;
            let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\nconnection: close\r\n\r\n", text.len());
            let (first, rest) = text.split_at(if pause.is_empty() { text.len() } else { text.len() / 2 });
            writer.write_all(format!("{head}{first}").as_bytes()).await?;
            if let [pause, ..] = pause {
                wait(pause).await;
                writer.write_all(rest.as_bytes()).await?;
            }
        } else {
            std::future::pending::<()>().await;
        }
        writer.shutdown().await
    };
    let gone = async {
        let mut rest = [0; 1024];
        while reader.read(&mut rest).await.is_ok_and(|count| count > 0) {}
    };
    tokio::select! { _ = answer => {}, () = gone => {} }
    let mut seen = seen.borrow_mut();
    *seen.ended.entry(path).or_default() += 1;
    seen.open -= 1;
}

/// Reads a head, and gives the target.
async fn path(stream: &mut TcpStream) -> Result<String> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await?);
    }
    let text = String::from_utf8_lossy(&head).into_owned();
    Ok(text.split(' ').nth(1).context("no target")?.to_owned())
}
