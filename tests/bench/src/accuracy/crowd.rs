//! Many clients who want more than they may have: each sends one request after the other, whatever comes of it.

use anyhow::Result;
use edgate_kit::client::Connection;
use edgate_kit::crowd::together;
use edgate_kit::scenario::Request;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};
use tokio::time::sleep;

/// How many clients there are.
pub const CLIENTS: usize = 64;

/// The pause of a client whose request came to nothing: what is starting anew needs the processor.
const PAUSE: Duration = Duration::from_millis(20);

/// When the crowd has had enough: at whichever comes first.
#[derive(Debug, Clone, Copy)]
pub struct Until {
    pub sent: u64,
    pub denied: u64,
    pub time: Duration,
}

/// What came of the requests.
#[derive(Debug, Default)]
pub struct Tally {
    pub sent: AtomicU64,
    pub served: AtomicU64,
    /// 429.
    pub denied: AtomicU64,
    /// 503: the counter could not be asked.
    pub refused: AtomicU64,
    /// No answer.
    pub broken: AtomicU64,
}

impl Tally {
    /// Lets all clients send requests for a path until they have had enough. They share out the gateways.
    pub async fn crowd(self: &Arc<Tally>, gateways: &[SocketAddr], path: &str, until: Until) -> Result<()> {
        let begun = Instant::now();
        let clients = (0..CLIENTS).map(|number| {
            let (tally, gateways, path) = (Arc::clone(self), gateways.to_vec(), path.to_owned());
            async move {
                tally.client(&gateways, (number, &path), &until, begun).await;
                Ok(())
            }
        });
        together(clients).await.map(drop)
    }

    /// One whose gateway does not answer goes to the next one.
    async fn client(&self, gateways: &[SocketAddr], (number, path): (usize, &str), until: &Until, begun: Instant) {
        let request = Request::new("GET", path);
        let mut connection: Option<Connection> = None;
        let mut place = number;
        while self.goes_on(until, begun) {
            if connection.is_none() {
                let Some(&gateway) = gateways.get(place % gateways.len().max(1)) else { return };
                connection = Connection::open(gateway).await.ok();
            }
            let Some(open) = &mut connection else {
                place += 1;
                sleep(PAUSE).await;
                continue;
            };
            one_more(&self.sent);
            match open.send(&request).await.map(|response| response.status) {
                Ok(200) => one_more(&self.served),
                Ok(429) => one_more(&self.denied),
                Ok(_) => {
                    one_more(&self.refused);
                    sleep(PAUSE).await;
                }
                Err(_) => {
                    one_more(&self.broken);
                    connection = None;
                }
            }
        }
    }

    fn goes_on(&self, until: &Until, begun: Instant) -> bool {
        count(&self.sent) < until.sent && count(&self.denied) < until.denied && begun.elapsed() < until.time
    }
}

fn one_more(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}

/// The value of a counter.
pub fn count(counter: &AtomicU64) -> u64 {
    counter.load(Ordering::Relaxed)
}
