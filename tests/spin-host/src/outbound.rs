//! Requests the component sends: which are let through, how they are sent, and which error code a
//! failure becomes.
//!
//! Plaintext goes through one pooling client for all instances, as in Spin: HTTP/1.1, or HTTP/2 to
//! the one authority named by the environment variable Spin uses for it. TLS goes the way
//! wasmtime-wasi-http goes by default, without a pool and over HTTP/1.1 only. Redirects are the
//! component's business, and so are requests that ought to be tried again.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::uri::Scheme;
use http::{Request, Response, Uri, header};
use http_body::{Body, Frame, SizeHint};
use http_body_util::BodyExt;
use hyper_util::client::legacy::{self, Client};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::TcpStream;
use tokio::time::{Sleep, sleep, timeout};
use wasmtime_wasi_http::{Error, RequestOptions, WasiBody, WasiHttpHooks, default_send_request};

use crate::manifest::Component;

/// Spin's own default for each of the three time-outs.
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(600);

tokio::task_local! {
    /// The client takes no options per request, so this one travels beside it.
    static CONNECT_TIMEOUT: Duration;
}

type Io = Box<dyn Future<Output = Result<(), Error>> + Send>;
type Sent = Result<(Response<WasiBody>, Io), Error>;

/// The connections shared by all instances of all components.
#[derive(Clone)]
pub struct Clients {
    http1: Client<Connector, WasiBody>,
    http2: Client<Connector, WasiBody>,
    http2_authority: Option<String>,
}

impl Clients {
    pub fn new() -> Self {
        Self {
            http1: Client::builder(TokioExecutor::new()).build(Connector),
            http2: Client::builder(TokioExecutor::new()).http2_only(true).build(Connector),
            http2_authority: std::env::var("SPIN_OUTBOUND_H2C_PRIOR_KNOWLEDGE").ok(),
        }
    }

    fn of(&self, url: &Uri) -> &Client<Connector, WasiBody> {
        let authority = url.authority().map(http::uri::Authority::as_str);
        match self.http2_authority.as_deref() {
            Some(http2) if Some(http2) == authority => &self.http2,
            _ => &self.http1,
        }
    }

    async fn send(self, mut request: Request<WasiBody>, options: RequestOptions) -> Sent {
        // The client writes its own, which HTTP/2 must not have.
        request.headers_mut().remove(header::HOST);
        let connect_timeout = options.connect_timeout.unwrap_or(DEFAULT_TIMEOUT);
        let first_byte_timeout = options.first_byte_timeout.unwrap_or(DEFAULT_TIMEOUT);
        let response = CONNECT_TIMEOUT.scope(connect_timeout, self.of(request.uri()).request(request));
        let response = timeout(first_byte_timeout, response)
            .await
            .map_err(|_| Error::ConnectionReadTimeout)?
            .map_err(|error| to_error(&error))?;
        let between_bytes = options.between_bytes_timeout.unwrap_or(DEFAULT_TIMEOUT);
        let response = response.map(|incoming| TimedBody { incoming, between_bytes, waiting: None }.boxed_unsync());
        Ok((response, Box::new(async { Ok(()) })))
    }
}

/// What one instance may send.
pub struct Outbound {
    pub component: Arc<Component>,
    pub clients: Clients,
}

impl WasiHttpHooks for Outbound {
    fn send_request(
        &mut self,
        request: Request<WasiBody>,
        options: Option<RequestOptions>,
        _: Io,
    ) -> Box<dyn Future<Output = Sent> + Send> {
        if !self.component.allowed_hosts.allow(request.uri()) {
            return Box::new(async { Err(Error::HttpRequestDenied) });
        }
        let clients = self.clients.clone();
        let options = options.unwrap_or_default();
        if request.uri().scheme() == Some(&Scheme::HTTPS) {
            return Box::new(async move {
                let (response, io) = default_send_request(request, Some(options)).await?;
                Ok((response.map(BodyExt::boxed_unsync), Box::new(io) as Io))
            });
        }
        Box::new(clients.send(request, options))
    }
}

/// Opens the connections of plaintext requests.
#[derive(Clone)]
struct Connector;

impl tower_service::Service<Uri> for Connector {
    type Response = TokioIo<TcpStream>;
    type Error = NoConnection;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, NoConnection>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), NoConnection>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, url: Uri) -> Self::Future {
        let limit = CONNECT_TIMEOUT.get();
        Box::pin(async move {
            let host = url.host().unwrap_or_default().trim_start_matches('[').trim_end_matches(']');
            let addresses = tokio::net::lookup_host((host, url.port_u16().unwrap_or(80)));
            let addresses: Vec<_> = addresses.await.map_err(|_| NoConnection::NoAddress)?.collect();
            match timeout(limit, TcpStream::connect(&*addresses)).await {
                Ok(Ok(stream)) => Ok(TokioIo::new(stream)),
                Ok(Err(error)) if error.kind() == std::io::ErrorKind::AddrNotAvailable => Err(NoConnection::NoAddress),
                Ok(Err(_)) => Err(NoConnection::Refused),
                Err(_) => Err(NoConnection::TimedOut),
            }
        })
    }
}

#[derive(Clone, Copy, Debug)]
enum NoConnection {
    NoAddress,
    Refused,
    TimedOut,
}

impl std::fmt::Display for NoConnection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{self:?}")
    }
}

impl std::error::Error for NoConnection {}

/// Anything that goes wrong on a connection once it is there is a protocol error in Spin.
fn to_error(error: &legacy::Error) -> Error {
    match std::error::Error::source(error).and_then(|source| source.downcast_ref()) {
        Some(NoConnection::NoAddress) => {
            Error::DnsError { rcode: Some("address not available".to_owned()), info_code: Some(0) }
        }
        Some(NoConnection::Refused) => Error::ConnectionRefused,
        Some(NoConnection::TimedOut) => Error::ConnectionTimeout,
        None => Error::HttpProtocolError,
    }
}

/// A response's body that fails when it has been silent for too long.
struct TimedBody {
    incoming: hyper::body::Incoming,
    between_bytes: Duration,
    waiting: Option<Pin<Box<Sleep>>>,
}

impl Body for TimedBody {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        if let Poll::Ready(frame) = Pin::new(&mut self.incoming).poll_frame(cx) {
            self.waiting = None;
            return Poll::Ready(frame.map(|frame| frame.map_err(Error::from)));
        }
        let between_bytes = self.between_bytes;
        let waiting = self.waiting.get_or_insert_with(|| Box::pin(sleep(between_bytes)));
        waiting.as_mut().poll(cx).map(|()| Some(Err(Error::ConnectionReadTimeout)))
    }

    fn is_end_stream(&self) -> bool {
        self.incoming.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.incoming.size_hint()
    }
}
