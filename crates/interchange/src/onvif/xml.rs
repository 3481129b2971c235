//! XML as a tree of the elements of one namespace. Elements of other namespaces (vendor extensions) are skipped with their
//! contents. Documents are refused that define entities, nest deeply, or contain more elements than any frame needs.

use quick_xml::NsReader;
use quick_xml::XmlVersion::Implicit1_0;
use quick_xml::events::{BytesRef, BytesStart, Event};
use quick_xml::name::ResolveResult;

const DEEPEST: usize = 64;
const MOST_ELEMENTS: usize = 200_000;

/// One element.
#[derive(Debug, Default)]
pub(super) struct Element {
    /// Its local name.
    pub(super) name: String,
    /// The text directly in it.
    pub(super) text: String,
    attributes: Vec<(String, String)>,
    children: Vec<Element>,
}

impl Element {
    /// The value of an attribute without prefix.
    pub(super) fn attribute(&self, name: &str) -> Option<&str> {
        self.attributes.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// Its children of that name.
    pub(super) fn all(&self, name: &str) -> impl Iterator<Item = &Element> {
        self.children.iter().filter(move |child| child.name == name)
    }

    /// Its first child of that name.
    pub(super) fn first(&self, name: &str) -> Option<&Element> {
        self.all(name).next()
    }
}

/// Parses a document with a root in `namespace`, or returns the reason.
pub(super) fn parse(text: &str, namespace: &str) -> Result<Element, String> {
    let mut reader = NsReader::from_str(text.trim_start_matches('\u{feff}'));
    let mut open: Vec<Element> = Vec::new();
    let (mut elements, mut foreign) = (0, 0_usize);
    let mut root = None;
    loop {
        let (resolved, event) = reader.read_resolved_event().map_err(|error| error.to_string())?;
        let ours = matches!(&resolved, ResolveResult::Bound(bound) if bound.0 == namespace);
        match event {
            Event::DocType(_) => return Err("a DOCTYPE is not taken".into()),
            Event::Start(_) | Event::Empty(_) if root.is_some() => return Err("it has more than one root".into()),
            Event::Start(start) => {
                elements += 1;
                if open.len() + foreign >= DEEPEST || elements > MOST_ELEMENTS {
                    return Err(format!("more than {MOST_ELEMENTS} elements, or more than {DEEPEST} in each other"));
                }
                match foreign == 0 && ours {
                    true => open.push(element(&start)?),
                    false => foreign += 1,
                }
            }
            Event::Empty(start) if foreign == 0 && ours => {
                elements += 1;
                let element = element(&start)?;
                close(element, &mut open, &mut root);
            }
            Event::End(_) if foreign > 0 => foreign -= 1,
            Event::End(_) => {
                if let Some(element) = open.pop() {
                    close(element, &mut open, &mut root);
                }
            }
            Event::Text(text) => say(&mut open, foreign, &text.xml10_content()),
            Event::CData(text) => say(&mut open, foreign, &text.xml10_content()),
            Event::GeneralRef(reference) => say(&mut open, foreign, &resolve(&reference)?),
            Event::Eof => break,
            _ => {}
        }
    }
    match root {
        Some(root) if open.is_empty() && foreign == 0 => Ok(root),
        Some(_) => Err("it ends within an element".into()),
        None if open.is_empty() => Err(format!("it has no element of {namespace}")),
        None => Err("it ends within an element".into()),
    }
}

fn element(start: &BytesStart<'_>) -> Result<Element, String> {
    let mut element = Element { name: start.local_name().into_inner().to_owned(), ..Element::default() };
    for attribute in start.attributes() {
        let attribute = attribute.map_err(|error| error.to_string())?;
        if attribute.key.prefix().is_none() {
            let value = attribute.normalized_value(Implicit1_0).map_err(|error| error.to_string())?;
            element.attributes.push((attribute.key.local_name().into_inner().to_owned(), value.into_owned()));
        }
    }
    Ok(element)
}

fn close(element: Element, open: &mut [Element], root: &mut Option<Element>) {
    match open.last_mut() {
        Some(parent) => parent.children.push(element),
        None => *root = Some(element),
    }
}

fn say(open: &mut [Element], foreign: usize, text: &str) {
    if let Some(element) = open.last_mut().filter(|_| foreign == 0) {
        element.text.push_str(text);
    }
}

fn resolve(reference: &BytesRef<'_>) -> Result<String, String> {
    if let Some(character) = reference.resolve_char_ref().map_err(|error| error.to_string())? {
        return Ok(character.to_string());
    }
    let name = reference.xml10_content();
    let known = quick_xml::escape::resolve_predefined_entity(&name);
    known.map(str::to_owned).ok_or_else(|| format!("the entity `{name}` is not known"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn elements_of_other_namespaces_are_left_out() {
        let text = "<?xml version=\"1.0\"?><a:r xmlns:a=\"n\" xmlns:b=\"m\"><b:x><a:hidden/></b:x>\
                    <a:y k=\"1 &lt; 2\" b:k=\"no\">t&amp;u</a:y><b:z/></a:r>";
        let root = parse(text, "n").unwrap();
        assert_eq!(root.children.len(), 1);
        let y = root.first("y").unwrap();
        assert_eq!((y.attribute("k"), y.text.as_str()), (Some("1 < 2"), "t&u"));
        assert_eq!(parse("<r xmlns=\"n\"/>", "n").unwrap().name, "r");
    }

    #[test]
    fn what_is_not_whole_or_not_safe_is_refused() {
        let deep = format!("<r xmlns=\"n\">{}{}</r>", "<d>".repeat(100), "</d>".repeat(100));
        let entity = "<!DOCTYPE r [<!ENTITY e \"x\">]><r xmlns=\"n\">&e;</r>";
        for (text, why) in [
            ("<r xmlns=\"n\">", "ends within"),
            ("<r xmlns=\"n\"/><r xmlns=\"n\"/>", "more than one root"),
            ("<r xmlns=\"n\">&e;</r>", "not known"),
            ("<r xmlns=\"other\"/>", "no element of n"),
            ("", "no element of n"),
            ("<r xmlns=\"n\"></s>", ""),
            (deep.as_str(), "in each other"),
            (entity, "DOCTYPE"),
        ] {
            let error = parse(text, "n").unwrap_err();
            assert!(error.contains(why), "{text}: {error}");
        }
    }
}
