//! The XML of S3's listings, as far as it must be understood to be written again. Pure.

use quick_xml::Reader;
use quick_xml::escape::escape;
use quick_xml::events::{BytesRef, Event};

use super::error::ProxyError;
use crate::percent::{self, Plus};

/// A listing: a root element and what is in it.
#[derive(Debug)]
pub(super) struct Document<'a> {
    pub(super) root: String,
    /// What comes before the root's first child: the declaration, the root's tag and namespace.
    pub(super) head: &'a str,
    pub(super) children: Vec<Element<'a>>,
}

/// A child of the root.
#[derive(Debug)]
pub(super) struct Element<'a> {
    pub(super) name: String,
    /// As it was written, tags included.
    pub(super) raw: &'a str,
    /// Its text, if it has no elements.
    text: String,
    /// Its elements that have text.
    fields: Vec<(String, String)>,
}

impl Element<'_> {
    /// The text of an element in this one; empty if there is none.
    pub(super) fn field(&self, name: &str) -> &str {
        self.fields.iter().find(|(found, _)| found == name).map_or("", |(_, text)| text)
    }
}

impl<'a> Document<'a> {
    pub(super) fn parse(text: &'a str) -> Result<Self, ProxyError> {
        let unreadable = |reason: String| ProxyError::Unreadable { reason };
        let mut parser = Parser { text, open: Vec::new(), document: None, child_starts: 0 };
        let mut reader = Reader::from_str(text);
        loop {
            let start = position(reader.buffer_position());
            let event = reader.read_event().map_err(|error| unreadable(error.to_string()))?;
            let end = position(reader.buffer_position());
            match event {
                Event::Start(tag) => parser.start(name(tag.local_name().as_ref()), start, end),
                Event::Empty(tag) => {
                    parser.start(name(tag.local_name().as_ref()), start, end);
                    parser.end(end);
                }
                Event::End(_) => parser.end(end),
                Event::Text(text) => {
                    parser.text(&text.decode().map_err(|error| unreadable(error.to_string()))?);
                }
                Event::CData(text) => {
                    parser.text(&text.decode().map_err(|error| unreadable(error.to_string()))?);
                }
                Event::GeneralRef(entity) => parser.text(&resolve(&entity)?),
                Event::Eof => break,
                Event::Decl(_) | Event::Comment(_) | Event::PI(_) | Event::DocType(_) => {}
            }
        }
        parser.document.ok_or_else(|| unreadable("it has no root".to_owned()))
    }

    /// The text of a child; empty if there is none.
    pub(super) fn text(&self, name: &str) -> &str {
        self.children.iter().find(|child| child.name == name).map_or("", |child| &child.text)
    }

    /// How names are written in this listing.
    pub(super) fn coding(&self) -> Coding {
        if self.text("EncodingType") == "url" { Coding::Url } else { Coding::Plain }
    }
}

/// How a listing writes keys and prefixes, besides XML's own way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Coding {
    Plain,
    Url,
}

impl Coding {
    /// A name from an element's text.
    pub(super) fn read(self, text: &str) -> String {
        match self {
            Self::Plain => text.to_owned(),
            Self::Url => percent::decode(text, Plus::IsSpace),
        }
    }

    /// A name as an element's content.
    pub(super) fn write(self, name: &str) -> String {
        match self {
            Self::Plain => escape(name).into_owned(),
            Self::Url => percent::encode(name),
        }
    }
}

struct Parser<'a> {
    text: &'a str,
    /// The elements that are open, from the root.
    open: Vec<String>,
    document: Option<Document<'a>>,
    child_starts: usize,
}

impl<'a> Parser<'a> {
    fn start(&mut self, name: String, start: usize, end: usize) {
        match (self.open.len(), &mut self.document) {
            (0, document) => {
                let head = &self.text[..end];
                *document = Some(Document { root: name.clone(), head, children: Vec::new() });
            }
            (1, Some(document)) => {
                self.child_starts = start;
                let (name, text) = (name.clone(), String::new());
                document.children.push(Element { name, raw: "", text, fields: Vec::new() });
            }
            (2, Some(document)) => {
                if let Some(child) = document.children.last_mut() {
                    child.fields.push((name.clone(), String::new()));
                }
            }
            _ => {}
        }
        self.open.push(name);
    }

    fn end(&mut self, end: usize) {
        self.open.pop();
        let raw = &self.text[self.child_starts..end];
        if let (1, Some(child)) = (self.open.len(), self.child()) {
            child.raw = raw;
        }
    }

    fn text(&mut self, text: &str) {
        let depth = self.open.len();
        let Some(child) = self.child() else { return };
        match (depth, child.fields.last_mut()) {
            (2, _) => child.text.push_str(text),
            (3, Some((_, field))) => field.push_str(text),
            _ => {}
        }
    }

    fn child(&mut self) -> Option<&mut Element<'a>> {
        self.document.as_mut()?.children.last_mut()
    }
}

/// What `&amp;` and its like stand for.
fn resolve(entity: &BytesRef<'_>) -> Result<String, ProxyError> {
    let unreadable = |reason: String| ProxyError::Unreadable { reason };
    if let Some(character) = entity.resolve_char_ref().map_err(|error| unreadable(error.to_string()))? {
        return Ok(character.to_string());
    }
    let name = entity.decode().map_err(|error| unreadable(error.to_string()))?;
    let known = quick_xml::escape::resolve_xml_entity(&name);
    known.map(str::to_owned).ok_or_else(|| unreadable(format!("&{name}; is unknown")))
}

fn name(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// An offset in a text that is in memory.
fn position(offset: u64) -> usize {
    usize::try_from(offset).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LISTING: &str = "<?xml version=\"1.0\"?>\n<List xmlns=\"x\"><Name>b</Name>\n <EncodingType>url</EncodingType>\
        <Contents><Key>a+%2B%3Cb</Key><ETag>&quot;&#x31;2&#51;&quot;</ETag><Owner><ID>me</ID></Owner></Contents>\
        <Contents><Key/><Size>7</Size></Contents></List>";

    #[test]
    fn elements_are_read_and_keep_their_text() {
        let document = Document::parse(LISTING).unwrap();
        assert_eq!(document.root, "List");
        assert_eq!(document.head, "<?xml version=\"1.0\"?>\n<List xmlns=\"x\">");
        assert_eq!((document.text("Name"), document.text("Absent")), ("b", ""));
        let [.., first, second] = document.children.as_slice() else { panic!("{document:?}") };
        assert_eq!((first.field("ETag"), first.field("Owner"), first.field("ID")), ("\"123\"", "", ""));
        assert_eq!(document.coding().read(first.field("Key")), "a +<b");
        assert_eq!(second.raw, "<Contents><Key/><Size>7</Size></Contents>");
        assert_eq!((second.field("Key"), second.field("Size")), ("", "7"));
    }

    #[test]
    fn names_are_written_as_they_are_read() {
        for coding in [Coding::Plain, Coding::Url] {
            for name in ["a b", "<tag>&amp;\"'", "ü/☃+%2F"] {
                let text = format!("<L><K>{}</K></L>", coding.write(name));
                let document = Document::parse(&text).unwrap();
                assert_eq!(coding.read(document.text("K")), name);
            }
        }
    }

    #[test]
    fn what_is_no_xml_is_refused() {
        for text in ["", "no answer", "<a></b>", "<a>&what;</a>"] {
            assert!(matches!(Document::parse(text), Err(ProxyError::Unreadable { .. })), "{text}");
        }
    }
}
