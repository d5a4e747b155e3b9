//! What an instance knows of a limit's counters, by the hashes of their keys: blocks that it may spend, denials that
//! last, the counters of a limit that is the instance's own, and which of the shared ones do not answer. Whatever is lost
//! here is asked for again, or has been counted already.

use super::outage::Outage;
use crate::bounded::Bounded;
use crate::meter::{Ask, Count, MOST};
use std::cell::{Cell, RefCell};
use std::rc::Rc;

/// Of how many keys an instance knows something, at some 200 bytes each.
const KEYS: usize = 10_000;

/// The longest that a denial is believed, in milliseconds: an operator may reset a counter, or what others have not used
/// comes back.
const MOST_DENIED_MS: u64 = 10_000;

/// How long the pace of a key is remembered, in milliseconds.
const PACE_MS: f64 = 60_000.0;

/// A block is at most this part of what was left, so that what an instance has and does not use is little.
const SHARE: u64 = 20;

/// For how long a counter may take to give a block, in milliseconds, until another request asks for one.
const ASKING_MS: f64 = 1_000.0;

/// What an instance knows of a limit's counters.
pub struct Known {
    denied: RefCell<Bounded<Denied>>,
    leases: RefCell<Bounded<Rc<Lease>>>,
    own: RefCell<Bounded<Rc<str>>>,
    pub outage: Outage,
}

#[derive(Clone, Copy)]
struct Denied {
    /// What was asked for: less may be there.
    cost: u64,
    /// When it will be there.
    retry_at: f64,
}

/// What an instance has of a counter.
#[derive(Default)]
pub struct Lease {
    blocks: RefCell<Vec<Rc<Block>>>,
    /// How large the next block may be, by how fast the last ones were used.
    size: Cell<u64>,
    /// How much the counter had left.
    left: Cell<u64>,
    /// Until when somebody else asks for a block.
    asking_until: Cell<f64>,
}

/// A block of what may be asked for, taken from a counter.
pub struct Block {
    pub left: Cell<u64>,
    taken: u64,
    pub stamp: u64,
    until: f64,
    /// When half of its time is over.
    half: f64,
}

impl Default for Known {
    fn default() -> Known {
        Known {
            denied: RefCell::new(Bounded::new(KEYS)),
            leases: RefCell::new(Bounded::new(KEYS)),
            own: RefCell::new(Bounded::new(KEYS)),
            outage: Outage::default(),
        }
    }
}

impl Known {
    /// In how many milliseconds this much will be there, where it is known not to be there before.
    pub fn denied(&self, key: &[u8; 32], cost: u64, now: f64) -> Option<u64> {
        let denied = self.denied.borrow_mut().get(key, now)?;
        (cost >= denied.cost).then_some(whole(denied.retry_at - now))
    }

    /// A counter has denied this much, and will for a while.
    pub fn deny(&self, key: [u8; 32], cost: u64, retry_ms: u64, now: f64) {
        let retry_at = now + retry_ms as f64;
        let until = now + retry_ms.min(MOST_DENIED_MS) as f64;
        self.denied.borrow_mut().put(key, Denied { cost, retry_at }, until);
    }

    /// Spends what the instance has, if it has as much. Gives back the stamp of the block.
    pub fn spend(&self, key: &[u8; 32], cost: u64, now: f64) -> Option<u64> {
        let lease = self.leases.borrow_mut().get(key, now)?;
        lease.drop_ended(now);
        let blocks = lease.blocks.borrow();
        let block = blocks.iter().find(|block| block.left.get() >= cost)?;
        block.left.set(block.left.get() - cost);
        if block.left.get() == 0 {
            lease.used_up(block, now);
        }
        Some(block.stamp)
    }

    /// How much to ask a counter for. One request at a time asks for a block: all that come at once would take all there
    /// is, and other instances get nothing.
    pub fn block_size(&self, key: &[u8; 32], cost: u64, now: f64) -> u64 {
        let Some(lease) = self.leases.borrow_mut().get(key, now) else { return cost };
        let size = lease.size.get().min(lease.left.get() / SHARE);
        if size <= cost || now < lease.asking_until.get() {
            return cost;
        }
        lease.asking_until.set(now + ASKING_MS);
        size
    }

    /// Keeps what a counter gave beyond `cost`, for as long as it may be spent: until `hold_ms` after `asked`. Gives back
    /// the block, where there is anything in it.
    pub fn keep(&self, key: [u8; 32], count: &Count, cost: u64, (asked, hold_ms): (f64, u64)) -> Option<Rc<Block>> {
        let mut leases = self.leases.borrow_mut();
        let lease = leases.get(&key, asked).unwrap_or_default();
        leases.put(key, Rc::clone(&lease), asked + PACE_MS);
        lease.left.set(count.left);
        let rest = count.taken.saturating_sub(cost);
        if rest == 0 {
            // Requests that had to ask for themselves alone are what the next block is for.
            lease.size.set(lease.size.get().max(1).saturating_add(cost).min(MOST));
            return None;
        }
        lease.asking_until.set(0.0);
        let until = asked + hold_ms as f64;
        let half = asked + hold_ms as f64 / 2.0;
        let block = Rc::new(Block { left: Cell::new(rest), taken: count.taken, stamp: count.stamp, until, half });
        lease.blocks.borrow_mut().push(Rc::clone(&block));
        Some(block)
    }

    /// Puts back what was spent of a block with this stamp. Where that has ended, or is used up, it has been counted: in a
    /// younger one it would be given back as if it had been taken later.
    pub fn put_back(&self, key: &[u8; 32], (cost, stamp): (u64, u64), now: f64) {
        if let Some(lease) = self.leases.borrow_mut().get(key, now)
            && let Some(block) = lease.blocks.borrow().iter().find(|block| block.until > now && block.stamp == stamp)
        {
            block.left.set(block.left.get() + cost);
        }
    }

    /// Asks a counter of the instance's own.
    pub fn ask(&self, key: [u8; 32], ask: &Ask, now: f64) -> Option<Count> {
        let mut own = self.own.borrow_mut();
        let state = own.get(&key, now);
        let decision = ask.decide(state.as_deref(), whole(now))?;
        match decision.state {
            Some(state) => own.put(key, Rc::from(state), now + decision.keep_ms as f64),
            None => own.remove(&key),
        }
        Some(decision.answer)
    }

    /// Forgets all of a key.
    pub fn forget(&self, key: &[u8; 32]) {
        self.denied.borrow_mut().remove(key);
        self.leases.borrow_mut().remove(key);
        self.own.borrow_mut().remove(key);
    }
}

impl Lease {
    fn drop_ended(&self, now: f64) {
        self.blocks.borrow_mut().retain(|block| {
            if block.until <= now {
                self.ended(block);
            }
            block.until > now && block.left.get() > 0
        });
    }

    /// Blocks that are used up in half of their time may be larger.
    fn used_up(&self, block: &Block, now: f64) {
        if now < block.half {
            self.size.set(block.taken.saturating_mul(2).min(MOST));
        }
    }

    /// Blocks that are not used up in all of their time are too large.
    fn ended(&self, block: &Block) {
        if block.left.get() > 0 {
            self.size.set(self.size.get().min(block.taken - block.left.get().min(block.taken)).max(1));
        }
    }
}

/// Milliseconds that are over, rounded up.
fn whole(ms: f64) -> u64 {
    // The cast saturates.
    ms.max(0.0).ceil() as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: [u8; 32] = [7; 32];

    fn gives(taken: u64, left: u64) -> Count {
        Count { taken, left, ..Count::default() }
    }

    #[test]
    fn one_request_at_a_time_asks_for_a_block() {
        let known = Known::default();
        assert_eq!(known.block_size(&KEY, 1, 0.0), 1);
        known.keep(KEY, &gives(1, 1_000), 1, (0.0, 5_000));
        let mut all: Vec<u64> = (0..64).map(|_| known.block_size(&KEY, 1, 1.0)).collect();
        all.sort_unstable();
        assert_eq!((all[62], all[63]), (1, 2));
        // One that never hears of its block holds the others up for a moment.
        assert_eq!(known.block_size(&KEY, 1, 1.0 + ASKING_MS), 2);
        known.keep(KEY, &gives(2, 900), 1, (2.0, 5_000));
        assert!(known.spend(&KEY, 1, 3.0).is_some());
        assert!(known.spend(&KEY, 1, 3.0).is_none());
        assert_eq!(known.block_size(&KEY, 1, 3.0), 4);
    }

    #[test]
    fn block_is_for_as_many_as_had_to_ask_and_a_small_part_of_what_is_left() {
        let known = Known::default();
        for _ in 0..30 {
            known.keep(KEY, &gives(1, 1_000), 1, (0.0, 5_000));
        }
        assert_eq!(known.block_size(&KEY, 1, 1.0), 31);
        known.keep(KEY, &gives(31, 100), 1, (1.0, 5_000));
        assert_eq!(known.block_size(&KEY, 1, 1.0), 5);
    }
}
