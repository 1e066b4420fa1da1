//! The sections of all files together: read, counted, each id once.

use super::model::{
    Assignment, Charger, Document, Driver, Feed, Group, Limits, Mail, Model, Organisation, Person, Plan,
    Plugin, Seller, Settings, Site, Token,
};
use super::node::{Node, Value};
use super::read::{Field, list, shown};
use super::report::{More as _, Place, Report};
use std::collections::BTreeMap;

/// A thing that was read, with where it stands.
pub(crate) struct Item<T> {
    pub it: T,
    pub node: Node,
}

impl<T> Item<T> {
    /// Where the value of a path of keys stands; where it is left out, the table around it.
    pub fn at(&self, path: &[&str]) -> Place {
        self.node.place(path)
    }
}

/// All things of a section.
pub(crate) struct Many<T> {
    pub items: Vec<Item<T>>,
    /// Their ids, as compared; also of those that could not be read, which must not be missed elsewhere. With the place of the item.
    known: BTreeMap<String, (Place, Option<usize>)>,
}

impl<T> Default for Many<T> {
    fn default() -> Self {
        Self { items: Vec::new(), known: BTreeMap::new() }
    }
}

impl<T: Section> Many<T> {
    /// Whether there is one with this id.
    pub fn has(&self, id: &str) -> bool {
        self.known.contains_key(&T::fold(id))
    }

    /// All ids.
    pub fn ids(&self) -> impl Iterator<Item = &str> {
        self.known.keys().map(String::as_str)
    }

    /// The one with this id, if it could be read.
    pub fn find(&self, id: &str) -> Option<&Item<T>> {
        let (_, item) = self.known.get(&T::fold(id))?;
        self.items.get((*item)?)
    }

    fn add(&mut self, node: Node, report: &mut Report) {
        let key = T::key(&node);
        let folded = key.as_deref().map(T::fold);
        let at = node.place(&[T::ID]);
        if let Some((before, _)) = folded.as_ref().and_then(|folded| self.known.get(folded)) {
            let key = shown(&key.unwrap_or_default());
            report
                .error("S021", at, format!("there is {} `{key}` already", T::ONE))
                .also(*before, "here")
                .advise(T::TWICE);
            return;
        }
        let item = T::read(&node, report).map(|it| {
            self.items.push(Item { it, node });
            self.items.len() - 1
        });
        if let Some(folded) = folded {
            self.known.insert(folded, (at, item));
        }
    }
}

/// Things of which a set-up has many.
pub(crate) trait Section: Field + serde::Serialize + PartialEq {
    /// As in `[[charger]]`.
    const NAME: &'static str;
    /// `a charger`.
    const ONE: &'static str;
    /// The key that tells them apart.
    const ID: &'static str = "id";
    /// What to do about two of one id.
    const TWICE: &'static str = "give one of them another id, or keep only one";

    /// What it is called outside: in addresses of the API and in the audit log.
    fn id(&self) -> String;

    /// What tells it apart from others, when it has that.
    fn key(node: &Node) -> Option<String> {
        node.get(Self::ID)?.text().map(str::to_owned)
    }

    /// Ids as compared.
    fn fold(id: &str) -> String {
        id.to_owned()
    }
}

macro_rules! sections {
    ($($type:ty: $name:literal $one:literal;)*) => {
        $(impl Section for $type {
            const NAME: &'static str = $name;
            const ONE: &'static str = $one;

            fn id(&self) -> String {
                self.id.to_string()
            }
        })*
    };
}

sections! {
    Seller: "seller" "a seller";
    Site: "site" "a site";
    Group: "group" "a group";
    Plan: "plan" "a plan";
    Driver: "driver" "a driver";
    Plugin: "plugin" "a plugin";
}

impl Section for Assignment {
    const NAME: &'static str = "tariff";
    const ONE: &'static str = "an assignment of a tariff";

    fn id(&self) -> String {
        self.label()
    }
}

impl Section for Charger {
    const NAME: &'static str = "charger";
    const ONE: &'static str = "a charger";
    const TWICE: &'static str =
        "the identities of chargers must differ in more than their capital letters; keep only one of the two";

    fn fold(id: &str) -> String {
        id.to_lowercase()
    }

    fn id(&self) -> String {
        self.id.to_string()
    }
}

impl Section for Token {
    const NAME: &'static str = "token";
    const ONE: &'static str = "a token";
    const ID: &'static str = "uid";
    const TWICE: &'static str = "letters in either case are the same token; keep only one of the two";

    fn fold(id: &str) -> String {
        id.to_lowercase()
    }

    fn id(&self) -> String {
        self.uid.to_string()
    }
}

impl Section for Person {
    const NAME: &'static str = "person";
    const ONE: &'static str = "a person for driver";
    const ID: &'static str = "driver";
    const TWICE: &'static str = "keep only one of the two";

    fn id(&self) -> String {
        self.driver.to_string()
    }
}

impl Section for Model {
    const NAME: &'static str = "model";
    const ONE: &'static str = "a model";
    const ID: &'static str = "vendor";
    const TWICE: &'static str = "keep only one of the two";

    fn key(node: &Node) -> Option<String> {
        let vendor = node.get("vendor")?.text()?;
        Some(
            format!("{vendor} {}", node.get("model").and_then(Node::text).unwrap_or_default())
                .trim_end()
                .to_owned(),
        )
    }

    fn fold(id: &str) -> String {
        id.to_lowercase()
    }

    fn id(&self) -> String {
        format!("{} {}", self.vendor, self.model.as_deref().unwrap_or_default()).trim_end().to_owned()
    }
}

impl Section for Feed {
    const NAME: &'static str = "feed";
    const ONE: &'static str = "a feed";
    const ID: &'static str = "name";
    const TWICE: &'static str = "keep only one of the two, or give them different areas";

    fn key(node: &Node) -> Option<String> {
        let name = node.get("name").map_or(Some("spot"), Node::text)?;
        let area = node.get("area").and_then(Node::text);
        Some(area.map_or_else(|| name.to_owned(), |area| format!("{name} {area}")))
    }

    fn id(&self) -> String {
        format!("{} {}", self.name, self.area.as_deref().unwrap_or_default()).trim_end().to_owned()
    }
}

/// Everything that was read.
#[derive(Default)]
pub(crate) struct Raw {
    pub organisation: Option<Item<Organisation>>,
    pub settings: Option<Item<Settings>>,
    pub limits: Option<Item<Limits>>,
    pub mail: Option<Item<Mail>>,
    pub sellers: Many<Seller>,
    pub sites: Many<Site>,
    pub chargers: Many<Charger>,
    pub models: Many<Model>,
    pub groups: Many<Group>,
    pub plans: Many<Plan>,
    pub drivers: Many<Driver>,
    pub tokens: Many<Token>,
    pub tariffs: Many<Assignment>,
    pub feeds: Many<Feed>,
    pub plugins: Many<Plugin>,
    pub people: Many<Person>,
}

pub(crate) const SINGLE: [&str; 4] = ["organisation", "settings", "limits", "mail"];
pub(crate) const MANY: [&str; 12] = [
    "seller", "site", "charger", "model", "group", "plan", "driver", "token", "tariff", "feed", "plugin",
    "person",
];

/// Sections that one may expect, and where that is said.
const ELSEWHERE: [(&str, &str); 8] = [
    ("api_key", "keys of the API are not in files: make one with the API or on the operator's page"),
    ("api_keys", "keys of the API are not in files: make one with the API or on the operator's page"),
    ("connector", "connectors belong to a charger: `[[charger.connector]]`"),
    ("assignment", "write `[[tariff]]`"),
    ("card", "write `[[token]]`"),
    ("company", "write `[[seller]]`"),
    ("price", "write `[[feed]]`"),
    ("metering_point", "write `metering_point` at the site, the charger or the connector"),
];

/// Puts the sections of several texts together.
pub(crate) fn merge(nodes: Vec<Node>, report: &mut Report) -> Raw {
    let mut raw = Raw::default();
    for node in nodes {
        let Value::Table(entries) = node.it else { continue };
        let others = entries.iter().find(|entry| entry.key != "person").map(|entry| entry.at);
        for entry in entries {
            let (key, at, node) = (entry.key, entry.at, entry.node);
            if key == "person"
                && let Some(other) = others
            {
                report
                    .error("S023", at, "personal data stands beside other things")
                    .also(other, "such as this")
                    .advise("put `[[person]]` into a file of its own, such as `people.toml`, so that it can be erased");
            }
            if key == "include" {
                // What it names was read before this.
                let _: Option<Vec<String>> = Field::read(&node, report);
            } else {
                raw.add(&key, at, node, report);
            }
        }
    }
    raw
}

impl Raw {
    fn add(&mut self, key: &str, at: Place, node: Node, report: &mut Report) {
        match key {
            "organisation" => single(&mut self.organisation, key, node, report),
            "settings" => single(&mut self.settings, key, node, report),
            "limits" => single(&mut self.limits, key, node, report),
            "mail" => single(&mut self.mail, key, node, report),
            "seller" => many(&mut self.sellers, node, report),
            "site" => many(&mut self.sites, node, report),
            "charger" => many(&mut self.chargers, node, report),
            "model" => many(&mut self.models, node, report),
            "group" => many(&mut self.groups, node, report),
            "plan" => many(&mut self.plans, node, report),
            "driver" => many(&mut self.drivers, node, report),
            "token" => many(&mut self.tokens, node, report),
            "tariff" => many(&mut self.tariffs, node, report),
            "feed" => many(&mut self.feeds, node, report),
            "plugin" => many(&mut self.plugins, node, report),
            "person" => many(&mut self.people, node, report),
            _ => unknown(key, at, report),
        }
    }

    /// The model and, apart from it, who drivers are, in the order of the files; organisation and settings that are left out are the defaults.
    pub fn document(self) -> (Document, Vec<Person>) {
        fn all<T>(many: Many<T>) -> Vec<T> {
            many.items.into_iter().map(|item| item.it).collect()
        }
        fn one<T: Default>(item: Option<Item<T>>) -> T {
            item.map_or_else(T::default, |item| item.it)
        }
        let Self { organisation, settings, limits, mail, sellers, sites, chargers, models, .. } = self;
        let (groups, plans, drivers, tokens) = (self.groups, self.plans, self.drivers, self.tokens);
        let document = Document {
            organisation: one(organisation),
            settings: one(settings),
            limits: one(limits),
            mail: mail.map(|item| item.it),
            sellers: all(sellers),
            sites: all(sites),
            chargers: all(chargers),
            models: all(models),
            groups: all(groups),
            plans: all(plans),
            drivers: all(drivers),
            tokens: all(tokens),
            tariffs: all(self.tariffs),
            feeds: all(self.feeds),
            plugins: all(self.plugins),
        };
        (document, all(self.people))
    }
}

fn single<T: Field>(place: &mut Option<Item<T>>, key: &str, node: Node, report: &mut Report) {
    if matches!(node.it, Value::List(_)) {
        report
            .error("S020", node.at, format!("there is only one `{key}`"))
            .advise(format!("write `[{key}]`, with one pair of brackets"));
        return;
    }
    if let Some(before) = place {
        report
            .error("S022", node.at, format!("`[{key}]` stands here for the second time"))
            .also(before.node.at, "first here")
            .advise("put all its keys into one place");
        return;
    }
    if let Some(it) = T::read(&node, report) {
        *place = Some(Item { it, node });
    }
}

fn many<T: Section>(place: &mut Many<T>, node: Node, report: &mut Report) {
    match node.it {
        Value::List(nodes) => {
            for node in nodes {
                place.add(node, report);
            }
        }
        Value::Broken => {}
        _ => {
            let name = T::NAME;
            report
                .error("S020", node.at, format!("there can be several of `{name}`"))
                .advise(format!("write `[[{name}]]`, with two pairs of brackets"));
        }
    }
}

fn unknown(key: &str, at: Place, report: &mut Report) {
    let known = || SINGLE.iter().chain(&MANY).copied();
    let elsewhere = ELSEWHERE.iter().find(|(name, _)| *name == key).map(|(_, hint)| (*hint).to_owned());
    let brackets =
        |name: &str| if SINGLE.contains(&name) { format!("[{name}]") } else { format!("[[{name}]]") };
    let near = report.nearest(key, known()).map(|near| format!("did you mean `{}`?", brackets(near)));
    let all: Vec<&str> = known().collect();
    report
        .error("S010", at, format!("there is no section `{}`", shown(key)))
        .advise(elsewhere.or(near).unwrap_or_else(|| format!("the sections are {}", list(&all))));
}
