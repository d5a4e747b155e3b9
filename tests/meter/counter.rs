//! A counter that writes down what it is told to, and what was used of what it gave.

use edgate::meter::{Act, Ask, Count, Meter};

/// When schedules begin: no round time.
pub const START_MS: u64 = 1_767_225_600_123;

#[derive(Debug, Clone, Default)]
pub struct Counter {
    pub state: Option<String>,
    /// Whether the state is there for ever.
    kept: bool,
    /// Until when somebody may forget the state.
    until_ms: u64,
}

impl Counter {
    /// One that nobody forgets.
    pub fn kept() -> Counter {
        Counter { state: None, kept: true, until_ms: 0 }
    }

    pub fn ask(&mut self, act: Act, meter: Meter, now_ms: u64) -> Count {
        // As stores do that are told how long it says anything.
        if now_ms >= self.until_ms && !self.kept {
            self.state = None;
        }
        let decision = Ask { act, meter }.decide(self.state.as_deref(), now_ms).expect("it can be asked");
        if decision.state != self.state {
            self.until_ms = now_ms.saturating_add(decision.keep_ms);
            self.state = decision.state;
        }
        decision.answer
    }

    pub fn take(&mut self, least: u64, most: u64, meter: Meter, now_ms: u64) -> Count {
        self.ask(Act::Take { least, most }, meter, now_ms)
    }

    pub fn look(&mut self, meter: Meter, now_ms: u64) -> Count {
        self.ask(Act::Look { least: 1 }, meter, now_ms)
    }
}

/// A calendar with windows of one length.
pub fn calendar(limit: u64, length: u64) -> impl Fn(u64) -> Meter {
    move |now| {
        let end_ms = (now / length + 1) * length;
        Meter::Until { limit, end_ms, next_ms: end_ms + length }
    }
}

/// So much was used, then.
#[derive(Debug, Clone, Copy)]
pub struct Used {
    pub at_ms: u64,
    pub amount: u64,
}

/// No interval in which more was used than a burst and what the rate gives in it. Whole numbers: nothing is rounded. The
/// intervals that matter begin and end with a use.
pub fn is_within_rate(used: &[Used], limit: u64, period_ms: u64, burst: u64) -> Result<(), String> {
    let used = sorted(used);
    for (at, from) in used.iter().enumerate() {
        let mut taken = 0;
        for to in &used[at..] {
            taken += u128::from(to.amount) * u128::from(period_ms);
            let time = u128::from(to.at_ms - from.at_ms);
            let most = u128::from(burst) * u128::from(period_ms) + u128::from(limit) * time;
            if taken > most {
                return Err(format!("{taken} instead of {most} from {} to {}: {used:?}", from.at_ms, to.at_ms));
            }
        }
    }
    Ok(())
}

/// No time of this length in which more was used than the limit.
pub fn is_within_span(used: &[Used], limit: u64, span_ms: u64) -> Result<(), String> {
    let used = sorted(used);
    for (at, from) in used.iter().enumerate() {
        let near = used[at..].iter().take_while(|to| to.at_ms - from.at_ms <= span_ms);
        let taken: u64 = near.map(|to| to.amount).sum();
        if taken > limit {
            return Err(format!("{taken} instead of {limit} in {span_ms} ms from {}: {used:?}", from.at_ms));
        }
    }
    Ok(())
}

/// No window of a calendar in which more was used than the limit.
pub fn is_within_calendar(used: &[Used], limit: u64, length_ms: u64) -> Result<(), String> {
    for window in sorted(used).chunk_by(|one, next| one.at_ms / length_ms == next.at_ms / length_ms) {
        let taken: u64 = window.iter().map(|used| used.amount).sum();
        if taken > limit {
            return Err(format!("{taken} instead of {limit} in one window of {length_ms}: {window:?}"));
        }
    }
    Ok(())
}

fn sorted(used: &[Used]) -> Vec<Used> {
    let mut used = used.to_vec();
    used.sort_by_key(|used| used.at_ms);
    used
}
