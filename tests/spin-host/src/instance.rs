//! A component made ready to run, and the life of its instances: one takes up to 128 requests, 16
//! of them at once, and is dropped after a second without any. More are made while those there are
//! have their hands full. These are Spin's defaults; wasmtime-wasi-http does the work.

use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use tokio::time::Sleep;
use wasmtime::component::{GuestTaskId, HasSelf, Linker, ResourceTable};
use wasmtime::error::Context as _;
use wasmtime::{Engine, Result, Store, StoreContextMut};
use wasmtime_wasi::{WasiCtx, WasiCtxBuilder, WasiCtxView, WasiView};
use wasmtime_wasi_http::handler::{
    HandlerState, Instance, Proxy, ShouldAccept, WorkerExpiration, WorkerState, WorkerStatus,
};
use wasmtime_wasi_http::p3::bindings::ServicePre;
use wasmtime_wasi_http::{WasiHttpCtx, WasiHttpCtxView, WasiHttpView};

use crate::logs::{Echo, Log};
use crate::outbound::{Clients, Outbound};
use crate::{bindings, cache, manifest};

const REQUESTS: usize = 128;
const REQUESTS_AT_ONCE: usize = 16;
const IDLE: Duration = Duration::from_secs(1);

/// What the host functions of one instance work on.
pub struct State {
    pub table: ResourceTable,
    pub component: Arc<manifest::Component>,
    pub state_dir: Arc<PathBuf>,
    wasi: WasiCtx,
    http: WasiHttpCtx,
    outbound: Outbound,
}

impl WasiView for State {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView { ctx: &mut self.wasi, table: &mut self.table }
    }
}

impl WasiHttpView for State {
    fn http(&mut self) -> WasiHttpCtxView<'_> {
        WasiHttpCtxView { hooks: &mut self.outbound, table: &mut self.table, ctx: &mut self.http }
    }
}

/// A component that is linked and has its outputs: all that new instances are made of.
pub struct Guest {
    component: Arc<manifest::Component>,
    state_dir: Arc<PathBuf>,
    service: ServicePre<State>,
    clients: Clients,
    stdout: Log,
    stderr: Log,
}

/// What the guests of an application have in common.
pub struct Surroundings {
    pub engine: Engine,
    pub state_dir: Arc<PathBuf>,
    pub log_dir: PathBuf,
    pub clients: Clients,
    pub quiet: bool,
}

impl Guest {
    pub fn new(component: manifest::Component, around: &Surroundings) -> Result<Self> {
        let log = |name: &str, echo: Echo| {
            let path = around.log_dir.join(format!("{}_{name}.txt", component.id));
            Log::create(&path, if around.quiet { Echo::None } else { echo })
        };
        let (stdout, stderr) = (log("stdout", Echo::Stdout)?, log("stderr", Echo::Stderr)?);
        let compiled = cache::load(&around.engine, &component.source)?;
        let service = linker(&around.engine)?
            .instantiate_pre(&compiled)
            .and_then(ServicePre::new)
            .with_context(|| format!("{} cannot run here", component.source.display()))?;
        Ok(Self {
            component: Arc::new(component),
            state_dir: around.state_dir.clone(),
            service,
            clients: around.clients.clone(),
            stdout,
            stderr,
        })
    }

    fn state(&self) -> State {
        let environment: Vec<_> = self.component.environment.iter().collect();
        State {
            table: ResourceTable::new(),
            component: self.component.clone(),
            state_dir: self.state_dir.clone(),
            wasi: WasiCtxBuilder::new()
                .stdout(self.stdout.clone())
                .stderr(self.stderr.clone())
                .envs(&environment)
                .build(),
            http: WasiHttpCtx::new(),
            outbound: Outbound { component: self.component.clone(), clients: self.clients.clone() },
        }
    }
}

fn linker(engine: &Engine) -> Result<Linker<State>> {
    let mut linker = Linker::new(engine);
    wasmtime_wasi::p2::add_to_linker_async(&mut linker)?;
    wasmtime_wasi::p3::add_to_linker(&mut linker)?;
    wasmtime_wasi_http::p3::add_to_linker(&mut linker)?;
    bindings::Imports::add_to_linker::<_, HasSelf<State>>(&mut linker, |state| state)?;
    Ok(linker)
}

impl HandlerState for Guest {
    type StoreData = State;
    type WorkerExpiration = Expiration;
    type WorkerState = Limits;

    async fn instantiate(&self) -> Result<Instance<State, Expiration, Limits>> {
        let mut store = Store::new(self.service.engine(), self.state());
        let proxy = Proxy::P3(self.service.instantiate_async(&mut store).await?);
        Ok(Instance {
            store,
            proxy,
            view: State::http,
            expiration: Expiration(Box::pin(tokio::time::sleep(IDLE))),
            state: Limits,
        })
    }
}

/// Ends an instance that is idle. Requests and what they leave running have no limit.
pub struct Expiration(Pin<Box<Sleep>>);

impl WorkerExpiration for Expiration {
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>, status: WorkerStatus, since: Instant) -> Poll<()> {
        match status {
            WorkerStatus::Requests | WorkerStatus::PostReturn => Poll::Pending,
            WorkerStatus::Idle => {
                let end = (since + IDLE).into();
                if self.0.deadline() != end {
                    self.0.as_mut().reset(end);
                }
                self.0.as_mut().poll(cx)
            }
        }
    }
}

/// Decides how many requests an instance takes.
pub struct Limits;

impl WorkerState for Limits {
    type StoreData = State;
    type RequestData = ();

    fn should_accept_request(&self, at_once: usize, total: usize) -> ShouldAccept {
        match (at_once, total) {
            (_, REQUESTS..) => ShouldAccept::Never,
            (REQUESTS_AT_ONCE.., _) => ShouldAccept::No,
            _ => ShouldAccept::Yes,
        }
    }

    fn on_request_start(
        &self,
        _: StoreContextMut<'_, State>,
        (): (),
        _: GuestTaskId,
    ) -> Pin<Box<dyn Future<Output = ()> + Send + Sync>> {
        Box::pin(std::future::pending())
    }

    fn drop(&self, store: Store<State>, result: Result<()>) {
        if let Err(error) = result {
            eprintln!("component `{}` failed: {error:#}", store.data().component.id);
        }
    }
}
