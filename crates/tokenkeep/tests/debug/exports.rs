//! The types that the crates export, read from their sources: whoever adds one need not know of this test for it to miss the new type.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use syn::{Attribute, Item, UseTree, Visibility};

/// Exported from crates that are not read here.
const NO_TYPES: &[&str] = &["tokenkeep::async_trait", "tokenkeep_apify_official::apify_client"];

/// What one crate declares and exports, as `crate::Name`.
#[derive(Default)]
struct Crate {
    name: String,
    /// Structs, enums, unions and aliases that are `pub`, wherever they stand.
    types: BTreeSet<String>,
    /// Traits, functions, constants, macros and modules.
    others: BTreeSet<String>,
    /// What `lib.rs` exports: where from, and under what name.
    exports: Vec<(String, String)>,
}

/// Every public type of every library under `crates`, as `crate::Name`: what is declared as one, and what is exported and not declared
/// as something else, so that what a macro makes or another crate has counts too.
pub(crate) fn types() -> BTreeSet<String> {
    let crates: Vec<Crate> = libraries().iter().map(|folder| Crate::read(folder)).collect();
    let names: BTreeSet<&str> = crates.iter().map(|one| one.name.as_str()).collect();
    let mut types = BTreeSet::new();
    for one in &crates {
        let of = |name: &str| format!("{}::{name}", one.name);
        types.extend(one.types.iter().map(|name| of(name)));
        for (from, name) in &one.exports {
            // What another of the crates has is that one's to show.
            let elsewhere = names.contains(from.as_str()) || NO_TYPES.contains(&of(name).as_str());
            if !elsewhere && (one.types.contains(name) || !one.others.contains(name)) {
                types.insert(of(name));
            }
        }
    }
    types
}

fn libraries() -> Vec<PathBuf> {
    let crates = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the folder of the crates");
    let folders = fs::read_dir(crates).expect("the folder of the crates").map(|entry| entry.unwrap().path());
    let found: Vec<PathBuf> = folders.filter(|folder| folder.join("src/lib.rs").exists()).collect();
    assert!(found.len() >= 9, "{found:?}");
    found
}

impl Crate {
    fn read(folder: &Path) -> Self {
        let name = folder.file_name().unwrap().to_str().unwrap().replace('-', "_");
        let mut read = Self { name, ..Self::default() };
        let mut folders = vec![folder.join("src")];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(&folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    folders.push(path);
                } else if path.extension().is_some_and(|extension| extension == "rs") {
                    let text = fs::read_to_string(&path).unwrap();
                    let file =
                        syn::parse_file(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
                    let is_root = path.ends_with("src/lib.rs");
                    read.items(&file.items, is_root);
                }
            }
        }
        read
    }

    fn items(&mut self, items: &[Item], is_root: bool) {
        for item in items {
            match item {
                Item::Struct(item) if public(&item.vis) => drop(self.types.insert(item.ident.to_string())),
                Item::Enum(item) if public(&item.vis) => drop(self.types.insert(item.ident.to_string())),
                Item::Union(item) if public(&item.vis) => drop(self.types.insert(item.ident.to_string())),
                Item::Type(item) if public(&item.vis) => drop(self.types.insert(item.ident.to_string())),
                Item::Trait(item) => drop(self.others.insert(item.ident.to_string())),
                Item::Fn(item) => drop(self.others.insert(item.sig.ident.to_string())),
                Item::Const(item) => drop(self.others.insert(item.ident.to_string())),
                Item::Static(item) => drop(self.others.insert(item.ident.to_string())),
                Item::Mod(item) => {
                    self.others.insert(item.ident.to_string());
                    if let Some((_, items)) = &item.content
                        && !in_tests_alone(&item.attrs)
                    {
                        self.items(items, false);
                    }
                }
                Item::Use(item) if is_root && public(&item.vis) => self.exported(&item.tree, ""),
                _ => {}
            }
        }
    }

    fn exported(&mut self, tree: &UseTree, from: &str) {
        let or = |name: String| if from.is_empty() { name } else { from.to_owned() };
        match tree {
            UseTree::Path(path) => self.exported(&path.tree, &or(path.ident.to_string())),
            UseTree::Group(group) => group.items.iter().for_each(|tree| self.exported(tree, from)),
            UseTree::Name(name) => {
                self.exports.push((or(name.ident.to_string()), name.ident.to_string()));
            }
            UseTree::Rename(name) => {
                self.exports.push((or(name.ident.to_string()), name.rename.to_string()));
            }
            UseTree::Glob(_) => panic!("{} exports by a glob, which hides what", self.name),
        }
    }
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
