//! Runs a component written for Spin the way `spin up` does, as far as edgate can tell the
//! difference: the part of its command line that the tests use, and the platform's behaviour that
//! `docs/platforms.md` records. What edgate does not use is left out: TLS, triggers other than HTTP,
//! requests between components, databases, files.

mod allowed_hosts;
mod bindings;
mod cache;
mod increments;
mod instance;
mod key_value;
mod logs;
mod manifest;
mod outbound;
mod redis;
mod routes;
mod serve;
mod variables;

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use clap::Parser;
use tokio::net::TcpListener;
use wasmtime::error::Context as _;
use wasmtime::{Config, Engine, Result};
use wasmtime_wasi_http::handler::ProxyHandler;

/// A stand-in for `spin` where that cannot be installed.
#[derive(Parser)]
#[command(name = "edgate-spin-host", version)]
enum Command {
    Up(Up),
}

/// Serve an application.
#[derive(clap::Args)]
struct Up {
    /// The manifest, or the folder that holds a spin.toml.
    #[arg(short, long, alias = "file", default_value = "spin.toml")]
    from: PathBuf,
    /// Address to listen on; port 0 takes a free one.
    #[arg(long, default_value = "127.0.0.1:3000")]
    listen: String,
    /// Set a variable of the application; with @FILE, to what the file holds.
    #[arg(long = "variable", value_name = "NAME=VALUE", value_parser = pair)]
    variables: Vec<(String, String)>,
    /// Write a value to the store `default`; with @FILE, what the file holds.
    #[arg(long = "key-value", value_name = "KEY=VALUE", value_parser = pair)]
    key_values: Vec<(String, String)>,
    /// For key-value stores and logs [default: .spin beside the manifest].
    #[arg(long)]
    state_dir: Option<PathBuf>,
    /// For logs [default: the folder `logs` in that for state].
    #[arg(long)]
    log_dir: Option<PathBuf>,
    /// Keep the components' output out of the host's own.
    #[arg(short, long)]
    quiet: bool,
}

fn pair(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("must be NAME=VALUE")?;
    let value = match value.strip_prefix('@') {
        Some(path) => std::fs::read_to_string(path).map_err(|error| format!("cannot read {path}: {error}"))?,
        None => value.to_owned(),
    };
    Ok((name.to_owned(), value))
}

fn main() -> ExitCode {
    let Command::Up(up) = Command::parse();
    match run(up) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("Error: {}", format!("{error:#}").replace('\n', " "));
            ExitCode::FAILURE
        }
    }
}

#[tokio::main]
async fn run(up: Up) -> Result<()> {
    // On a thread of its own: a component that is busy for ever must not hold it up, and there is
    // nothing to tidy up.
    ctrlc::set_handler(|| std::process::exit(0))?;
    let address = up.listen.clone();
    let server = Arc::new(prepare(up)?);
    let listener = TcpListener::bind(&address).await.with_context(|| format!("cannot listen on {address}"))?;
    announce(&server, &format!("http://{}", listener.local_addr()?));
    server.run(listener).await
}

fn prepare(up: Up) -> Result<serve::Server> {
    let manifest = if up.from.is_dir() { up.from.join("spin.toml") } else { up.from };
    let state_dir = up.state_dir.unwrap_or_else(|| manifest.parent().unwrap_or(Path::new("")).join(".spin"));
    let variables: HashMap<_, _> = up.variables.into_iter().collect();
    let app = manifest::load(&manifest, |name| {
        variables.get(name).cloned().or_else(|| std::env::var(format!("SPIN_VARIABLE_{}", name.to_uppercase())).ok())
    })?;
    let store = key_value::Store::new(&state_dir, "default");
    for (key, value) in &up.key_values {
        store.set(key, value.as_bytes()).with_context(|| format!("cannot write the key-value pair {key:?}"))?;
    }
    let log_dir = up.log_dir.unwrap_or_else(|| state_dir.join("logs"));
    let around = instance::Surroundings {
        engine: Engine::new(Config::new().wasm_component_model_async(true))?,
        state_dir: Arc::new(state_dir),
        log_dir,
        clients: outbound::Clients::new(),
        quiet: up.quiet,
    };
    let handlers = app
        .components
        .into_iter()
        .map(|(id, component)| Ok((id, ProxyHandler::new(instance::Guest::new(component, &around)?))));
    Ok(serve::Server { handlers: handlers.collect::<Result<_>>()?, router: routes::Router::new(app.routes)? })
}

/// What `spin up` prints, for people and for tests that wait for it. Nobody has to be listening.
fn announce(server: &serve::Server, base: &str) {
    use std::io::Write as _;
    let mut out = std::io::stdout().lock();
    let _ = writeln!(out, "Serving {base}\nAvailable Routes:");
    for (route, component) in server.router.list() {
        let _ = match route.strip_suffix("/...") {
            Some(prefix) => writeln!(out, "  {component}: {base}{prefix} (wildcard)"),
            None => writeln!(out, "  {component}: {base}{route}"),
        };
    }
    let _ = out.flush();
}
