//! From answers to one answer: which member comes from where. It knows the order of the parts, and nothing of the order in
//! which they have answered.

#[cfg(test)]
mod tests;

use super::Part;
use super::shape::Shape;
use super::state::Held;
use crate::config::aggregate::{OnCollision, Shape as Layout};
use crate::raw::{Document, Kind, Raw, first_of_each, push_string};
use std::borrow::Cow;

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

/// These two pieces have a member of one name, and none may win.
#[derive(Debug, PartialEq, Eq)]
pub struct Collision(pub usize, pub usize);

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
    let mut members = Vec::new();
    for (from, (piece, shaped)) in pieces.iter().zip(&shaped).enumerate() {
        let raw = shaped.as_ref().map_or(piece.answer, Document::raw);
        if !unfolds(piece) || raw.kind() != Kind::Object {
            members.push(Member { name: Cow::Borrowed(piece.name), value: Value::Piece(piece), from });
            continue;
        }
        for (written, value) in raw.members() {
            members.extend(written.string().map(|name| Member { name, value: Value::Raw(value), from }));
        }
    }
    let told =
        outcomes.map(|(name, raw)| Member { name: Cow::Borrowed(name), value: Value::Raw(raw), from: pieces.len() });
    members.extend(told);
    let taken = taken(&members, on_collision, pieces.len())?;
    let size: usize = pieces.iter().map(|piece| piece.answer.text().len() + piece.name.len() + 4).sum();
    let mut out = String::with_capacity(size + outcomes.map_or(2, |(name, raw)| name.len() + raw.text().len() + 8));
    out.push('{');
    for (member, value) in members.iter().zip(taken).filter_map(|(member, taken)| Some((member, members.get(taken?)?)))
    {
        out.push_str(if out.len() == 1 { "" } else { "," });
        push_string(&member.name, &mut out);
        out.push(':');
        match value.value {
            Value::Piece(piece) => piece.write(&mut out),
            Value::Raw(raw) => out.push_str(raw.text()),
        }
    }
    out.push('}');
    Ok(out)
}

/// For the first member of each name, which one has its value; none for the others. Of those of one part, and of what is
/// told of the parts, it is the last one.
fn taken(members: &[Member<'_>], on_collision: OnCollision, told: usize) -> Result<Vec<Option<usize>>, Collision> {
    let mut taken: Vec<Option<usize>> = vec![None; members.len()];
    for (at, place) in first_of_each(members.iter().map(|member| &*member.name)).into_iter().enumerate() {
        let Some(slot) = taken.get_mut(place) else { continue };
        let from = |at: usize| members.get(at).map_or(0, |member| member.from);
        *slot = match slot.filter(|before| from(*before) != from(at) && from(at) != told) {
            None => Some(at),
            Some(before) => match on_collision {
                OnCollision::First => Some(before),
                OnCollision::Last => Some(at),
                OnCollision::Error => return Err(Collision(from(before), from(at))),
            },
        };
    }
    Ok(taken)
}
