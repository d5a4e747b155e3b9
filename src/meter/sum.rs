//! A sum: amounts, each of which counts until it is due.

use super::line::{Line, Words};
use super::{Act, Count, ENTRIES, MOST, steady, wait};

/// A sum as a question finds it: what is due is gone.
pub struct Sum {
    limit: u64,
    now: u64,
    /// By how much that is later than the clock says.
    ahead: u64,
    /// When it is due what is taken now.
    due: u64,
    entries: Vec<Entry>,
    unreadable: bool,
    /// Whether there is something to write. What only went by is found again from the state as it was.
    pub changed: bool,
}

/// Amounts that are due at the same time.
struct Entry {
    due: u64,
    amount: u64,
}

/// When it was written, and what it had then.
fn parse(state: &str) -> Option<(u64, Vec<Entry>)> {
    let mut words = Words::of(state);
    if words.word()? != "sum" {
        return None;
    }
    let at = words.number()?;
    let mut entries: Vec<Entry> = Vec::new();
    let mut last = 0;
    while !words.is_at_end() {
        let entry = Entry { due: words.number()?, amount: words.number()? };
        if entry.due <= last || entry.amount == 0 || entries.len() == ENTRIES {
            return None;
        }
        last = entry.due;
        entries.push(entry);
    }
    (at < MOST).then_some((at, entries))
}

/// When something is due.
pub struct Terms {
    /// What is taken now. Later than now.
    pub due: u64,
    /// The latest that anything can be.
    pub latest: u64,
}

impl Terms {
    pub fn until(end_ms: u64, next_ms: u64, now: u64) -> Terms {
        if end_ms > now {
            return Terms { due: end_ms, latest: next_ms };
        }
        if next_ms > now {
            return Terms { due: next_ms, latest: next_ms };
        }
        let window = next_ms.saturating_sub(end_ms).max(1);
        let due = (now - (now - next_ms) % window).saturating_add(window).min(MOST);
        Terms { due, latest: due }
    }

    pub fn within(step_ms: u64, span_ms: u64, now: u64) -> Terms {
        let step = step_ms.max(1);
        let due = (now - now % step).saturating_add(step).saturating_add(span_ms).min(MOST);
        Terms { due, latest: due }
    }
}

impl Sum {
    pub fn read(limit: u64, terms: &dyn Fn(u64) -> Terms, state: Option<&str>, now: u64) -> Sum {
        let kept = state.map(parse);
        let unreadable = matches!(kept, Some(None));
        let (at, kept) = kept.flatten().unwrap_or_default();
        let (clock, (now, set_back)) = (now, steady(at, now));
        let Terms { due, latest } = terms(now);
        let mut sum = Sum { limit, now, ahead: now - clock, due, entries: Vec::new(), unreadable, changed: set_back };
        for entry in kept {
            if entry.due > latest {
                // Written down, or it would be due later with every question that is refused.
                sum.changed = true;
                sum.add(latest, entry.amount);
            } else if entry.due > now {
                sum.entries.push(entry);
            }
        }
        sum
    }

    fn used(&self) -> u64 {
        self.entries.iter().fold(0, |used: u64, entry| used.saturating_add(entry.amount).min(MOST))
    }

    /// Does what is asked, and says how much was taken.
    pub fn apply(&mut self, act: Act) -> u64 {
        match act {
            Act::Take { least, most } => {
                let taken = most.min(self.limit.saturating_sub(self.used()));
                let taken = if taken >= least { taken } else { 0 };
                self.add(self.due, taken);
                taken
            }
            Act::Charge { amount } => {
                self.add(self.due, amount);
                amount
            }
            Act::Return { amount, stamp } => {
                self.remove(stamp, amount);
                0
            }
            Act::Renew { amount, stamp } => {
                self.remove(stamp, amount);
                self.add(self.due, amount);
                amount
            }
            Act::Look { .. } => {
                self.changed = false;
                0
            }
            Act::Forget => {
                self.entries.clear();
                self.changed = true;
                0
            }
        }
    }

    fn add(&mut self, due: u64, amount: u64) {
        if amount == 0 {
            return;
        }
        self.changed = true;
        match self.entries.binary_search_by_key(&due, |entry| entry.due) {
            Ok(at) => {
                if let Some(entry) = self.entries.get_mut(at) {
                    entry.amount = entry.amount.saturating_add(amount).min(MOST);
                }
            }
            Err(at) => self.entries.insert(at, Entry { due, amount: amount.min(MOST) }),
        }
        // Nothing may count for less time than it has to.
        if self.entries.len() > ENTRIES
            && let Some(last) = self.entries.pop()
            && let Some(entry) = self.entries.last_mut()
        {
            *entry = Entry { due: last.due, amount: entry.amount.saturating_add(last.amount).min(MOST) };
        }
    }

    fn remove(&mut self, due: u64, amount: u64) {
        let Ok(at) = self.entries.binary_search_by_key(&due, |entry| entry.due) else { return };
        let Some(entry) = self.entries.get_mut(at) else { return };
        self.changed |= amount > 0;
        entry.amount = entry.amount.saturating_sub(amount);
        if entry.amount == 0 {
            self.entries.remove(at);
        }
    }

    /// In how long `least` could be taken: when so much is due that what is due later leaves room for it.
    fn retry_ms(&self, least: u64) -> u64 {
        if least == 0 {
            return 0;
        }
        let Some(room) = self.limit.checked_sub(least) else { return MOST };
        let mut later: u64 = 0;
        for entry in self.entries.iter().rev() {
            later = later.saturating_add(entry.amount);
            if later > room {
                return self.wait_for(entry);
            }
        }
        0
    }

    fn wait_for(&self, entry: &Entry) -> u64 {
        wait(entry.due.saturating_sub(self.now), self.ahead)
    }

    pub fn count(&self, taken: u64, least: u64) -> Count {
        Count {
            taken,
            left: self.limit.saturating_sub(self.used()),
            retry_ms: self.retry_ms(least),
            reset_ms: self.entries.last().map_or(0, |entry| self.wait_for(entry)),
            stamp: self.due,
            unreadable: self.unreadable,
        }
    }

    pub fn line(&self) -> String {
        let mut line = Line::default();
        line.word("sum").number(self.now);
        for entry in &self.entries {
            line.number(entry.due).number(entry.amount);
        }
        line.end()
    }
}
