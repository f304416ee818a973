//! The workspace as Cargo sees it.

use std::collections::BTreeMap;
use std::env;
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::cargo;

pub(crate) struct Workspace {
    pub(crate) root: PathBuf,
    pub(crate) target: PathBuf,
    /// Its members, by name.
    pub(crate) packages: Vec<Package>,
}

pub(crate) struct Package {
    pub(crate) name: String,
    /// May be published to some registry.
    pub(crate) published: bool,
    /// What each feature turns on.
    pub(crate) features: BTreeMap<String, Vec<String>>,
    pub(crate) targets: Vec<Target>,
}

pub(crate) struct Target {
    pub(crate) name: String,
    kinds: Vec<String>,
    pub(crate) source: PathBuf,
    pub(crate) required_features: Vec<String>,
}

impl Target {
    /// `kind` is Cargo's word: `example`, `bench`, `bin`.
    pub(crate) fn is(&self, kind: &str) -> bool {
        self.kinds.iter().any(|own| own == kind)
    }
}

impl Workspace {
    /// The workspace around the current folder.
    pub(crate) fn read() -> Result<Self, String> {
        Self::from_command(cargo::command(cargo_program(), Path::new(".")).arg("metadata"))
    }

    /// Another workspace, with the manifest at `manifest`, a path from this one's root.
    pub(crate) fn other(&self, manifest: &str) -> Result<Self, String> {
        Self::from_command(self.cargo().args(["metadata", "--manifest-path", manifest]))
    }

    fn from_command(metadata: &mut Command) -> Result<Self, String> {
        let json = cargo::capture(metadata.args(["--format-version", "1", "--no-deps"]))?;
        let value = serde_json::from_slice(&json).map_err(|error| format!("cargo metadata: {error}"))?;
        Self::from_metadata(&value).ok_or_else(|| "cargo metadata: not the shape that was expected".into())
    }

    fn from_metadata(value: &Value) -> Option<Self> {
        let mut packages =
            value["packages"].as_array()?.iter().map(Package::from_metadata).collect::<Option<Vec<_>>>()?;
        packages.sort_by(|a, b| a.name.cmp(&b.name));
        Some(Self {
            root: value["workspace_root"].as_str()?.into(),
            target: value["target_directory"].as_str()?.into(),
            packages,
        })
    }

    pub(crate) fn package(&self, name: &str) -> Result<&Package, String> {
        let found = self.packages.iter().find(|package| package.name == name);
        found.ok_or_else(|| format!("the workspace has no package `{name}`"))
    }

    /// Cargo, in the root folder.
    pub(crate) fn cargo(&self) -> Command {
        self.command(cargo_program())
    }

    /// A program, in the root folder.
    pub(crate) fn command(&self, program: impl AsRef<OsStr>) -> Command {
        cargo::command(program, &self.root)
    }
}

/// The Cargo that started this program.
fn cargo_program() -> OsString {
    env::var_os("CARGO").unwrap_or_else(|| "cargo".into())
}

impl Package {
    fn from_metadata(value: &Value) -> Option<Self> {
        let features = value["features"].as_object()?.iter();
        Some(Self {
            name: value["name"].as_str()?.into(),
            published: value["publish"].as_array().is_none_or(|registries| !registries.is_empty()),
            features: features.map(|(name, on)| Some((name.clone(), strings(on)?))).collect::<Option<_>>()?,
            targets: value["targets"].as_array()?.iter().map(Target::from_metadata).collect::<Option<_>>()?,
        })
    }
}

impl Target {
    fn from_metadata(value: &Value) -> Option<Self> {
        Some(Self {
            name: value["name"].as_str()?.into(),
            kinds: strings(&value["kind"])?,
            source: value["src_path"].as_str()?.into(),
            required_features: match &value["required-features"] {
                Value::Null => Vec::new(),
                names => strings(names)?,
            },
        })
    }
}

fn strings(value: &Value) -> Option<Vec<String>> {
    value.as_array()?.iter().map(|word| word.as_str().map(String::from)).collect()
}
