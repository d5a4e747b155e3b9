//! Durable Objects and rate limiters, in workerd's configuration.

use super::config::quote;
use super::{COMPATIBILITY_DATE, Counters, Objects};
use crate::running::Deployment;
use anyhow::{Context, Result, ensure};
use std::path::Path;
use std::process::Stdio;
use tokio::process::Command;

/// A class of edgate's Durable Objects, and its binding. Its name also tells its storage from that of other classes.
struct Class<'a> {
    binding: &'a str,
    name: &'a str,
}

const CLAIMS: Class<'_> = Class { binding: "EDGATE_CLAIMS", name: "EdgateClaims" };
const LIMITS: Class<'_> = Class { binding: "EDGATE_LIMITS", name: "EdgateLimits" };

/// The name of the socket on which counters are offered to other processes.
pub(super) const OFFERED: &str = "counters";

/// Internal modules, from which workerd makes bindings.
const LIMITER: &str = "kit:limiter";
const ELSEWHERE: &str = "kit:elsewhere";

/// What a configuration says of objects and limiters.
pub(super) struct Parts {
    /// Bindings of the gateway.
    pub bindings: Vec<String>,
    /// What else the gateway's Worker says.
    pub worker: String,
    pub services: String,
    /// A socket with this service's name.
    pub offered: bool,
    pub extensions: Vec<String>,
}

/// `folder` is where objects are kept, where there are any.
pub(super) fn parts(deployment: &Deployment, folder: Option<&Path>, counters: &Counters) -> Result<Parts> {
    let mut parts = Parts {
        bindings: Vec::new(),
        worker: String::new(),
        services: String::new(),
        offered: false,
        extensions: Vec::new(),
    };
    let others = deployment.objects.iter().map(|(binding, name)| Class { binding, name });
    let others: Vec<Class<'_>> = others.collect();
    if let Some(folder) = folder {
        let classes = if others.is_empty() { &[CLAIMS, LIMITS] } else { others.as_slice() };
        parts.keep(folder, classes)?;
        parts.bindings.extend(classes.iter().filter(|class| class.name != LIMITS.name).map(Class::binding));
    }
    match counters {
        Counters::Own | Counters::Offered if folder.is_none() || !others.is_empty() => {}
        Counters::Own => parts.bindings.push(LIMITS.binding()),
        Counters::Offered => {
            parts.bindings.push(LIMITS.binding());
            parts.offer();
        }
        Counters::At(address) => {
            let inner = "(name = \"counters\", service = \"counters\")";
            parts.bindings.push(wrapped(LIMITS.binding, ELSEWHERE, inner));
            parts.services += &format!("    (name = \"counters\", external = (address = \"{address}\", http = ())),\n");
            parts.extend(ELSEWHERE, include_str!("elsewhere.js"));
        }
    }
    for (binding, limiter) in &deployment.limiters {
        let number = |name: &str, value: u64| format!("(name = \"{name}\", json = \"{value}\")");
        let inner = [number("limit", limiter.limit), number("period", limiter.period)].join(", ");
        parts.bindings.push(wrapped(binding, LIMITER, &inner));
    }
    if !deployment.limiters.is_empty() {
        parts.extend(LIMITER, include_str!("limiter.js"));
    }
    Ok(parts)
}

impl Parts {
    /// workerd has SQL, and values that are read at once, for objects on a disk only.
    fn keep(&mut self, folder: &Path, classes: &[Class<'_>]) -> Result<()> {
        let folder = folder.canonicalize().with_context(|| format!("there is no {}", folder.display()))?;
        let path = quote(&folder.to_string_lossy());
        self.services += &format!("    (name = \"objects\", disk = (path = {path}, writable = true)),\n");
        let namespace = |Class { name, .. }: &Class<'_>| {
            format!("(className = \"{name}\", uniqueKey = \"{name}\", enableSql = true)")
        };
        let namespaces = classes.iter().map(namespace).collect::<Vec<_>>().join(", ");
        self.worker = format!(
            "      durableObjectNamespaces = [{namespaces}],\n      durableObjectStorage = (localDisk = \"objects\"),\n"
        );
        Ok(())
    }

    fn offer(&mut self) {
        let module = quote(include_str!("counters.js"));
        let class = LIMITS.name;
        self.offered = true;
        self.services += &format!(
            "    (name = \"{OFFERED}\", worker = (
      compatibilityDate = \"{COMPATIBILITY_DATE}\",
      modules = [(name = \"counters.js\", esModule = {module})],
      bindings = [(name = \"COUNTERS\", durableObjectNamespace = (className = \"{class}\", serviceName = \"gateway\"))],
    )),\n"
        );
    }

    fn extend(&mut self, name: &str, module: &str) {
        let module = format!("(name = \"{name}\", internal = true, esModule = {})", quote(module));
        self.extensions.push(format!("(modules = [{module}])"));
    }
}

impl Class<'_> {
    fn binding(&self) -> String {
        format!("(name = \"{}\", durableObjectNamespace = \"{}\")", self.binding, self.name)
    }
}

fn wrapped(binding: &str, module: &str, inner: &str) -> String {
    let binding = quote(binding);
    format!("(name = {binding}, wrapped = (moduleName = \"{module}\", innerBindings = [{inner}]))")
}

/// Where objects are kept.
pub(super) fn folder<'a>(objects: &'a Objects, temporary: &'a Path) -> Option<&'a Path> {
    match objects {
        Objects::None => None,
        Objects::Temporary => Some(temporary),
        Objects::Folder(folder) => Some(folder),
    }
}

/// Writes something else over every value of the objects that are kept in a folder, with Node's SQLite.
pub(super) async fn corrupt(node: &Path, folder: &Path) -> Result<()> {
    let mut command = Command::new(node);
    command.args(["--no-warnings", "--input-type=module", "--eval", include_str!("corrupt.js")]).arg(folder);
    let output = command.stdin(Stdio::null()).output().await.with_context(|| format!("no {}", node.display()))?;
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Ok(())
}
