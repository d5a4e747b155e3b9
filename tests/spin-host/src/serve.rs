//! The HTTP server in front of the components: HTTP/1.1 and plaintext HTTP/2, as in Spin, without
//! TLS. A request that no component answers gets an empty 404, one that a component fails on an
//! empty 500.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;

use http::uri::Authority;
use http::{Request, Response, StatusCode, Uri, header};
use http_body_util::{BodyExt as _, Empty, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use tokio::net::{TcpListener, TcpStream};
use wasmtime::error::Context as _;
use wasmtime::{Result, bail};
use wasmtime_wasi_http::WasiBody;
use wasmtime_wasi_http::handler::ProxyHandler;

use crate::instance::Guest;
use crate::routes::Router;

const WELL_KNOWN: &str = "/.well-known/spin/";

pub struct Server {
    pub router: Router,
    /// By the name of the component.
    pub handlers: BTreeMap<String, ProxyHandler<Guest>>,
}

impl Server {
    pub async fn run(self: Arc<Self>, listener: TcpListener) -> Result<()> {
        loop {
            let (stream, peer) = listener.accept().await?;
            tokio::spawn(self.clone().serve(stream, peer));
        }
    }

    /// Serves one connection until it ends, for whatever reason: the client knows it already.
    async fn serve(self: Arc<Self>, stream: TcpStream, peer: SocketAddr) {
        let service = service_fn(move |request| self.clone().answer(request, peer));
        let _ = auto::Builder::new(TokioExecutor::new()).serve_connection(TokioIo::new(stream), service).await;
    }

    /// An error here closes the connection without an answer, which is what Spin does to requests
    /// whose host is missing or ambiguous.
    async fn answer(self: Arc<Self>, request: Request<Incoming>, peer: SocketAddr) -> Result<Response<WasiBody>> {
        let path = request.uri().path().to_owned();
        if let Some(name) = path.strip_prefix(WELL_KNOWN) {
            return Ok(if name == "health" { text("OK") } else { empty(StatusCode::NOT_FOUND) });
        }
        let Some(found) = self.router.find(&path) else {
            return Ok(empty(StatusCode::NOT_FOUND));
        };
        let (mut head, body) = request.into_parts();
        head.uri = absolute(head.uri, head.headers.get(header::HOST))?;
        let handled = async {
            found.describe(&mut head.headers, &head.uri, peer)?;
            let body = body.map_err(wasmtime_wasi_http::Error::from).boxed_unsync();
            self.handlers[found.component()].handle((), Request::from_parts(head, body)).await
        };
        Ok(handled.await.unwrap_or_else(|error| {
            eprintln!("component `{}` did not answer {path}: {error:#}", found.component());
            empty(StatusCode::INTERNAL_SERVER_ERROR)
        }))
    }
}

/// The URL a component sees names scheme and host. Both places for the host must agree.
fn absolute(url: Uri, host: Option<&header::HeaderValue>) -> Result<Uri> {
    let host = host.map(|host| Authority::try_from(host.as_bytes())).transpose().context("invalid host")?;
    let mut parts = url.into_parts();
    if let (Some(host), Some(authority)) = (&host, &parts.authority)
        && host != authority
    {
        bail!("the URL is for another host");
    }
    parts.authority = parts.authority.or(host);
    if parts.authority.is_none() {
        bail!("no host");
    }
    parts.scheme = Some(http::uri::Scheme::HTTP);
    Ok(Uri::from_parts(parts)?)
}

fn empty(status: StatusCode) -> Response<WasiBody> {
    let mut response = Response::new(Empty::new().map_err(|never| match never {}).boxed_unsync());
    *response.status_mut() = status;
    response
}

fn text(text: &'static str) -> Response<WasiBody> {
    Response::new(Full::from(text).map_err(|never| match never {}).boxed_unsync())
}
