//! Three small services to put a gateway before, `orders`, `users` and `echo`, and an `issuer` of tokens for it. They are
//! for people who try edgate out and for the examples of its documentation; they behave well, except where `echo` is
//! asked not to.

mod echo;
mod issuer;
mod orders;
mod users;

use anyhow::{Context, Result};
use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use serde_json::{Value, json};
use std::convert::Infallible;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

/// The port of `orders`; `users`, `echo` and `issuer` have the next three.
pub const PORT_BASE: u16 = 9101;

/// The services, in the order of their ports.
const SERVICES: [Service; 4] = [Service::Orders, Service::Users, Service::Echo, Service::Issuer];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Service {
    Orders,
    Users,
    Echo,
    Issuer,
}

/// What the services have for as long as they run.
struct State {
    orders: orders::Orders,
    issuer: issuer::Issuer,
}

/// Running services. They end when this is dropped.
#[derive(Debug)]
pub struct Demo {
    /// The name of each service and where it listens.
    pub addresses: Vec<(&'static str, SocketAddr)>,
    serving: JoinSet<()>,
}

/// A body that may still be coming, or break off.
type Body = http_body_util::combinators::UnsyncBoxBody<Bytes, std::io::Error>;

impl Service {
    fn name(self) -> &'static str {
        match self {
            Service::Orders => "orders",
            Service::Users => "users",
            Service::Echo => "echo",
            Service::Issuer => "issuer",
        }
    }

    async fn respond(self, request: Request<Incoming>, state: &State) -> Response<Body> {
        match self {
            Service::Orders => state.orders.respond(request).await,
            Service::Users => users::respond(&request),
            Service::Echo => echo::respond(request).await,
            Service::Issuer => state.issuer.respond(&request),
        }
    }
}

impl Demo {
    /// Starts the services on four ports from `port_base` on, or on free ones where it is 0.
    pub async fn start(port_base: u16) -> Result<Demo> {
        let mut demo = Demo { addresses: Vec::new(), serving: JoinSet::new() };
        let state = Arc::new(State { orders: orders::Orders::new(), issuer: issuer::Issuer::new()? });
        for (service, offset) in SERVICES.into_iter().zip(0..) {
            let port =
                if port_base == 0 { 0 } else { port_base.checked_add(offset).context("there is no such port")? };
            let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await.with_context(|| {
                let name = service.name();
                format!(
                    "cannot serve {name} on port {port}: stop what listens there, or choose others with --port-base"
                )
            })?;
            demo.addresses.push((service.name(), listener.local_addr().context("the listener has no address")?));
            demo.serving.spawn(accept(listener, service, Arc::clone(&state)));
        }
        Ok(demo)
    }

    /// Serves until a service ends, which none does.
    pub async fn serve(mut self) {
        self.serving.join_next().await;
    }
}

async fn accept(listener: TcpListener, service: Service, state: Arc<State>) {
    let mut connections = JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        connections.spawn(serve(stream, service, Arc::clone(&state)));
        while connections.try_join_next().is_some() {}
    }
}

async fn serve(stream: TcpStream, service: Service, state: Arc<State>) {
    // Without it small chunks wait for each other.
    let _ = stream.set_nodelay(true);
    let respond = service_fn(|request| {
        let state = Arc::clone(&state);
        async move { Ok::<_, Infallible>(service.respond(request, &state).await) }
    });
    let mut server = hyper::server::conn::http1::Builder::new();
    server.timer(TokioTimer::new());
    // A client that goes away is none of a server's worries.
    let _ = server.serve_connection(TokioIo::new(stream), respond).with_upgrades().await;
}

/// A JSON response.
fn answer(status: StatusCode, value: &Value) -> Response<Body> {
    let mut response =
        response(status, Full::from(format!("{value}\n")).map_err(|never| match never {}).boxed_unsync());
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

fn not_found(what: &str) -> Response<Body> {
    answer(StatusCode::NOT_FOUND, &json!({ "error": format!("there is no {what}") }))
}

fn response(status: StatusCode, body: Body) -> Response<Body> {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    response
}
