//! The tokens of an issuer that were taken back. A filter over all of them is kept in the instance, so that the common
//! case costs no read; what it does not rule out is looked up.

use crate::event::{Level, Subject, event};
use crate::host::SharedHost;
use crate::renewed::{Held, Renewed};
use crate::revocation::filter::Filter;
use crate::revocation::{Entry, Kind, entry_key, filter_key};
use std::rc::Rc;
use std::time::Duration;

/// The list of an issuer's revoked tokens.
pub struct Revocations {
    /// The issuer's name in the configuration.
    pub name: Rc<str>,
    pub store: Rc<str>,
    pub refresh: Duration,
    pub cell: Rc<Renewed<Filter>>,
}

/// Whether a token was taken back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    Good,
    Revoked,
    /// The list was never there to be read.
    Unavailable,
}

/// How long a store may take.
const STORE: Duration = Duration::from_secs(5);

/// While there is no list at all, the store is asked again after this time, in milliseconds.
const RETRY: f64 = 1_000.0;

impl Revocations {
    /// Whether a token was taken back, by its identifier or by its subject.
    pub async fn check(
        self: &Rc<Self>,
        host: &SharedHost,
        id: Option<&str>,
        subject: Option<&str>,
        issued: Option<f64>,
    ) -> Answer {
        let Some(filter) = self.filter(host).await else { return Answer::Unavailable };
        for (kind, value) in [(Kind::Token, id), (Kind::Subject, subject)] {
            let Some(value) = value.filter(|value| filter.may_contain(kind, value)) else { continue };
            match host.get(&self.store, &entry_key(&self.name, kind, value)).await {
                Ok(None) => {}
                Ok(Some(entry)) => match Entry::parse(&entry) {
                    Ok(entry) if !entry.applies(kind, issued, host.now().0 / 1000.0) => {}
                    // An entry that cannot be read was meant to take something back.
                    Ok(_) | Err(_) => return Answer::Revoked,
                },
                Err(error) => {
                    self.warn(host, &format!("the store of revoked tokens cannot be read: {error}"));
                    return Answer::Unavailable;
                }
            }
        }
        Answer::Good
    }

    async fn filter(self: &Rc<Self>, host: &SharedHost) -> Option<Rc<Filter>> {
        let now = host.now();
        let held = self.cell.held();
        let tried = self.cell.since_tried(now);
        match held {
            Some(held) => {
                if tried >= self.refresh.as_secs_f64() * 1000.0 {
                    self.begin(host);
                }
                Some(held.value)
            }
            None => {
                if tried >= RETRY {
                    self.begin(host);
                }
                self.cell.settled(host, STORE).await;
                self.cell.held().map(|held| held.value)
            }
        }
    }

    fn begin(self: &Rc<Self>, host: &SharedHost) {
        let (list, task_host) = (Rc::clone(self), Rc::clone(host));
        self.cell.begin(host, STORE, async move { list.read(&task_host).await });
    }

    async fn read(&self, host: &SharedHost) -> Option<Held<Filter>> {
        let since = host.now();
        let filter = match host.get(&self.store, &filter_key(&self.name)).await {
            // Nothing was taken back yet.
            Ok(None) => Ok(Filter::default()),
            Ok(Some(value)) => Filter::parse(&value),
            Err(error) => Err(error.to_string()),
        };
        match filter {
            Ok(filter) => Some(Held { value: Rc::new(filter), since }),
            Err(why) => {
                self.warn(host, &format!("the list of revoked tokens cannot be read: {why}"));
                None
            }
        }
    }

    fn warn(&self, host: &SharedHost, message: &str) {
        event(host, Level::Warning, Subject::Issuer(&self.name), message);
    }
}
