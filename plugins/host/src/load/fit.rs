//! Whether the functions at a component's border are those of the interface: names and types, told in the words of WIT.

use super::interface::{PACKAGE, VERSION};
use semver::Version;
use std::collections::HashMap;
use std::sync::LazyLock;
use wasmparser::component_types::{
    ComponentAnyTypeId, ComponentDefinedType, ComponentDefinedTypeId, ComponentEntityType, ComponentFuncType,
    ComponentInstanceType, ComponentValType,
};
use wasmparser::types::TypesRef;
use wit_parser::{Function, FunctionKind, Resolve, Stability, Type, TypeDefKind};

/// The interface itself.
pub(super) const WIT: &str = include_str!("../../../wit/takst-plugin.wit");

static INTERFACE: LazyLock<Result<Resolve, String>> = LazyLock::new(|| {
    let mut resolve = Resolve::default();
    resolve.push_source("takst-plugin.wit", WIT).map_err(|error| format!("{error:#}"))?;
    Ok(resolve)
});

// So deep are types written out for people.
const DEPTH: usize = 4;
// So many names of fields or cases.
const NAMES: usize = 8;

/// Which way functions go.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    /// The plugin calls them.
    Imported,
    /// The gateway calls them.
    Exported,
}

/// What of an interface at a component's border is not as in the interface of that version, a line for each function: what the plugin
/// has, and what the interface has.
pub(super) fn misfits(
    types: TypesRef<'_>,
    (name, version): (&str, &Version),
    instance: &ComponentInstanceType,
    way: Way,
) -> Vec<String> {
    let resolve = match &*INTERFACE {
        Ok(resolve) => resolve,
        Err(error) => return vec![format!("the interface of this gateway cannot be read: {error}")],
    };
    let known = resolve.interfaces.iter().map(|(_, one)| one).find(|one| one.name.as_deref() == Some(name));
    // What a later version has besides is not ours to judge.
    let later = *version > VERSION;
    let Some(known) = known else {
        let line = format!("`{name}`: {PACKAGE} {VERSION} has no such interface");
        return if later { Vec::new() } else { vec![line] };
    };
    let side = Side { types, resolve, names: names(instance) };
    let mut lines = Vec::new();
    for (function, wanted) in &known.functions {
        let item = instance.exports.get(function).map(|item| item.ty);
        let Some(ComponentEntityType::Func(id)) = item else {
            let newer = matches!(&wanted.stability, Stability::Stable { since, .. } if since > version);
            // Of what it may call a plugin takes what it needs.
            if way == Way::Exported && !newer {
                lines.push(format!(
                    "`{name}.{function}` is missing; in {PACKAGE} {VERSION} it is {}",
                    side.wanted_signature(wanted)
                ));
            }
            continue;
        };
        let Some(has) = types.get(id) else { continue };
        if let Some(what) = side.function(has, wanted) {
            lines.push(format!("`{name}.{function}` {what}"));
        }
    }
    if way == Way::Exported && !later {
        let functions =
            instance.exports.iter().filter(|(_, item)| matches!(item.ty, ComponentEntityType::Func(_)));
        for (function, _) in
            functions.filter(|(function, _)| !known.functions.contains_key(function.as_str()))
        {
            lines.push(format!(
                "`{name}.{function}`: {PACKAGE} {VERSION} has no such function, nobody would call it"
            ));
        }
    }
    lines
}

// The types of the instance by their names: people know them by these.
fn names(instance: &ComponentInstanceType) -> HashMap<ComponentDefinedTypeId, &str> {
    let named = instance.exports.iter().filter_map(|(name, item)| match item.ty {
        ComponentEntityType::Type { created: ComponentAnyTypeId::Defined(id), .. } => {
            Some((id, name.as_str()))
        }
        _ => None,
    });
    named.collect()
}

/// A component's types beside those of the interface.
struct Side<'a> {
    types: TypesRef<'a>,
    resolve: &'a Resolve,
    names: HashMap<ComponentDefinedTypeId, &'a str>,
}

// Where two types differ, what is there, and what the interface has there.
type Difference = (String, String, String);

fn different(at: &str, has: &str, wants: &str) -> Difference {
    (at.to_owned(), format!("`{has}`"), format!("`{wants}`"))
}

impl Side<'_> {
    // What is wrong with a function.
    fn function(&self, has: &ComponentFuncType, wants: &Function) -> Option<String> {
        let waits = matches!(wants.kind, FunctionKind::AsyncFreestanding);
        if has.params.len() != wants.params.len() || has.async_ != waits {
            return Some(format!(
                "is {}; in {PACKAGE} {VERSION} it is {}",
                self.signature(has),
                self.wanted_signature(wants)
            ));
        }
        let mut params = has.params.iter().zip(&wants.params);
        let found = params
            .find_map(|((_, has), wants)| self.value(*has, &wants.ty, &format!("`{}`", wants.name)).err());
        let (at, has, wants) =
            found.or_else(|| self.perhaps(has.result.as_ref(), wants.result.as_ref(), "`result`").err())?;
        Some(format!("has {has} for {at}; in {PACKAGE} {VERSION} that is {wants}"))
    }

    fn perhaps(
        &self,
        has: Option<&ComponentValType>,
        wants: Option<&Type>,
        at: &str,
    ) -> Result<(), Difference> {
        match (has, wants) {
            (None, None) => Ok(()),
            (Some(has), Some(wants)) => self.value(*has, wants, at),
            (has, wants) => {
                let none = || "nothing".to_owned();
                let has = has.map_or_else(none, |has| self.word(*has, 0));
                Err(different(at, &has, &wants.map_or_else(none, |wants| self.wanted_word(wants))))
            }
        }
    }

    // The interface's type leads: it is small, whatever the component's is like.
    fn value(&self, has: ComponentValType, wants: &Type, at: &str) -> Result<(), Difference> {
        let Some(kind) = self.kind(wants) else {
            // A primitive one, on one side or the other under a name.
            let (has, wants) = (self.plainly(has), self.primitive(wants).to_owned());
            return if has == wants { Ok(()) } else { Err(different(at, &has, &wants)) };
        };
        let other = || Err(different(at, &self.plainly(has), &self.wanted_plainly(wants)));
        let ComponentValType::Type(id) = has else { return other() };
        let Some(has) = self.types.get(id) else { return other() };
        let within = |name: &str| format!("`{}.{name}`", at.trim_matches('`'));
        match (has, kind) {
            (ComponentDefinedType::Record(has), TypeDefKind::Record(wants)) => {
                if !has.fields.keys().map(|name| name.as_str()).eq(wants.fields.iter().map(|one| &one.name)) {
                    return other();
                }
                let mut pairs = has.fields.values().zip(&wants.fields);
                pairs.try_for_each(|(has, wants)| self.value(*has, &wants.ty, &within(&wants.name)))
            }
            (ComponentDefinedType::Variant(has), TypeDefKind::Variant(wants)) => {
                if !has.cases.keys().map(|name| name.as_str()).eq(wants.cases.iter().map(|one| &one.name)) {
                    return other();
                }
                let mut pairs = has.cases.values().zip(&wants.cases);
                pairs.try_for_each(|(has, wants)| {
                    self.perhaps(has.ty.as_ref(), wants.ty.as_ref(), &within(&wants.name))
                })
            }
            (ComponentDefinedType::Enum(has), TypeDefKind::Enum(wants))
                if has.iter().map(|name| name.as_str()).eq(wants.cases.iter().map(|one| &one.name)) =>
            {
                Ok(())
            }
            (ComponentDefinedType::Flags(has), TypeDefKind::Flags(wants))
                if has.iter().map(|name| name.as_str()).eq(wants.flags.iter().map(|one| &one.name)) =>
            {
                Ok(())
            }
            (ComponentDefinedType::Tuple(has), TypeDefKind::Tuple(wants))
                if has.types.len() == wants.types.len() =>
            {
                has.types.iter().zip(&wants.types).try_for_each(|(has, wants)| self.value(*has, wants, at))
            }
            (ComponentDefinedType::List { element, .. }, TypeDefKind::List(wants)) => {
                self.value(*element, wants, at)
            }
            (ComponentDefinedType::Option { ty, .. }, TypeDefKind::Option(wants)) => {
                self.value(*ty, wants, at)
            }
            (ComponentDefinedType::Result { ok, err, .. }, TypeDefKind::Result(wants)) => {
                self.perhaps(ok.as_ref(), wants.ok.as_ref(), at)?;
                self.perhaps(err.as_ref(), wants.err.as_ref(), "`error`")
            }
            _ => other(),
        }
    }

    // What a type of the interface is, behind its other names; nothing for a primitive one.
    fn kind(&self, wants: &Type) -> Option<&TypeDefKind> {
        let mut wants = *wants;
        while let Type::Id(id) = wants {
            match &self.resolve.types.get(id)?.kind {
                TypeDefKind::Type(behind) => wants = *behind,
                kind => return Some(kind),
            }
        }
        None
    }

    fn signature(&self, has: &ComponentFuncType) -> String {
        let waits = if has.async_ { "async " } else { "" };
        let params: Vec<String> =
            has.params.iter().map(|(name, ty)| format!("{name}: {}", self.word(*ty, 0))).collect();
        let result = has.result.map(|ty| format!(" -> {}", self.word(ty, 0))).unwrap_or_default();
        format!("`{waits}func({}){result}`", params.join(", "))
    }

    fn wanted_signature(&self, wants: &Function) -> String {
        let params: Vec<String> = wants
            .params
            .iter()
            .map(|param| format!("{}: {}", param.name, self.wanted_word(&param.ty)))
            .collect();
        let result = wants.result.map(|ty| format!(" -> {}", self.wanted_word(&ty))).unwrap_or_default();
        format!("`func({}){result}`", params.join(", "))
    }

    // As WIT has it, by its name where it has one.
    fn word(&self, has: ComponentValType, depth: usize) -> String {
        match has {
            ComponentValType::Primitive(primitive) => primitive.to_string(),
            ComponentValType::Type(id) => match self.names.get(&id) {
                Some(name) => (*name).to_owned(),
                None => self.written(id, depth),
            },
        }
    }

    // By what it is made of.
    fn plainly(&self, has: ComponentValType) -> String {
        match has {
            ComponentValType::Primitive(primitive) => primitive.to_string(),
            ComponentValType::Type(id) => self.written(id, 0),
        }
    }

    fn written(&self, id: ComponentDefinedTypeId, depth: usize) -> String {
        if depth > DEPTH {
            return "…".to_owned();
        }
        let word = |ty: &ComponentValType| self.word(*ty, depth + 1);
        let perhaps = |ty: &Option<ComponentValType>| ty.as_ref().map_or_else(|| "_".to_owned(), word);
        match self.types.get(id) {
            Some(ComponentDefinedType::Primitive(primitive)) => primitive.to_string(),
            Some(ComponentDefinedType::Record(record)) => {
                braced("record", record.fields.keys().map(|name| name.as_str()))
            }
            Some(ComponentDefinedType::Variant(variant)) => {
                braced("variant", variant.cases.keys().map(|name| name.as_str()))
            }
            Some(ComponentDefinedType::Enum(cases)) => braced("enum", cases.iter().map(|name| name.as_str())),
            Some(ComponentDefinedType::Flags(flags)) => {
                braced("flags", flags.iter().map(|name| name.as_str()))
            }
            Some(ComponentDefinedType::Tuple(tuple)) => {
                let mut parts: Vec<String> = tuple.types.iter().take(NAMES).map(word).collect();
                if tuple.types.len() > NAMES {
                    parts.push("…".to_owned());
                }
                format!("tuple<{}>", parts.join(", "))
            }
            Some(ComponentDefinedType::List { element, .. }) => format!("list<{}>", word(element)),
            Some(ComponentDefinedType::Option { ty, .. }) => format!("option<{}>", word(ty)),
            Some(ComponentDefinedType::Result { ok, err, .. }) => {
                format!("result<{}, {}>", perhaps(ok), perhaps(err))
            }
            _ => "a type that the interface does not use".to_owned(),
        }
    }

    fn wanted_word(&self, wants: &Type) -> String {
        let named = match wants {
            Type::Id(id) => self.resolve.types.get(*id).and_then(|ty| ty.name.clone()),
            _ => None,
        };
        named.unwrap_or_else(|| self.wanted_plainly(wants))
    }

    fn wanted_plainly(&self, wants: &Type) -> String {
        let word = |ty: &Type| self.wanted_word(ty);
        let perhaps = |ty: &Option<Type>| ty.as_ref().map_or_else(|| "_".to_owned(), word);
        let Some(kind) = self.kind(wants) else { return self.primitive(wants).to_owned() };
        match kind {
            TypeDefKind::Record(record) => {
                braced("record", record.fields.iter().map(|one| one.name.as_str()))
            }
            TypeDefKind::Variant(variant) => {
                braced("variant", variant.cases.iter().map(|one| one.name.as_str()))
            }
            TypeDefKind::Enum(cases) => braced("enum", cases.cases.iter().map(|one| one.name.as_str())),
            TypeDefKind::Flags(flags) => braced("flags", flags.flags.iter().map(|one| one.name.as_str())),
            TypeDefKind::Tuple(tuple) => {
                format!("tuple<{}>", tuple.types.iter().map(word).collect::<Vec<_>>().join(", "))
            }
            TypeDefKind::List(element) => format!("list<{}>", word(element)),
            TypeDefKind::Option(ty) => format!("option<{}>", word(ty)),
            TypeDefKind::Result(result) => {
                format!("result<{}, {}>", perhaps(&result.ok), perhaps(&result.err))
            }
            other => other.as_str().to_owned(),
        }
    }

    // A primitive type, perhaps under another name.
    fn primitive(&self, wants: &Type) -> &'static str {
        match wants {
            Type::Bool => "bool",
            Type::U8 => "u8",
            Type::U16 => "u16",
            Type::U32 => "u32",
            Type::U64 => "u64",
            Type::S8 => "s8",
            Type::S16 => "s16",
            Type::S32 => "s32",
            Type::S64 => "s64",
            Type::F32 => "f32",
            Type::F64 => "f64",
            Type::Char => "char",
            Type::String => "string",
            Type::ErrorContext => "error-context",
            Type::Id(id) => match self.resolve.types.get(*id).map(|ty| &ty.kind) {
                Some(TypeDefKind::Type(behind)) => self.primitive(behind),
                _ => "another type",
            },
        }
    }
}

fn braced<'a>(word: &str, names: impl ExactSizeIterator<Item = &'a str>) -> String {
    let more = if names.len() > NAMES { ", …" } else { "" };
    format!("{word} {{ {}{more} }}", names.take(NAMES).collect::<Vec<_>>().join(", "))
}
