//! One try: clients send requests until the limit is used up and long after, something happens meanwhile, and what reached
//! the upstream is counted.

use crate::crowd::{CLIENTS, Tally, Until, count};
use crate::plan::{Accuracy, Case, Event};
use crate::site::Site;
use crate::upstream::Seen;
use anyhow::{Result, ensure};
use edgate_kit::crowd::becomes;
use edgate_kit::lines::Lines;
use serde_json::Value;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// What came of a try.
#[derive(Debug)]
pub struct Outcome {
    pub case: Case,
    pub tally: Arc<Tally>,
    /// What reached the upstream.
    pub admitted: u64,
    /// The same, when clients have come again after [`RETURNED`].
    pub later: Option<u64>,
    /// For how many requests a counter was asked. `None` where not all records are there.
    pub asked: Option<u64>,
    /// From the first request to the last, without those that came later.
    pub time: Duration,
    begun: Instant,
}

/// So many denials, and the limit is used up: more than four for each client.
const DENIED: u64 = 5 * CLIENTS as u64;

/// The longest that clients go on.
const TIME: Duration = Duration::from_secs(30);

/// By when an instance has given back what it has not spent, and no other one believes any more that nothing is there: 5 s
/// and 10 s (`src/limit.rs`, `src/limit/known.rs`).
pub const RETURNED: Duration = Duration::from_secs(11);

/// How long the last requests, and what is written of them, may take to arrive.
const ARRIVAL: Duration = Duration::from_secs(5);

/// Does a try.
pub async fn run(case: Case, site: &mut Site, seen: &Seen) -> Result<Outcome> {
    let path = case.path();
    let logs = site.logs();
    let tally = Arc::new(Tally::default());
    let begun = Instant::now();
    // Where each instance counts for itself, some that come and go may never say no.
    let until = Until { sent: 3 * case.limit + 4 * DENIED, denied: DENIED, time: TIME };
    let half = case.limit / 2;
    let addresses = site.addresses();
    match case.event {
        Event::Nothing => tally.crowd(&addresses, &path, until).await?,
        Event::Evicted => {
            tally.crowd(&addresses, &path, Until { sent: half, ..until }).await?;
            site.happens(case.event).await?;
            tally.crowd(&addresses, &path, Until { sent: until.sent + half, ..until }).await?;
        }
        Event::CountersKilled | Event::GatewayKilled => {
            let event = async {
                becomes(TIME, || seen.of(&path) >= half).await;
                let before = seen.of(&path);
                ensure!((half..case.limit).contains(&before), "{before} were admitted before it happened: {tally:?}");
                site.happens(case.event).await
            };
            tokio::try_join!(tally.crowd(&addresses, &path, until), event)?;
        }
    }
    let time = begun.elapsed();
    let answered = count(&tally.served) + count(&tally.denied) + count(&tally.refused);
    let asked = asked(&logs, &path, answered).await;
    let admitted = seen.of(&path);
    site.mend().await?;
    Ok(Outcome { case, tally, admitted, later: None, asked, time, begun })
}

/// Has the clients come again.
pub async fn again(outcome: &mut Outcome, site: &Site, seen: &Seen) -> Result<()> {
    let path = outcome.case.path();
    let until = Until { sent: 3 * outcome.case.limit + 4 * DENIED, denied: DENIED, time: TIME };
    Arc::new(Tally::default()).crowd(&site.addresses(), &path, until).await?;
    outcome.later = Some(seen.of(&path));
    Ok(())
}

/// For how many requests a counter was asked, by the records of all of them.
async fn asked(logs: &[Lines], path: &str, requests: u64) -> Option<u64> {
    let pattern = format!("\"path\":\"{path}\"");
    let records = || {
        let lines = logs.iter().flat_map(|log| log.since(0));
        lines.filter(|line| line.contains(&pattern)).collect::<Vec<_>>()
    };
    let complete = becomes(ARRIVAL, || records().len() as u64 >= requests).await;
    let records = records();
    let asks = records.iter().filter_map(|record| serde_json::from_str::<Value>(record).ok());
    let asks = asks.filter(|record| record["limits"][0]["by"] == "counter").count() as u64;
    (complete && records.len() as u64 == requests).then_some(asks)
}

impl Outcome {
    /// By how much more was admitted than may be.
    pub fn over(&self) -> u64 {
        let admitted = self.later.unwrap_or(self.admitted);
        admitted.saturating_sub(self.case.most(self.begun.elapsed()))
    }

    /// By how much less, when clients were told that there was nothing more.
    pub fn under(&self) -> u64 {
        self.case.limit.saturating_sub(self.admitted)
    }

    /// By how much less, when what instances had and did not spend had come back.
    pub fn under_later(&self) -> Option<u64> {
        self.later.map(|admitted| self.case.limit.saturating_sub(admitted))
    }

    /// Whether it is not as it is said to be. Where something has happened, or a counter did not answer, what was counted
    /// for a request that came to nothing is lost.
    pub fn is_wrong(&self) -> bool {
        let complete = count(&self.tally.refused) + count(&self.tally.broken) == 0 && self.case.event == Event::Nothing;
        let exact = self.case.accuracy == Accuracy::Exact;
        self.case.claims() && (self.over() > 0 || exact && complete && self.under() > 0)
    }
}
