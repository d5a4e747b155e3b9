//! What of a part's answer goes into the answer of the whole, as users of KrakenD know it: first the target is taken,
//! then an array becomes a member, what is to be flattened dissolves, members stay or go, and those that stay get their
//! names. Each step sees what the one before has left; new names come last, so that all other paths are the upstream's.
//!
//! Everything is written as it stood: the order of members, the digits of numbers, whole values that nobody looks into.

// What they are made of is there on this machine only.
#[cfg(not(target_family = "wasm"))]
#[cfg(test)]
mod tests;

use super::failure::Failure;
use crate::raw::{Kind, Raw, first_of_each, push_string};
use std::borrow::Cow;

/// A part's shape.
#[derive(Debug, Default)]
pub struct Shape {
    /// What leads to the value that is taken: all of it, where there are no names.
    pub target: Vec<String>,
    /// The member that an array becomes.
    pub collection: Option<String>,
    pub flatten: Option<Tree>,
    pub allow: Option<Tree>,
    pub deny: Option<Tree>,
    pub names: Option<Tree>,
}

/// Places in a document that mean something to a step.
#[derive(Debug, Default, PartialEq)]
pub struct Tree {
    /// Whether this very value is meant.
    pub meant: bool,
    /// Its new name.
    pub name: Option<String>,
    pub members: Vec<(String, Tree)>,
    /// What is meant in each item of an array.
    pub items: Option<Box<Tree>>,
}

/// A step of a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    Member(String),
    /// Each item of an array: `[]`.
    Items,
}

impl Tree {
    /// Says something of the place that a path leads to.
    pub fn set(&mut self, path: &[Step], say: &dyn Fn(&mut Tree)) {
        match path.split_first() {
            None => say(self),
            Some((Step::Items, rest)) => self.items.get_or_insert_default().set(rest, say),
            Some((Step::Member(name), rest)) => match self.members.iter_mut().find(|(known, _)| known == name) {
                Some((_, tree)) => tree.set(rest, say),
                None => {
                    let mut tree = Tree::default();
                    tree.set(rest, say);
                    self.members.push((name.clone(), tree));
                }
            },
        }
    }

    /// What is meant of a member.
    pub fn member(&self, name: &str) -> Option<&Tree> {
        self.members.iter().find(|(known, _)| known == name).map(|(_, tree)| tree)
    }

    fn is_leaf(&self) -> bool {
        self.members.is_empty() && self.items.is_none()
    }
}

/// What the steps want of one value.
#[derive(Debug, Clone, Copy, Default)]
struct Wants<'t> {
    flatten: Option<&'t Tree>,
    /// `None` where everything stays.
    allow: Option<&'t Tree>,
    deny: Option<&'t Tree>,
    names: Option<&'t Tree>,
}

/// A member on its way.
struct Member<'t, 'a> {
    name: Cow<'a, str>,
    /// Its name as it is written.
    written: Cow<'a, str>,
    value: Raw<'a>,
    wants: Wants<'t>,
}

impl Shape {
    /// Whether it leaves everything as it is.
    pub fn is_identity(&self) -> bool {
        self.target.is_empty() && self.collection.is_none() && self.wants().is_nothing()
    }

    /// Whether an answer can get this shape.
    pub fn fits(&self, answer: Raw<'_>) -> Result<(), Failure> {
        let target = answer.find(&self.target).ok_or(Failure::NoTarget)?;
        match self.collection {
            Some(_) if target.kind() != Kind::Array => Err(Failure::NoCollection),
            _ => Ok(()),
        }
    }

    /// Writes an answer in this shape. What has nothing to take is null.
    pub fn write(&self, answer: Raw<'_>, out: &mut String) {
        let Some(target) = answer.find(&self.target) else { return out.push_str("null") };
        match &self.collection {
            Some(name) if target.kind() == Kind::Array => self.write_collection(name, target, out),
            _ => self.wants().write(target, out),
        }
    }

    /// An array as the one member of an object. The steps see the object.
    fn write_collection(&self, name: &str, array: Raw<'_>, out: &mut String) {
        let all = self.wants();
        let wants = all.member(name);
        out.push('{');
        if all.keeps_members() && wants.keeps(array) {
            push_string(wants.new_name().unwrap_or(name), out);
            out.push(':');
            wants.write(array, out);
        }
        out.push('}');
    }

    fn wants(&self) -> Wants<'_> {
        Wants {
            flatten: self.flatten.as_ref(),
            allow: self.allow.as_ref(),
            deny: self.deny.as_ref(),
            names: self.names.as_ref(),
        }
    }
}

/// What is wanted of a member that nothing is said of, where some are allowed: it goes.
static NOTHING: Tree = Tree { meant: false, name: None, members: Vec::new(), items: None };

impl<'t> Wants<'t> {
    fn is_nothing(self) -> bool {
        let Wants { flatten, allow, deny, names } = self;
        let idle = |tree: Option<&Tree>| tree.is_none_or(Tree::is_leaf);
        allow.is_none() && idle(flatten) && idle(deny) && idle(names)
    }

    fn member(self, name: &str) -> Wants<'t> {
        self.below(|tree| tree.member(name))
    }

    fn item(self) -> Wants<'t> {
        self.below(|tree| tree.items.as_deref())
    }

    fn below(self, step: impl Fn(&'t Tree) -> Option<&'t Tree>) -> Wants<'t> {
        let Wants { flatten, allow, deny, names } = self;
        // What is allowed is allowed whole.
        let allow = allow.map(|tree| step(tree).unwrap_or(&NOTHING)).filter(|tree| !tree.meant);
        Wants { flatten: flatten.and_then(&step), allow, deny: deny.and_then(&step), names: names.and_then(&step) }
    }

    fn new_name(self) -> Option<&'t str> {
        self.names?.name.as_deref()
    }

    fn dissolves(self) -> bool {
        self.flatten.is_some_and(|tree| tree.meant)
    }

    /// Whether a value stays: it is not denied, and either allowed whole or something that may have what is allowed.
    fn keeps(self, value: Raw<'_>) -> bool {
        let allowed = self.allow.is_none_or(|tree| match value.kind() {
            Kind::Object => !tree.members.is_empty(),
            Kind::Array => tree.items.is_some(),
            _ => false,
        });
        allowed && !self.deny.is_some_and(|tree| tree.meant)
    }

    fn keeps_members(self) -> bool {
        self.allow.is_none_or(|tree| !tree.members.is_empty())
    }

    fn write(self, value: Raw<'_>, out: &mut String) {
        match value.kind() {
            _ if self.is_nothing() => out.push_str(value.text()),
            Kind::Object => self.write_object(value, out),
            Kind::Array => self.write_array(value, out),
            // Members are allowed, and this has none.
            _ if self.allow.is_some() => out.push_str("null"),
            _ => out.push_str(value.text()),
        }
    }

    fn write_object(self, object: Raw<'_>, out: &mut String) {
        let mut members = Vec::new();
        self.collect(object, self, &mut members);
        last_of_each(&mut members);
        members.retain(|member| member.wants.keeps(member.value));
        if self.names.is_some() {
            members.iter_mut().for_each(Member::rename);
            last_of_each(&mut members);
        }
        out.push('{');
        let mut separator = "";
        for member in members {
            out.push_str(separator);
            out.push_str(&member.written);
            out.push(':');
            member.wants.write(member.value, out);
            separator = ",";
        }
        out.push('}');
    }

    /// The members of an object, and those of the objects in it that dissolve.
    fn collect<'a>(self, object: Raw<'a>, into: Wants<'t>, members: &mut Vec<Member<'t, 'a>>) {
        for (written, value) in object.members() {
            // A name with half of a character in it is none that anybody could ask for.
            let Some(name) = written.string() else { continue };
            // Where it stands now is what the later steps see; what dissolves in it is said from where it stood.
            let wants = Wants { flatten: self.member(&name).flatten, ..into.member(&name) };
            if wants.dissolves() && value.kind() == Kind::Object {
                Wants { flatten: wants.flatten, ..Wants::default() }.collect(value, into, members);
            } else {
                members.push(Member { name, written: Cow::Borrowed(written.text()), value, wants });
            }
        }
    }

    fn write_array(self, array: Raw<'_>, out: &mut String) {
        let wants = self.item();
        out.push('[');
        let mut separator = "";
        let mut write = |item: Raw<'_>| {
            if wants.keeps(item) {
                out.push_str(separator);
                wants.write(item, out);
                separator = ",";
            }
        };
        for item in array.items() {
            match wants.dissolves() && item.kind() == Kind::Array {
                true => item.items().for_each(&mut write),
                false => write(item),
            }
        }
        out.push(']');
    }
}

impl Member<'_, '_> {
    fn rename(&mut self) {
        if let Some(name) = self.wants.new_name() {
            let mut written = String::new();
            push_string(name, &mut written);
            self.name = Cow::Owned(name.to_owned());
            self.written = Cow::Owned(written);
        }
    }
}

/// Of the members of one name, the value of the last one stays, in the place of the first.
fn last_of_each(members: &mut Vec<Member<'_, '_>>) {
    let places = first_of_each(members.iter().map(|member| &*member.name));
    if places.iter().enumerate().all(|(at, place)| at == *place) {
        return;
    }
    let mut at = 0;
    for (from, place) in places.iter().enumerate() {
        let last = members.get(from).map(|member| (member.value, member.wants));
        if let Some((last, first)) = last.zip(members.get_mut(*place)) {
            (first.value, first.wants) = last;
        }
    }
    members.retain(|_| {
        at += 1;
        places.get(at - 1) == Some(&(at - 1))
    });
}
