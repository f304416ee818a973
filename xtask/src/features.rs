//! Each published crate by itself, in each choice of features that differs.

use std::collections::BTreeSet;

use crate::cargo;
use crate::workspace::{Package, Workspace};

pub(crate) fn check(workspace: &Workspace) -> Result<(), String> {
    let mut failed = Vec::new();
    for package in workspace.packages.iter().filter(|package| package.published) {
        for choice in choices(package) {
            let mut command = workspace.cargo();
            // Clippy, as it denies warnings in our crates without another build of everybody else's.
            command.args(["clippy", "--quiet", "--package", &package.name]).args(&choice);
            if cargo::run(command.args(["--", "-D", "warnings"])).is_err() {
                failed.push(format!("{} {}", package.name, choice.join(" ")).trim_end().to_owned());
            }
        }
    }
    if failed.is_empty() { Ok(()) } else { Err(failed.join(", ")) }
}

/// The arguments of each build: the default features, none, each alone; a choice that turns on the same as one
/// before it is left out.
fn choices(package: &Package) -> Vec<Vec<String>> {
    let mut seen = BTreeSet::new();
    let mut choices = Vec::new();
    if seen.insert(closure(package, "default")) {
        choices.push(Vec::new());
    }
    if seen.insert(BTreeSet::new()) {
        choices.push(vec!["--no-default-features".into()]);
    }
    for feature in package.features.keys().filter(|name| *name != "default") {
        if seen.insert(closure(package, feature)) {
            choices.push(vec!["--no-default-features".into(), "--features".into(), feature.clone()]);
        }
    }
    choices
}

/// What a feature turns on in the end, itself included. `default` is only a name for others.
fn closure(package: &Package, feature: &str) -> BTreeSet<String> {
    let mut on = BTreeSet::new();
    let mut open = vec![feature.to_owned()];
    while let Some(feature) = open.pop() {
        if feature != "default" && !on.insert(feature.clone()) {
            continue;
        }
        open.extend(package.features.get(&feature).into_iter().flatten().cloned());
    }
    on
}

#[cfg(test)]
mod tests {
    use super::*;

    fn package(features: &[(&str, &[&str])]) -> Package {
        let owned = |words: &[&str]| words.iter().map(ToString::to_string).collect();
        Package {
            name: "p".into(),
            published: true,
            features: features.iter().map(|(name, on)| (name.to_string(), owned(on))).collect(),
            targets: Vec::new(),
        }
    }

    fn builds(features: &[(&str, &[&str])]) -> Vec<String> {
        choices(&package(features)).iter().map(|choice| choice.join(" ")).collect()
    }

    #[test]
    fn a_crate_without_features_is_built_once() {
        assert_eq!(builds(&[]), [""]);
        assert_eq!(builds(&[("default", &[])]), [""]);
    }

    #[test]
    fn a_feature_that_is_the_default_is_not_built_again() {
        let features: &[(&str, &[&str])] = &[("default", &["a"]), ("a", &["dep:x"])];
        assert_eq!(builds(features), ["", "--no-default-features"]);
    }

    #[test]
    fn every_feature_is_built_alone() {
        let features: &[(&str, &[&str])] =
            &[("default", &["a", "b"]), ("a", &[]), ("b", &["dep:x"]), ("all", &["a", "b"])];
        let alone = |name| format!("--no-default-features --features {name}");
        assert_eq!(
            builds(features),
            [String::new(), "--no-default-features".into(), alone("a"), alone("all"), alone("b")]
        );
    }

    #[test]
    fn features_may_turn_each_other_on() {
        let features: &[(&str, &[&str])] = &[("a", &["b"]), ("b", &["a"])];
        assert_eq!(builds(features), ["", "--no-default-features --features a"]);
    }
}
