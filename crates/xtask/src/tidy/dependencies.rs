//! A dependency is an architectural change: it has an allowed licence, and a reason that somebody wrote down.
//!
//! Both lists are in `deny.toml`, which cargo-deny understands too; we check here what needs no second tool.

use std::collections::{BTreeMap, BTreeSet};

use super::crates::{list, ours, text};
use super::{Finding, House, licence};

const PLACE: &str = "deny.toml";

pub fn licences(house: &House) -> Vec<Finding> {
    let allow = allowed_licences(house.text(PLACE).unwrap_or_default());
    let theirs = list(&house.cargo["packages"]).iter().filter(|package| !package["source"].is_null());
    let refused = theirs.filter(|package| !licence::allowed(text(&package["license"]), &allow));
    let finding = |package: &serde_json::Value| {
        let place = format!("{} {}", text(&package["name"]), text(&package["version"]));
        Finding::new(place, format!("its licence `{}` is not allowed in {PLACE}", text(&package["license"])))
    };
    refused.map(finding).collect()
}

/// The strings of the array `allow = [...]`. A whole TOML parser would cost more than it could tell us.
fn allowed_licences(deny: &str) -> Vec<&str> {
    let Some((_, array)) = deny.split_once("\nallow = [").or_else(|| deny.split_once("allow = [")) else {
        return Vec::new();
    };
    array.split(']').next().unwrap_or_default().split('"').skip(1).step_by(2).collect()
}

/// Every direct dependency has one line `# - name: reason`, every line has its dependency, and what the workspace's
/// table offers somebody takes.
pub fn reasons(house: &House) -> Vec<Finding> {
    let mut direct = BTreeSet::new();
    let mut internal = BTreeSet::new();
    for package in ours(&house.cargo) {
        internal.insert(text(&package["name"]));
        for dependency in list(&package["dependencies"]) {
            let set = if dependency["source"].is_null() { &mut internal } else { &mut direct };
            set.insert(text(&dependency["name"]));
        }
    }
    let given = given_reasons(house.text(PLACE).unwrap_or_default());
    let offered = offered(house.text("Cargo.toml").unwrap_or_default());

    let unexplained = direct.iter().filter(|name| !given.contains_key(**name));
    let unexplained = unexplained.map(|name| Finding::new(PLACE, format!("no reason is given for {name}")));
    let vague = given.iter().filter(|(_, reason)| reason.split_whitespace().count() < 3);
    let vague = vague.map(|(name, _)| Finding::new(PLACE, format!("the reason for {name} says nothing")));
    let stale = given.keys().filter(|name| !direct.contains(**name));
    let stale =
        stale.map(|name| Finding::new(PLACE, format!("gives a reason for {name}, which nobody uses")));
    let idle = offered.iter().filter(|name| !direct.contains(**name) && !internal.contains(**name));
    let idle = idle.map(|name| Finding::new("Cargo.toml", format!("offers {name}, which no crate takes")));
    unexplained.chain(vague).chain(stale).chain(idle).collect()
}

fn given_reasons(deny: &str) -> BTreeMap<&str, &str> {
    let lines = deny.lines().filter_map(|line| line.strip_prefix("# - ")?.split_once(": "));
    lines.map(|(name, reason)| (name.trim(), reason.trim())).collect()
}

/// The names in the table of the workspace's dependencies.
fn offered(manifest: &str) -> Vec<&str> {
    let table = manifest.lines().skip_while(|line| *line != "[workspace.dependencies]").skip(1);
    let entries = table.take_while(|line| !line.starts_with('[')).filter(|line| !line.starts_with('#'));
    entries.filter_map(|line| Some(line.split_once('=')?.0.trim())).collect()
}

/// Two versions of one crate cost build time and sometimes sense; often they are not ours to heal, so this is a wish.
pub fn duplicates(house: &House) -> Option<Finding> {
    let mut versions: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for package in list(&house.cargo["packages"]) {
        versions.entry(text(&package["name"])).or_default().insert(text(&package["version"]));
    }
    versions.retain(|_, versions| versions.len() > 1);
    let named = versions.iter().map(|(name, versions)| {
        format!("{name} ({})", versions.iter().copied().collect::<Vec<_>>().join(", "))
    });
    let named = named.collect::<Vec<_>>().join(", ");
    (!named.is_empty())
        .then(|| Finding::new("Cargo.lock", format!("one version of each crate; there are {named}")))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::tidy::tests::{house_of, places};

    const DENY: &str = "# - axum: HTTP without surprises\n\n[licenses]\nallow = [\"MIT\", \"ISC\"]\n";

    fn cargo() -> Value {
        let from = |name: &str, version: &str, license: Value| json!({ "id": name, "name": name, "version": version, "source": "registry", "license": license });
        json!({
            "workspace_members": ["tenure"],
            "packages": [
                {
                    "id": "tenure", "name": "tenure", "version": "0.1.0", "source": null, "license": null,
                    "dependencies": [
                        { "name": "axum", "source": "registry" },
                        { "name": "tenure-domain", "source": null },
                    ],
                },
                from("axum", "0.8.0", json!("MIT")),
                from("copyleft", "1.0.0", json!("GPL-3.0")),
                from("nameless", "1.0.0", Value::Null),
                from("syn", "2.0.0", json!("MIT")),
                from("syn", "3.0.0", json!("MIT")),
            ],
        })
    }

    #[test]
    fn licences_that_nobody_allowed_are_found() {
        let house = house_of(&[("deny.toml", DENY)], cargo());
        assert_eq!(places(&licences(&house)), ["copyleft 1.0.0", "nameless 1.0.0"]);
    }

    #[test]
    fn a_house_without_an_allow_list_allows_nothing() {
        assert_eq!(licences(&house_of(&[], cargo())).len(), 5);
    }

    fn check(deny: &str, manifest: &str, expected: &[&str]) {
        let house = house_of(&[("deny.toml", deny), ("Cargo.toml", manifest)], cargo());
        let found: Vec<String> = reasons(&house).into_iter().map(|finding| finding.what).collect();
        assert_eq!(found.len(), expected.len(), "{found:?}");
        for (found, expected) in found.iter().zip(expected) {
            assert!(found.contains(expected), "{found}");
        }
    }

    #[test]
    fn dependencies_and_reasons_belong_together() {
        check(DENY, "[workspace.dependencies]\ntenure-domain = {}\naxum = \"0.8\"\n[x]\ny = 1\n", &[]);
        check("", "", &["no reason is given for axum"]);
        check("# - axum: because\n", "", &["says nothing"]);
        check(&format!("{DENY}# - serde: it was here once\n"), "", &["reason for serde"]);
        check(DENY, "[workspace.dependencies]\nserde = \"1\"\n", &["offers serde"]);
    }

    #[test]
    fn two_versions_of_one_crate_are_told() {
        let told = duplicates(&house_of(&[], cargo())).unwrap().what;
        assert_eq!(told, "one version of each crate; there are syn (2.0.0, 3.0.0)");
    }
}
