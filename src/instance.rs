//! What lives as long as an instance: the gateway that serves, and when it was loaded. When an instance ends, nothing
//! is lost but the time to load again.
//!
//! A configuration in the bindings is loaded once. One in a key-value store is read again when it is older than the
//! configuration says; a version with a mistake is logged and left alone, and the last good one goes on serving, also
//! in instances that start later: it is kept in the store beside the document.

use crate::body::Body;
use crate::compile::{self, Loaded};
use crate::config::Source;
use crate::config::diagnostic::{Code, Diagnostic, Place};
use crate::config::document::{Kind, Sections, json_mistake, place_of};
use crate::config::json;
use crate::event::{Level, Subject, event};
use crate::gateway::Gateway;
use crate::host::{Capabilities, Incoming, SharedHost, Timestamp};
use crate::interest::Interest;
use crate::limit::Limit;
use bytes::Bytes;
use http::Response;
use std::cell::{Cell, RefCell};
use std::rc::Rc;

/// One instance of the gateway on a platform.
pub struct Instance {
    capabilities: Capabilities,
    sections: Sections,
    /// Mistakes in the bindings that were found before the sections could be told apart.
    mistakes: Vec<Diagnostic>,
    serving: RefCell<Option<Rc<Gateway>>>,
    /// What gateways of this instance have to see: it only grows, so that a message that began under one gateway can
    /// end under the next.
    interest: RefCell<Option<Rc<Interest>>>,
    /// Where the configuration is, if it is in a store, and which version of it was looked at last.
    stored: RefCell<Option<Stored>>,
    /// When the store was last asked, or began to be.
    asked: Cell<Timestamp>,
    /// When loading last came to nothing.
    failed: Cell<Option<Timestamp>>,
}

struct Stored {
    source: Source,
    seen: Option<Bytes>,
}

/// A stored document may be this large: it is held in memory while it is read.
const MOST_BYTES: usize = 8_000_000;

/// Where there is nothing to serve, the store is asked again after this time, not at every request.
const RETRY_MS: f64 = 1_000.0;

impl Instance {
    /// An instance that has loaded nothing yet.
    pub fn new(capabilities: Capabilities, sections: Sections, mistakes: Vec<Diagnostic>) -> Rc<Instance> {
        Rc::new(Instance {
            capabilities,
            sections,
            mistakes,
            serving: RefCell::new(None),
            interest: RefCell::new(None),
            stored: RefCell::new(None),
            asked: Cell::new(Timestamp::default()),
            failed: Cell::new(None),
        })
    }

    /// Answers a request.
    pub async fn handle(self: Rc<Self>, host: SharedHost, incoming: Incoming) -> Response<Body> {
        let gateway = self.gateway(&host).await;
        gateway.handle(&host, incoming).await
    }

    /// Does what is done on a schedule.
    pub async fn check(self: Rc<Self>, host: SharedHost) {
        let gateway = self.gateway(&host).await;
        gateway.check(&host).await;
    }

    /// The gateway that serves now.
    async fn gateway(self: &Rc<Self>, host: &SharedHost) -> Rc<Gateway> {
        let serving = self.serving.borrow().clone();
        match serving {
            Some(gateway) => {
                self.refresh(host);
                gateway
            }
            None if self.failed.get().is_some_and(|failed| host.now().since(failed) < RETRY_MS) => {
                Rc::new(Gateway::broken())
            }
            None => self.first_load(host).await,
        }
    }

    async fn first_load(self: &Rc<Self>, host: &SharedHost) -> Rc<Gateway> {
        let mut loaded = compile::load(&self.sections, Some(self.capabilities));
        loaded.diagnostics = [self.mistakes.as_slice(), &loaded.diagnostics].concat();
        let Some(source) = loaded.source.take().filter(|_| !loaded.diagnostics.iter().any(Diagnostic::is_error)) else {
            let gateway = self.finish(host, loaded).await.unwrap_or_else(Gateway::broken);
            return self.serve(gateway);
        };
        report(host, &loaded.diagnostics);
        *self.stored.borrow_mut() = Some(Stored { source: source.clone(), seen: None });
        self.asked.set(host.now());
        if let Some(gateway) = self.load_stored(host, &source, &source.key).await {
            return gateway;
        }
        match self.load_stored(host, &source, &last_good(&source)).await {
            Some(gateway) => {
                event(host, Level::Info, Subject::Configuration, "the last good configuration serves");
                gateway
            }
            None => {
                self.failed.set(Some(host.now()));
                Rc::new(Gateway::broken())
            }
        }
    }

    /// Reads the stored configuration again, behind the answer to a request, when it is old.
    fn refresh(self: &Rc<Self>, host: &SharedHost) {
        let stored = self.stored.borrow();
        let Some(Stored { source, .. }) = &*stored else { return };
        let age = host.now().since(self.asked.get());
        if age < compile::refresh(source).as_secs_f64() * 1000.0 {
            return;
        }
        self.asked.set(host.now());
        let (instance, source) = (Rc::clone(self), source.clone());
        let task_host = Rc::clone(host);
        host.wait_until(Box::pin(async move {
            let before = instance.serving.borrow().clone();
            let after = instance.load_stored(&task_host, &source, &source.key).await;
            if after.is_none() && before.is_some() {
                event(&task_host, Level::Info, Subject::Configuration, "the last good configuration goes on serving");
            }
        }));
    }

    /// Loads a stored document and serves it. `None`, and a log of every mistake, where it cannot be served; the
    /// gateway that serves already, where the document has not changed.
    async fn load_stored(self: &Rc<Self>, host: &SharedHost, source: &Source, key: &str) -> Option<Rc<Gateway>> {
        let document = match host.get(&source.store, key).await {
            Ok(Some(document)) if document.len() <= MOST_BYTES => document,
            other => {
                let why = match other {
                    Ok(Some(_)) => "it is larger than 8 MB".to_owned(),
                    Ok(None) => "there is no such key".to_owned(),
                    Err(error) => error.to_string(),
                };
                let message = format!("`{key}` of the store `{}` cannot be read: {why}", source.store);
                let place = Place::of(["gateway", "source"]);
                report(host, &[Diagnostic::new(Code::Unreadable, place, message, "this store")]);
                return None;
            }
        };
        if self.has_seen(&document) {
            return self.serving.borrow().clone();
        }
        let gateway = self.finish(host, read(&document, self.capabilities)).await;
        self.note(&document);
        let gateway = self.serve(gateway?);
        event(host, Level::Info, Subject::Configuration, "a configuration was loaded");
        if key == source.key {
            self.keep(host, source.clone(), document);
        }
        Some(gateway)
    }

    fn has_seen(&self, document: &Bytes) -> bool {
        self.stored.borrow().as_ref().is_some_and(|stored| stored.seen.as_ref() == Some(document))
    }

    fn note(&self, document: &Bytes) {
        if let Some(stored) = &mut *self.stored.borrow_mut() {
            stored.seen = Some(document.clone());
        }
    }

    /// Keeps a good document beside the one that people write, for instances that start when that one is bad.
    fn keep(&self, host: &SharedHost, source: Source, document: Bytes) {
        let task_host = Rc::clone(host);
        host.wait_until(Box::pin(async move {
            let key = last_good(&source);
            let kept = task_host.get(&source.store, &key).await;
            if matches!(&kept, Ok(Some(kept)) if *kept == document) {
                return;
            }
            if let Err(error) = task_host.put(&source.store, &key, document, None).await {
                event(
                    &task_host,
                    Level::Warning,
                    Subject::Configuration,
                    &format!("the last good configuration could not be kept: {error}"),
                );
            }
        }));
    }

    /// The header fields that the gateway has to see. `None` before there is one: then it is all of them.
    pub fn interest(&self) -> Option<Rc<Interest>> {
        self.interest.borrow().clone()
    }

    fn serve(&self, gateway: Gateway) -> Rc<Gateway> {
        let mut interest = gateway.interest();
        if let Some(known) = &*self.interest.borrow() {
            interest.add(known);
        }
        *self.interest.borrow_mut() = Some(Rc::new(interest));
        let gateway = Rc::new(gateway);
        *self.serving.borrow_mut() = Some(Rc::clone(&gateway));
        gateway
    }

    /// Fills in the secrets, and reports what is wrong.
    async fn finish(&self, host: &SharedHost, mut loaded: Loaded) -> Option<Gateway> {
        if let Some(gateway) = &loaded.gateway {
            // Routes share issuers and consumers.
            for slot in gateway.secrets().into_iter().filter(|slot| !slot.is_filled()) {
                let filled = match host.secret(&slot.name).await {
                    Some(secret) => slot.fill(secret),
                    None => Err("there is none of this name"),
                };
                if let Err(why) = filled {
                    let message = format!("the secret `{}` cannot be used: {why}", slot.name);
                    let place = Place::default();
                    loaded.diagnostics.push(Diagnostic::new(Code::MissingSecret, place, message, "no such secret"));
                }
            }
        }
        if let Some(gateway) = &loaded.gateway {
            loaded.diagnostics.extend(gateway.limits.iter().filter_map(|limit| unknown_zone(host, limit)));
        }
        report(host, &loaded.diagnostics);
        loaded.gateway.filter(|_| !loaded.diagnostics.iter().any(Diagnostic::is_error))
    }
}

/// A time zone that the platform does not know.
fn unknown_zone(host: &SharedHost, limit: &Limit) -> Option<Diagnostic> {
    let zone = limit.zone.as_deref().filter(|zone| host.offset(zone, host.now()).is_none())?;
    let place = place_of(Kind::Limit, &limit.name).key("zone");
    let message = format!("the platform knows no time zone `{zone}`");
    Some(Diagnostic::new(Code::BadValue, place, message, "not a zone"))
}

/// Where the last good version of a stored configuration is kept.
fn last_good(source: &Source) -> String {
    format!("{}.last-good", source.key)
}

fn read(document: &Bytes, capabilities: Capabilities) -> Loaded {
    let fail = |diagnostic| Loaded { gateway: None, source: None, diagnostics: vec![diagnostic] };
    let Ok(text) = std::str::from_utf8(document) else {
        return fail(Diagnostic::new(Code::BadSyntax, Place::default(), "the document is no UTF-8", "not UTF-8"));
    };
    let value = match json::parse(text) {
        Ok(value) => value,
        Err(error) => return fail(json_mistake(&error, Place::default(), "the document")),
    };
    let mut diagnostics = Vec::new();
    let sections = Sections::from_document(value, &mut diagnostics);
    let mut loaded = compile::load(&sections, Some(capabilities));
    if let Some(source) = &loaded.source {
        let message = format!("the document names another one, `{}`", source.key);
        let place = Place::of(["gateway", "source"]);
        diagnostics.push(Diagnostic::new(Code::SourceNotAlone, place, message, "only bindings have a source"));
    }
    diagnostics.append(&mut loaded.diagnostics);
    Loaded { diagnostics, ..loaded }
}

/// Logs every diagnostic, each as one JSON line.
fn report(host: &SharedHost, diagnostics: &[Diagnostic]) {
    for diagnostic in diagnostics {
        let record = serde_json::json!({
            "kind": "configuration",
            "level": diagnostic.code.severity().to_string(),
            "code": diagnostic.code.as_str(),
            "place": diagnostic.place.to_string(),
            "message": diagnostic.message,
            "help": diagnostic.help,
        });
        host.log(&record.to_string());
    }
}
