//! Reads the XML again as a tree, with nothing of the code that wrote it.

use quick_xml::Reader;
use quick_xml::events::Event;
use rust_decimal::Decimal;

/// An element.
#[derive(Debug, Default)]
pub struct Node {
    pub name: String,
    pub attributes: Vec<(String, String)>,
    pub text: String,
    pub children: Vec<Node>,
}

/// The root of a document.
pub fn read(xml: &str) -> Node {
    let mut reader = Reader::from_str(xml);
    let mut open = vec![Node::default()];
    loop {
        match reader.read_event().unwrap() {
            Event::Start(start) => {
                let attributes = start
                    .attributes()
                    .map(|attribute| {
                        let attribute = attribute.unwrap();
                        (attribute.key.as_ref().to_owned(), attribute.value.to_string())
                    })
                    .collect();
                let name = start.local_name().as_ref().to_owned();
                open.push(Node { name, attributes, ..Node::default() });
            }
            Event::End(_) => {
                let mut node = open.pop().unwrap();
                node.text = node.text.trim().to_owned();
                open.last_mut().unwrap().children.push(node);
            }
            Event::Text(text) => open.last_mut().unwrap().text.push_str(&text.xml10_content()),
            Event::GeneralRef(name) => {
                let one = match &*name {
                    "amp" => '&',
                    "lt" => '<',
                    "gt" => '>',
                    "quot" => '"',
                    "apos" => '\'',
                    other => panic!("&{other};"),
                };
                open.last_mut().unwrap().text.push(one);
            }
            Event::Decl(_) => {}
            Event::Eof => break,
            other => panic!("{other:?}"),
        }
    }
    open.pop().unwrap().children.pop().unwrap()
}

impl Node {
    pub fn all(&self, name: &str) -> Vec<&Node> {
        self.children.iter().filter(|child| child.name == name).collect()
    }

    /// The first at a path of names with `/`.
    pub fn at(&self, path: &str) -> Option<&Node> {
        path.split('/').try_fold(self, |node, name| node.children.iter().find(|child| child.name == name))
    }

    pub fn text_at(&self, path: &str) -> &str {
        self.at(path).map_or("", |node| node.text.as_str())
    }

    pub fn number(&self, path: &str) -> Decimal {
        self.text_at(path).parse().unwrap_or_else(|_| panic!("{path} of {}", self.name))
    }

    pub fn number_or_zero(&self, path: &str) -> Decimal {
        if self.at(path).is_some() { self.number(path) } else { Decimal::ZERO }
    }

    pub fn attribute(&self, name: &str) -> &str {
        self.attributes.iter().find(|(key, _)| key == name).map_or("", |(_, value)| value)
    }
}
