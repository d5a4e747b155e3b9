//! What came of the parts of an aggregate, in the record.

use super::milliseconds;
use crate::exchange::PartNote;
use serde::ser::{Serialize, SerializeMap, SerializeSeq, Serializer};

pub struct Parts<'a>(pub &'a [PartNote]);

impl Serialize for Parts<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut list = serializer.serialize_seq(Some(self.0.len()))?;
        for note in self.0 {
            list.serialize_element(&One(note))?;
        }
        list.end()
    }
}

struct One<'a>(&'a PartNote);

impl Serialize for One<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let One(note) = self;
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("name", &*note.name)?;
        map.serialize_entry("outcome", note.outcome)?;
        if let Some(code) = note.code {
            map.serialize_entry("code", code)?;
        }
        if let Some(status) = note.status {
            map.serialize_entry("status", &status)?;
        }
        if note.calls != 1 {
            map.serialize_entry("calls", &note.calls)?;
        }
        if let Some(duration) = note.duration {
            map.serialize_entry("duration_ms", &milliseconds(duration))?;
        }
        map.end()
    }
}
