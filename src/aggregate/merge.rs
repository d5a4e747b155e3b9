//! From answers to one answer: which member comes from where. It knows the order of the parts, and nothing of the order in
//! which they have answered.

#[cfg(test)]
mod tests;

use super::Part;
use super::shape::Shape;
use super::state::Held;
use crate::config::aggregate::{OnCollision, Shape as Layout};
use crate::raw::{Document, Kind, Raw, push_string};
use std::borrow::Cow;
use std::collections::BTreeMap;

/// A part's answer on its way into the whole.
pub struct Piece<'a> {
    /// The member that holds it.
    pub name: &'a str,
    /// Whether it is held by a member whatever the layout says.
    pub grouped: bool,
    pub answer: Raw<'a>,
    /// What is still to be done with it: with each item of it, where it is repeated.
    pub shape: Option<&'a Shape>,
    pub repeated: bool,
}

/// Two parts have a member of this name, and none may win.
#[derive(Debug, PartialEq, Eq)]
pub struct Collision;

/// A member of the whole.
struct Member<'a> {
    name: Cow<'a, str>,
    value: Value<'a>,
    /// Which piece it comes from.
    from: usize,
}

enum Value<'a> {
    Piece(&'a Piece<'a>),
    Raw(Raw<'a>),
}

/// The members of the whole so far.
struct Members<'a> {
    list: Vec<Member<'a>>,
    places: BTreeMap<Cow<'a, str>, usize>,
    on_collision: OnCollision,
}

impl<'a> Piece<'a> {
    /// What a part gives to the whole. `None` where it gives nothing.
    pub fn of(part: &'a Part, parts: &'a [Part], held: &'a Held) -> Option<Piece<'a>> {
        let from = parts.get(held.from)?;
        Some(Piece {
            name: part.group.as_deref().unwrap_or(&part.name),
            grouped: part.group.is_some(),
            answer: held.answer.body.as_ref()?.raw(),
            shape: Some(&from.shape).filter(|shape| !held.shaped && !shape.is_identity()),
            repeated: from.each.is_some(),
        })
    }

    /// Writes it in its shape.
    pub fn write(&self, out: &mut String) {
        match self.shape {
            None => out.push_str(self.answer.text()),
            Some(shape) if !self.repeated => shape.write(self.answer, out),
            Some(shape) => {
                out.push('[');
                for (at, item) in self.answer.items().enumerate() {
                    out.push_str(if at == 0 { "" } else { "," });
                    shape.write(item, out);
                }
                out.push(']');
            }
        }
    }

    /// It in its shape, where it does not have it.
    pub fn shaped(&self) -> Option<Document> {
        self.shape?;
        let mut out = String::new();
        self.write(&mut out);
        Some(Document::known(out))
    }
}

/// The answer of the whole. `outcomes` is a member that takes the place of any other of its name.
pub fn merge(
    layout: Layout,
    on_collision: OnCollision,
    pieces: &[Piece<'_>],
    outcomes: Option<(&str, Raw<'_>)>,
) -> Result<String, Collision> {
    let unfolds = |piece: &Piece<'_>| layout == Layout::Merged && !piece.grouped;
    let shaped: Vec<Option<Document>> =
        pieces.iter().map(|piece| Some(piece).filter(|piece| unfolds(piece)).and_then(Piece::shaped)).collect();
    let mut members = Members { list: Vec::new(), places: BTreeMap::new(), on_collision };
    for (from, (piece, shaped)) in pieces.iter().zip(&shaped).enumerate() {
        let raw = shaped.as_ref().map_or(piece.answer, Document::raw);
        if !unfolds(piece) || raw.kind() != Kind::Object {
            members.add(Member { name: Cow::Borrowed(piece.name), value: Value::Piece(piece), from })?;
            continue;
        }
        for (written, value) in raw.members() {
            let Some(name) = written.string() else { continue };
            members.add(Member { name, value: Value::Raw(value), from })?;
        }
    }
    if let Some((name, raw)) = outcomes {
        members.on_collision = OnCollision::Last;
        members.add(Member { name: Cow::Borrowed(name), value: Value::Raw(raw), from: pieces.len() })?;
    }
    let size: usize = pieces.iter().map(|piece| piece.answer.text().len() + piece.name.len() + 4).sum();
    let mut out = String::with_capacity(size + outcomes.map_or(2, |(name, raw)| name.len() + raw.text().len() + 8));
    members.write(&mut out);
    Ok(out)
}

impl<'a> Members<'a> {
    /// Adds a member, or lets it collide with one that is there. Of those of one part, the last one counts.
    fn add(&mut self, member: Member<'a>) -> Result<(), Collision> {
        let place = self.places.get(&member.name).copied();
        match place.and_then(|place| self.list.get_mut(place)) {
            None => {
                self.places.insert(member.name.clone(), self.list.len());
                self.list.push(member);
            }
            Some(other) if other.from == member.from => *other = member,
            Some(other) => match self.on_collision {
                OnCollision::First => {}
                OnCollision::Last => *other = member,
                OnCollision::Error => return Err(Collision),
            },
        }
        Ok(())
    }

    fn write(&self, out: &mut String) {
        out.push('{');
        for (at, member) in self.list.iter().enumerate() {
            out.push_str(if at == 0 { "" } else { "," });
            push_string(&member.name, out);
            out.push(':');
            match member.value {
                Value::Piece(piece) => piece.write(out),
                Value::Raw(raw) => out.push_str(raw.text()),
            }
        }
        out.push('}');
    }
}
