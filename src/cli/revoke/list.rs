//! The file that keeps what is taken back: a list in JSON, one object for each entry, which people may read and edit.

use super::rfc3339;
use crate::api_key::entry::seconds;
use crate::config::document::is_name;
use crate::config::json;
use crate::revocation::{Entry, Kind};
use serde::{Deserialize, Serialize};
use std::path::Path;

/// The longest `jti` or `sub`, in bytes.
const MOST: usize = 1_000;

/// All that is taken back, in the file's order.
pub struct List(Vec<Row>);

/// One thing that is taken back.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    pub issuer: String,
    pub kind: Kind,
    pub value: String,
    pub entry: Entry,
}

/// As it stands in the file.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    issuer: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    jti: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sub: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    before: Option<String>,
    until: String,
}

/// Reads the file. One that is not there is an empty list.
pub fn read(folder: &Path, name: &str) -> Result<List, String> {
    match std::fs::read_to_string(folder.join(name)) {
        Ok(text) => parse(&text).map_err(|message| format!("{name}: {message}")),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(List(Vec::new())),
        Err(error) => Err(format!("{name} cannot be read: {error}")),
    }
}

fn parse(text: &str) -> Result<List, String> {
    let value = json::parse(text).map_err(|error| error.to_string())?;
    let written = Vec::<Written>::deserialize(value).map_err(|error| error.to_string())?;
    let rows = written.into_iter().enumerate();
    let rows = rows.map(|(index, written)| written.row().map_err(|why| format!("entry {}: {why}", index + 1)));
    rows.collect::<Result<_, _>>().map(List)
}

impl Written {
    fn row(self) -> Result<Row, String> {
        let (kind, value) = match (self.jti, self.sub) {
            (Some(jti), None) => (Kind::Token, jti),
            (None, Some(sub)) => (Kind::Subject, sub),
            _ => return Err("it has neither `jti` nor `sub`, or both".to_owned()),
        };
        let before = self.before.as_deref().map(seconds).transpose()?;
        Row::checked(&self.issuer, kind, &value, Entry { until: seconds(&self.until)?, before })
    }
}

impl Row {
    /// Refuses what nothing could ever be found by.
    pub fn checked(issuer: &str, kind: Kind, value: &str, entry: Entry) -> Result<Row, String> {
        if !is_name(issuer) {
            return Err(format!("{issuer:?} is no name of an issuer"));
        }
        if !(1..=MOST).contains(&value.len()) {
            return Err(format!("a `jti` or `sub` has 1 to {MOST} bytes, and this has {}", value.len()));
        }
        if kind == Kind::Token && entry.before.is_some() {
            return Err("`before` belongs to a `sub`".to_owned());
        }
        Ok(Row { issuer: issuer.to_owned(), kind, value: value.to_owned(), entry })
    }

    fn written(&self) -> Written {
        let only = |kind| (self.kind == kind).then(|| self.value.clone());
        Written {
            issuer: self.issuer.clone(),
            jti: only(Kind::Token),
            sub: only(Kind::Subject),
            before: self.entry.before.map(rfc3339),
            until: rfc3339(self.entry.until),
        }
    }
}

impl List {
    /// What is taken back of an issuer.
    pub fn of(&self, issuer: &str) -> impl Iterator<Item = &Row> {
        self.0.iter().filter(move |row| row.issuer == issuer)
    }

    /// Drops what has ended, and says how much that was.
    pub fn drop_expired(&mut self, now: u64) -> usize {
        let before = self.0.len();
        self.0.retain(|row| row.entry.until > now);
        before - self.0.len()
    }

    /// Adds what is taken back. What is taken back already stays so at least as far as it was.
    pub fn add(&mut self, row: Row) {
        let same = |other: &&mut Row| (&other.issuer, other.kind, &other.value) == (&row.issuer, row.kind, &row.value);
        let Some(there) = self.0.iter_mut().find(same) else { return self.0.push(row) };
        there.entry.until = there.entry.until.max(row.entry.until);
        there.entry.before = there.entry.before.zip(row.entry.before).map(|(one, other)| one.max(other));
    }

    /// The file's text.
    pub fn text(&self) -> String {
        let written: Vec<Written> = self.0.iter().map(Row::written).collect();
        serde_json::to_string_pretty(&written).map(|text| text + "\n").unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(value: &str, until: u64, before: Option<u64>) -> Row {
        Row::checked("main", Kind::Subject, value, Entry { until, before }).unwrap()
    }

    #[test]
    fn what_is_taken_back_stays_so() {
        for (there, added, both) in [
            ((10, Some(5)), (20, Some(4)), (20, Some(5))),
            ((20, None), (10, Some(4)), (20, None)),
            ((10, Some(4)), (20, None), (20, None)),
        ] {
            let mut list = List(vec![row("a", there.0, there.1)]);
            list.add(row("a", added.0, added.1));
            assert_eq!(list.0, [row("a", both.0, both.1)]);
        }
    }

    #[test]
    fn lists_are_read_as_they_are_written() {
        let mut list = List(vec![row("a", 10, Some(5)), row("b", 20, None)]);
        list.add(Row::checked("main", Kind::Token, "a", Entry { until: 30, before: None }).unwrap());
        assert_eq!(parse(&list.text()).unwrap().0, list.0);
        assert_eq!(list.drop_expired(20), 2);
        assert_eq!(list.of("main").count(), 1);
        assert_eq!(list.of("other").count(), 0);
    }

    #[test]
    fn what_is_not_understood_is_refused() {
        for (text, why) in [
            ("", "EOF"),
            ("{}", "invalid type"),
            (r#"[{"issuer":"main","until":"2027-01-01T00:00:00Z"}]"#, "entry 1: it has neither"),
            (r#"[{"issuer":"main","jti":"a","sub":"a","until":"2027-01-01T00:00:00Z"}]"#, "or both"),
            (r#"[{"issuer":"main","jti":"a","until":"tomorrow"}]"#, "RFC 3339"),
            (r#"[{"issuer":"Main","jti":"a","until":"2027-01-01T00:00:00Z"}]"#, "no name"),
            (r#"[{"issuer":"main","jti":"","until":"2027-01-01T00:00:00Z"}]"#, "1 to 1000 bytes"),
            (
                r#"[{"issuer":"main","jti":"a","until":"2027-01-01T00:00:00Z","before":"2026-01-01T00:00:00Z"}]"#,
                "belongs to",
            ),
            (r#"[{"issuer":"main","jti":"a","jti":"b","until":"2027-01-01T00:00:00Z"}]"#, "twice"),
        ] {
            let said = parse(text).err().unwrap_or_default();
            assert!(said.contains(why), "{text}: {said}");
        }
    }
}
