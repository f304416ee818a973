//! The public methods of the official client, read from the source of the very release that the lock names.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;
use syn::{
    Attribute, Fields, GenericArgument, ImplItem, Item, ItemMacro, PathArguments, ReturnType, Type,
    TypeParamBound, Visibility,
};

/// What a value must hold to ask anything of a server: the client's transport, reqwest's own, or a closure that may have one.
const REACHES: &[&str] = &["HttpBackend", "reqwest", "Fn", "FnMut", "FnOnce"];

/// What the crate's own types may implement of others' traits without anything in it that could ask a server.
const HARMLESS: &[&str] = &["Debug", "Default", "Deserialize", "Display", "Drop", "Error", "From", "Visitor"];

/// What the official client shows to its callers.
#[derive(Debug, Default)]
pub(crate) struct Public {
    /// `Type::method` of every type that can reach a server, or of a module for a plain function.
    pub(crate) reaching: BTreeSet<String>,
    /// Of these, the ones that are async.
    pub(crate) awaited: BTreeSet<String>,
    /// The methods of types that can't: plain data. None of them is async.
    pub(crate) data: BTreeSet<String>,
    /// Traits, which a caller implements and the client calls.
    pub(crate) traits: BTreeSet<String>,
}

impl Public {
    pub(crate) fn read() -> Self {
        let mut source = Source::default();
        source.folder(&folder());
        source.public()
    }
}

/// Where the release lies that Cargo resolved.
fn folder() -> PathBuf {
    let version = String::from_utf8(cargo(&["-vV"])).expect("cargo's version is text");
    let host = version.lines().find_map(|line| line.strip_prefix("host: ")).expect("cargo names its host");
    // Of other platforms nothing has been downloaded.
    let metadata = cargo(&["metadata", "--format-version", "1", "--locked", "--filter-platform", host]);
    let metadata: Value = serde_json::from_slice(&metadata).expect("cargo answers in JSON");
    let packages = metadata["packages"].as_array().expect("packages");
    let ours: Vec<&Value> = packages.iter().filter(|package| package["name"] == "apify-client").collect();
    let [package] = ours[..] else { panic!("{} releases of apify-client in the lock", ours.len()) };
    let manifest = Path::new(package["manifest_path"].as_str().expect("a path"));
    manifest.with_file_name("src")
}

fn cargo(arguments: &[&str]) -> Vec<u8> {
    let mut cargo = Command::new(env!("CARGO"));
    let output =
        cargo.args(arguments).current_dir(env!("CARGO_MANIFEST_DIR")).output().expect("cargo starts");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}

#[derive(Default)]
struct Source {
    /// What each type that is `pub` holds, by name.
    types: BTreeMap<String, BTreeSet<String>>,
    /// What each other type and alias holds.
    others: BTreeMap<String, BTreeSet<String>>,
    /// Type or module, method, and whether it is async.
    methods: Vec<(String, String, bool)>,
    traits: BTreeSet<String>,
    /// The public functions that a macro writes, with whether they are async.
    macros: BTreeMap<String, Vec<(String, bool)>>,
    /// Which macro was used on what.
    used: Vec<(String, String)>,
}

impl Source {
    fn folder(&mut self, folder: &Path) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                self.folder(&path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = fs::read_to_string(&path).unwrap();
                let file =
                    syn::parse_file(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
                self.items(&file.items, path.file_stem().unwrap().to_str().unwrap());
            }
        }
    }

    fn items(&mut self, items: &[Item], module: &str) {
        for item in items {
            match item {
                Item::Struct(item) => self.holds(&item.vis, item.ident.to_string(), held(&item.fields)),
                Item::Enum(item) => {
                    let held = item.variants.iter().flat_map(|variant| held(&variant.fields)).collect();
                    self.holds(&item.vis, item.ident.to_string(), held);
                }
                Item::Type(item) => {
                    let mut held = BTreeSet::new();
                    names(&item.ty, &mut held);
                    self.others.entry(item.ident.to_string()).or_default().extend(held);
                }
                Item::Trait(item) if public(&item.vis) => drop(self.traits.insert(item.ident.to_string())),
                Item::Fn(item) if public(&item.vis) => {
                    let name = item.sig.ident.to_string();
                    self.methods.push((module.to_owned(), name, item.sig.asyncness.is_some()));
                }
                Item::Impl(item) if !in_tests_alone(&item.attrs) => self.implementation(item),
                Item::Macro(item) => self.macro_item(item),
                Item::Mod(item) if !in_tests_alone(&item.attrs) => {
                    if let Some((_, items)) = &item.content {
                        self.items(items, &item.ident.to_string());
                    }
                }
                Item::Verbatim(_) => panic!("{module} has an item that is not understood"),
                _ => {}
            }
        }
    }

    fn holds(&mut self, visibility: &Visibility, name: String, held: BTreeSet<String>) {
        let types = if public(visibility) { &mut self.types } else { &mut self.others };
        assert!(types.insert(name.clone(), held).is_none(), "two types are named {name}");
    }

    fn implementation(&mut self, item: &syn::ItemImpl) {
        let Type::Path(own) = &*item.self_ty else { panic!("an impl of something else than a type") };
        let name = own.path.segments.last().unwrap().ident.to_string();
        if let Some((_, of, _)) = &item.trait_ {
            let of = of.segments.last().unwrap().ident.to_string();
            let known = HARMLESS.contains(&of.as_str()) || self.own_trait(&of);
            assert!(known, "{name} implements {of}, which may call something");
            return;
        }
        for item in &item.items {
            match item {
                ImplItem::Fn(method) if public(&method.vis) => {
                    let awaited = method.sig.asyncness.is_some() || gives_a_future(&method.sig.output);
                    self.methods.push((name.clone(), method.sig.ident.to_string(), awaited));
                }
                ImplItem::Fn(_) | ImplItem::Const(_) | ImplItem::Type(_) => {}
                _ => panic!("{name} has a method that a macro writes"),
            }
        }
    }

    /// Files are read in any order, so the crate's own traits are named here; the test of completeness holds the names against them.
    fn own_trait(&self, name: &str) -> bool {
        self.traits.contains(name) || crate::local::TRAITS.contains(&name)
    }

    fn macro_item(&mut self, item: &ItemMacro) {
        let name = item.mac.path.segments.last().unwrap().ident.to_string();
        let text = item.mac.tokens.to_string();
        match &item.ident {
            Some(ident) => {
                let tokens: Vec<&str> = text.split_whitespace().collect();
                let mut functions = Vec::new();
                for window in tokens.windows(4) {
                    match window {
                        ["pub", "fn", name, _] => functions.push((bare(name), false)),
                        ["pub", "async", "fn", name] => functions.push((bare(name), true)),
                        _ => {}
                    }
                }
                self.macros.insert(ident.to_string(), functions);
            }
            None => self.used.push((name, text.trim().to_owned())),
        }
    }

    fn public(mut self) -> Public {
        for (name, on) in std::mem::take(&mut self.used) {
            let functions =
                self.macros.get(&name).unwrap_or_else(|| panic!("{name}! is not the crate's own"));
            let made = functions.iter().map(|(function, awaited)| (on.clone(), function.clone(), *awaited));
            self.methods.extend(made);
        }
        let mut public = Public { traits: self.traits.clone(), ..Public::default() };
        for (of, method, awaited) in &self.methods {
            let is_type = self.types.contains_key(of);
            if !is_type && self.others.contains_key(of) {
                continue; // A method of what nobody outside can name.
            }
            let name = format!("{of}::{method}");
            if is_type && !self.reaches(of, &mut BTreeSet::new()) {
                assert!(!awaited, "{name} is async, and {of} holds nothing that could ask a server");
                public.data.insert(name);
                continue;
            }
            if *awaited {
                public.awaited.insert(name.clone());
            }
            public.reaching.insert(name);
        }
        public
    }

    fn reaches(&self, name: &str, seen: &mut BTreeSet<String>) -> bool {
        if REACHES.contains(&name) {
            return true;
        }
        if !seen.insert(name.to_owned()) {
            return false;
        }
        let held = self.types.get(name).into_iter().chain(self.others.get(name)).flatten();
        held.clone().any(|name| self.reaches(name, seen))
    }
}

fn bare(name: &str) -> String {
    name.split(|c: char| !c.is_alphanumeric() && c != '_').next().unwrap_or_default().to_owned()
}

fn public(visibility: &Visibility) -> bool {
    matches!(visibility, Visibility::Public(_))
}

fn in_tests_alone(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        attribute.path().is_ident("cfg")
            && attribute.parse_args::<syn::Ident>().is_ok_and(|condition| condition == "test")
    })
}

fn gives_a_future(output: &ReturnType) -> bool {
    let mut found = BTreeSet::new();
    if let ReturnType::Type(_, of) = output {
        names(of, &mut found);
    }
    found.iter().any(|name| name.contains("Future"))
}

fn held(fields: &Fields) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    fields.iter().for_each(|field| names(&field.ty, &mut found));
    found
}

/// Every name that stands in a type.
fn names(of: &Type, into: &mut BTreeSet<String>) {
    match of {
        Type::Path(of) => path(&of.path, into),
        Type::Reference(of) => names(&of.elem, into),
        Type::Array(of) => names(&of.elem, into),
        Type::Slice(of) => names(&of.elem, into),
        Type::Group(of) => names(&of.elem, into),
        Type::Paren(of) => names(&of.elem, into),
        Type::Ptr(of) => names(&of.elem, into),
        Type::Tuple(of) => of.elems.iter().for_each(|one| names(one, into)),
        Type::TraitObject(of) => of.bounds.iter().for_each(|one| bound(one, into)),
        Type::ImplTrait(of) => of.bounds.iter().for_each(|one| bound(one, into)),
        Type::BareFn(_) => drop(into.insert("Fn".to_owned())),
        Type::Never(_) | Type::Infer(_) => {}
        _ => panic!("a type that is not understood"),
    }
}

fn bound(of: &TypeParamBound, into: &mut BTreeSet<String>) {
    if let TypeParamBound::Trait(of) = of {
        path(&of.path, into);
    }
}

fn path(of: &syn::Path, into: &mut BTreeSet<String>) {
    for segment in &of.segments {
        into.insert(segment.ident.to_string());
        match &segment.arguments {
            PathArguments::None => {}
            PathArguments::AngleBracketed(arguments) => {
                for argument in &arguments.args {
                    match argument {
                        GenericArgument::Type(of) => names(of, into),
                        GenericArgument::AssocType(of) => names(&of.ty, into),
                        _ => {}
                    }
                }
            }
            PathArguments::Parenthesized(arguments) => {
                arguments.inputs.iter().for_each(|one| names(one, into));
                if let ReturnType::Type(_, of) = &arguments.output {
                    names(of, into);
                }
            }
        }
    }
}
