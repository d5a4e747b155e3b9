//! XML 1.0 as JSON, by the rule that KrakenD's users know: an element becomes a member of its name without a prefix, and
//! several of one name become an array in the place of the first. An element with nothing but text is a string, trimmed
//! and never a number. Attributes are members with a `-` before their names, and text beside them, or beside elements, is
//! `#text`. Declarations of namespaces, comments and processing instructions are left out.
//!
//! A document type is refused: what entities it declares is nothing that a gateway should make larger.

use crate::raw::{Document, MOST_DEEP, first_of_each, push_string};
use quick_xml::Reader;
use quick_xml::escape::{resolve_predefined_entity, unescape};
use quick_xml::events::attributes::Attribute;
use quick_xml::events::{BytesRef, BytesStart, Event};

/// An element that is open.
#[derive(Default)]
struct Element {
    name: String,
    /// Names and values in JSON, in their order.
    members: Vec<(String, String)>,
    text: String,
}

/// Decodes a document. `None` where it is none.
pub fn decode(text: &str) -> Option<Document> {
    let mut reader = Reader::from_str(text);
    // The document itself is the outermost one.
    let mut open = vec![Element::default()];
    loop {
        match reader.read_event().ok()? {
            Event::Start(start) => open.push(Element::begin(&start).filter(|_| open.len() < MOST_DEEP as usize)?),
            Event::Empty(start) => {
                let element = Element::begin(&start)?;
                open.last_mut()?.add(element);
            }
            Event::End(_) => {
                let element = open.pop()?;
                open.last_mut()?.add(element);
            }
            Event::Text(text) => open.last_mut()?.text.push_str(&text.decode().ok()?),
            Event::CData(text) => open.last_mut()?.text.push_str(&text.decode().ok()?),
            Event::GeneralRef(reference) => open.last_mut()?.text.push_str(&resolved(&reference)?),
            Event::DocType(_) => return None,
            Event::Decl(declaration)
                if declaration.encoding().is_some_and(|said| !said.is_ok_and(|said| is_said_utf8(&said))) =>
            {
                return None;
            }
            Event::Decl(_) | Event::Comment(_) | Event::PI(_) => {}
            Event::Eof => break,
        }
    }
    // XML 1.0, section 2.1: there is one element, with nothing but white space around it.
    let [document] = <[Element; 1]>::try_from(open).ok()?;
    let one = document.members.len() == 1;
    let white = document.text.trim().is_empty();
    Document::parse(document.json().into_bytes()).ok().filter(|_| one && white)
}

/// XML 1.0, section 4.3.3.
fn is_said_utf8(encoding: &[u8]) -> bool {
    std::str::from_utf8(encoding).is_ok_and(super::is_utf8)
}

fn resolved(reference: &BytesRef<'_>) -> Option<String> {
    match reference.resolve_char_ref().ok()? {
        Some(character) => Some(character.to_string()),
        None => resolve_predefined_entity(&reference.decode().ok()?).map(str::to_owned),
    }
}

impl Element {
    fn begin(start: &BytesStart<'_>) -> Option<Element> {
        let name = String::from_utf8(start.local_name().as_ref().to_vec()).ok()?;
        let mut element = Element { name, ..Element::default() };
        for attribute in start.attributes() {
            element.add_attribute(&attribute.ok()?)?;
        }
        Some(element)
    }

    fn add_attribute(&mut self, attribute: &Attribute<'_>) -> Option<()> {
        if attribute.key.as_namespace_binding().is_none() {
            let name = std::str::from_utf8(attribute.key.local_name().into_inner()).ok()?;
            let mut value = String::new();
            push_string(&unescape(std::str::from_utf8(&attribute.value).ok()?).ok()?, &mut value);
            self.members.push((format!("-{name}"), value));
        }
        Some(())
    }

    fn add(&mut self, mut element: Element) {
        let name = std::mem::take(&mut element.name);
        self.members.push((name, element.json()));
    }

    fn json(mut self) -> String {
        let mut text = String::new();
        push_string(self.text.trim(), &mut text);
        if self.members.is_empty() {
            return text;
        }
        if text != "\"\"" {
            self.members.push(("#text".to_owned(), text));
        }
        let places = first_of_each(self.members.iter().map(|(name, _)| name.as_str()));
        let mut values: Vec<Vec<&str>> = vec![Vec::new(); places.len()];
        for (place, (_, value)) in places.iter().zip(&self.members) {
            values.get_mut(*place).into_iter().for_each(|values| values.push(value));
        }
        let mut out = String::from("{");
        for ((name, _), values) in self.members.iter().zip(&values).filter(|(_, values)| !values.is_empty()) {
            out.push_str(if out.len() == 1 { "" } else { "," });
            push_string(name, &mut out);
            out.push(':');
            match values.as_slice() {
                [value] => out.push_str(value),
                values => out.push_str(&["[", &values.join(","), "]"].concat()),
            }
        }
        out.push('}');
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn xml_becomes_json() {
        for (xml, json) in [
            ("<a/>", r#"{"a":""}"#),
            ("<?xml version=\"1.0\"?><!-- c --><a> x &amp; &#233;&#x21; </a>\n", r#"{"a":"x & é!"}"#),
            ("<a><b>1</b><c/><b>2</b></a>", r#"{"a":{"b":["1","2"],"c":""}}"#),
            (
                r#"<a id="7" n:id2='&lt;"'>text<b/>more</a>"#,
                r##"{"a":{"-id":"7","-id2":"<\"","b":"","#text":"textmore"}}"##,
            ),
            (r#"<n:a xmlns:n="urn:x" xmlns="urn:y"><n:b>1</n:b></n:a>"#, r#"{"a":{"b":"1"}}"#),
            ("<a><![CDATA[<b> & ]]></a>", r#"{"a":"<b> &"}"#),
        ] {
            assert_eq!(decode(xml).map(|document| document.raw().text().to_owned()).as_deref(), Some(json), "{xml}");
        }
    }

    #[test]
    fn what_is_no_document_is_refused() {
        let deep = |depth: usize| "<a>".repeat(depth) + &"</a>".repeat(depth);
        assert!(decode(&deep(100)).is_some());
        for xml in [
            "",
            "text",
            "<a>",
            "</a>",
            "<a></b>",
            "<a/><b/>",
            "<a/>text",
            "<a b></a>",
            "<a b=\"1\" b=\"2\"/>",
            "<a>&x;</a>",
            "<a b=\"&x;\"/>",
            "<!DOCTYPE a [<!ENTITY x \"y\">]><a>&x;</a>",
            "<a><b></a></b>",
            "{\"a\":1}",
            &deep(130),
            &deep(1_000_000),
        ] {
            assert_eq!(decode(xml), None, "{}", xml.get(..40).unwrap_or(xml));
        }
    }
}
