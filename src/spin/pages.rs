//! Counters in a key-value store, on pages that are changed by one at a time: whoever takes a ticket, by `increment` of
//! `wasi:keyvalue`, which is atomic, and waits for its turn. All that the requests of an instance ask of a page meanwhile
//! is asked with one ticket.
//!
//! Compare-and-swap would need one write instead of two, and cannot be relied on: on Spin 4 a swap that has seen no value
//! overwrites whatever is there (SQLite), may say that it failed and have taken place (Redis), and an instance has 256 of
//! them, for all its life (`docs/platforms.md`).
//!
//! An instance that ends with a ticket in its hand holds up the others, until they have waited for [`STALL`]. One that
//! takes longer than that between reading a page and writing it may undo what others have counted.

use crate::host::{HostError, Question};
use crate::meter::Count;
use crate::meter::page::{self, Turned};
use spin_sdk::experimental::wasi::keyvalue::atomics::increment;
use spin_sdk::experimental::wasi::keyvalue::store::{self, Bucket, Error};
use spin_sdk::time::sleep;
use spin_sdk::wasip3::wit_bindgen::StreamWriter;
use spin_sdk::wasip3::{self, wit_stream};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::mem::take;
use std::rc::Rc;
use std::time::Duration;

/// What this instance asks of pages.
#[derive(Default)]
pub struct Pages {
    /// For every page that is here somebody has a ticket, who asks all of it.
    asked: RefCell<BTreeMap<Place, Vec<Rc<Asked>>>>,
    store: RefCell<Option<(Rc<str>, Rc<Bucket>)>>,
}

/// A page: the label of its store, and its number.
type Place = (Rc<str>, u32);

/// A question that waits for its answer.
struct Asked {
    question: Question,
    answer: RefCell<Option<Answer>>,
    /// Ends when the answer is there. Whoever has the ticket may be a task of another request, which can wake this one
    /// by nothing else.
    bell: RefCell<Option<StreamWriter<u8>>>,
}

type Answer = Result<Count, HostError>;

/// A ticket for a page.
struct Ticket {
    bucket: Rc<Bucket>,
    key: String,
    number: u64,
    /// Which ticket was served last, and for how long it has been that one.
    last: Option<u64>,
    stalled: Duration,
    /// How many are before it.
    before: u32,
}

/// Whether it is a ticket's turn.
enum Turn {
    /// It is, and this is the page.
    Now(Option<Vec<u8>>),
    /// Others are before it.
    Later,
    /// It was left out, since it took too long.
    Over,
}

/// Before the key of every page: nothing else in the store begins like that.
const PREFIX: &str = "edgate-limit:";

/// Behind the key of a page: how many tickets were taken for it.
const TICKETS: &str = ":tickets";

/// For how long nobody may be served before it is clear that whoever has the next ticket has ended.
const STALL: Duration = Duration::from_secs(1);

/// How soon it is looked again whether it is a ticket's turn, for each that is before it: to serve one takes no less.
const LOOK: Duration = Duration::from_millis(1);

impl Pages {
    /// Asks counters. What the time is, `now` tells.
    pub async fn count(self: &Rc<Self>, label: &Rc<str>, questions: &[Question], now: fn() -> u64) -> Vec<Answer> {
        let mut waiting = Vec::with_capacity(questions.len());
        let mut begun = Vec::new();
        for question in questions {
            let asked = Rc::new(Asked::new(question));
            waiting.push(Rc::clone(&asked));
            let place = (Rc::clone(label), page::of(&question.counter));
            match self.asked.borrow_mut().entry(place.clone()) {
                Entry::Occupied(mut page) => page.get_mut().push(asked),
                Entry::Vacant(page) => {
                    page.insert(vec![asked]);
                    begun.push(place);
                }
            }
        }
        for place in begun {
            self.begin(place, now);
        }
        let mut answers = Vec::with_capacity(waiting.len());
        for asked in waiting {
            answers.push(asked.answered().await);
        }
        answers
    }

    /// Takes a ticket for a page. Where it has to wait, that goes on behind the requests, which may give up: a ticket that
    /// was taken must be used.
    fn begin(self: &Rc<Self>, place: Place, now: fn() -> u64) {
        let taken = self.open(&place.0).and_then(|bucket| Ticket::take(bucket, page_key(place.1), 0));
        match taken.and_then(|ticket| self.go_on(&place, ticket, now)) {
            Ok(None) => {}
            Ok(Some(ticket)) => wasip3::spawn(Rc::clone(self).wait(place, ticket, now)),
            Err(error) => self.fail(&place, &failure(error)),
        }
    }

    async fn wait(self: Rc<Self>, place: Place, mut ticket: Ticket, now: fn() -> u64) {
        loop {
            ticket.look_later().await;
            ticket = match self.go_on(&place, ticket, now) {
                Ok(Some(ticket)) => ticket,
                Ok(None) => return,
                Err(error) => return self.fail(&place, &failure(error)),
            };
        }
    }

    /// Asks what is asked of a page while it is a ticket's turn, and takes the next ticket for what was asked meanwhile.
    /// Gives back one that has to wait.
    fn go_on(&self, place: &Place, mut ticket: Ticket, now: fn() -> u64) -> Result<Option<Ticket>, Error> {
        loop {
            match ticket.turn()? {
                Turn::Later => return Ok(Some(ticket)),
                Turn::Over => {}
                Turn::Now(page) => self.serve(place, &ticket, page.as_deref(), now())?,
            }
            let mut asked = self.asked.borrow_mut();
            if asked.get(place).is_none_or(Vec::is_empty) {
                asked.remove(place);
                return Ok(None);
            }
            drop(asked);
            ticket = Ticket::take(ticket.bucket, ticket.key, ticket.last.unwrap_or_default())?;
        }
    }

    fn serve(&self, place: &Place, ticket: &Ticket, page: Option<&[u8]>, now_ms: u64) -> Result<(), Error> {
        let mut asked = self.asked.borrow_mut().get_mut(place).map(take).unwrap_or_default();
        // Those that nobody waits for any more are not counted.
        asked.retain(|asked| Rc::strong_count(asked) > 1);
        let questions: Vec<_> =
            asked.iter().map(|asked| (asked.question.counter.as_str(), &asked.question.ask)).collect();
        let Turned { answers, next } = page::serve(page, ticket.number, &questions, now_ms);
        let written = ticket.bucket.set(&ticket.key, next.as_bytes());
        for (asked, count) in asked.iter().zip(answers) {
            // What may not have been written may not have been counted.
            let answer = written.clone().map_err(failure).and_then(|()| count.ok_or_else(unreadable));
            asked.answer(answer);
        }
        written
    }

    /// Nothing can be asked of a page.
    fn fail(&self, place: &Place, error: &HostError) {
        for asked in self.asked.borrow_mut().remove(place).into_iter().flatten() {
            asked.answer(Err(error.clone()));
        }
    }

    /// Opening a store is a call to where it is, for some: one is kept.
    fn open(&self, label: &Rc<str>) -> Result<Rc<Bucket>, Error> {
        if let Some((_, bucket)) = self.store.borrow().as_ref().filter(|(open, _)| open == label) {
            return Ok(Rc::clone(bucket));
        }
        let bucket = Rc::new(store::open(label)?);
        *self.store.borrow_mut() = Some((Rc::clone(label), Rc::clone(&bucket)));
        Ok(bucket)
    }
}

impl Asked {
    fn new(question: &Question) -> Asked {
        Asked { question: question.clone(), answer: RefCell::default(), bell: RefCell::default() }
    }

    fn answer(&self, answer: Answer) {
        *self.answer.borrow_mut() = Some(answer);
        drop(self.bell.take());
    }

    async fn answered(&self) -> Answer {
        loop {
            if let Some(answer) = self.answer.take() {
                return answer;
            }
            let (bell, mut end) = wit_stream::new::<u8>();
            *self.bell.borrow_mut() = Some(bell);
            drop(end.read(Vec::with_capacity(1)).await);
        }
    }
}

impl Ticket {
    /// Takes the next one, which is after `last`: also where the store has lost how many there were.
    fn take(bucket: Rc<Bucket>, key: String, last: u64) -> Result<Ticket, Error> {
        let tickets = [&key, TICKETS].concat();
        let last = i64::try_from(last).unwrap_or(i64::MAX);
        // Spin does not survive what it cannot increment: such a store is of no use any more until Spin is restarted.
        if bucket.get(&tickets)?.is_some_and(|value| !is_number(&value)) {
            bucket.delete(&tickets)?;
        }
        let mut number = increment(&bucket, &tickets, 1)?;
        if number <= last {
            number = increment(&bucket, &tickets, last.saturating_sub(number).saturating_add(1))?;
        }
        let number = u64::try_from(number).map_err(|_| Error::Other(format!("`{tickets}` is below zero")))?;
        Ok(Ticket { bucket, key, number, last: None, stalled: Duration::ZERO, before: 0 })
    }

    /// Reads the page, and whether it is this ticket's turn.
    fn turn(&mut self) -> Result<Turn, Error> {
        let page = self.bucket.get(&self.key)?;
        let served = page::served(page.as_deref());
        if served != self.last {
            self.last = served;
            self.stalled = Duration::ZERO;
        }
        let before = match served {
            Some(served) if served >= self.number => return Ok(Turn::Over),
            Some(served) => self.number - served - 1,
            // Nobody can read the page, so whoever sees it first begins a new one.
            None => 0,
        };
        self.before = u32::try_from(before).unwrap_or(u32::MAX);
        // Where the store has lost the page, as many are before it as ever were.
        let is_turn = self.stalled >= STALL * self.before.min(3);
        Ok(if is_turn { Turn::Now(page) } else { Turn::Later })
    }

    async fn look_later(&mut self) {
        let pause = LOOK * self.before.clamp(1, 40);
        sleep(pause).await;
        self.stalled += pause;
    }
}

/// Whether a value is a number, as Spin's stores have them: 8 bytes (SQLite), or digits.
fn is_number(value: &[u8]) -> bool {
    value.len() == 8 || std::str::from_utf8(value).is_ok_and(|text| text.parse::<i64>().is_ok())
}

fn page_key(page: u32) -> String {
    format!("{PREFIX}{page:04}")
}

fn unreadable() -> HostError {
    HostError::Other("a question that cannot be read".to_owned())
}

fn failure(error: Error) -> HostError {
    match error {
        Error::NoSuchStore => HostError::Denied("no store has this label".to_owned()),
        Error::AccessDenied => HostError::Denied("the component may not open this store".to_owned()),
        Error::Other(why) => HostError::Other(why),
    }
}
