//! The upstream, which counts what reaches it: a request that was admitted counts, whether its client hears of it or not.
//! It has a thread of its own, for as long as the process lives.

use anyhow::{Context, Result};
use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use std::collections::HashMap;
use std::convert::Infallible;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::net::TcpStream;

/// How many requests have come, by path.
#[derive(Debug, Clone, Default)]
pub struct Seen(Arc<Mutex<HashMap<String, u64>>>);

impl Seen {
    pub fn of(&self, path: &str) -> u64 {
        self.lock().get(path).copied().unwrap_or_default()
    }

    fn note(&self, path: &str) {
        *self.lock().entry(path.to_owned()).or_default() += 1;
    }

    /// Another task's panic leaves the numbers as good as they were.
    fn lock(&self) -> MutexGuard<'_, HashMap<String, u64>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Starts it on a free port.
pub fn start() -> Result<(SocketAddr, Seen)> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("no port for the upstream")?;
    let address = listener.local_addr().context("the listener has no address")?;
    listener.set_nonblocking(true).context("cannot prepare the upstream's socket")?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build().context("no runtime")?;
    let seen = Seen::default();
    let noted = seen.clone();
    std::thread::Builder::new()
        .name("upstream".to_owned())
        .spawn(move || runtime.block_on(accept(listener, noted)))
        .context("no thread for the upstream")?;
    Ok((address, seen))
}

async fn accept(listener: TcpListener, seen: Seen) {
    let Ok(listener) = tokio::net::TcpListener::from_std(listener) else { return };
    while let Ok((stream, _)) = listener.accept().await {
        tokio::spawn(serve(stream, seen.clone()));
    }
}

async fn serve(stream: TcpStream, seen: Seen) {
    let _ = stream.set_nodelay(true);
    let respond = service_fn(|request: Request<Incoming>| {
        seen.note(request.uri().path());
        async { Ok::<_, Infallible>(Response::new(Full::new(Bytes::from_static(b"yes\n")))) }
    });
    // A gateway that is killed breaks its connections.
    let _ = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), respond).await;
}
