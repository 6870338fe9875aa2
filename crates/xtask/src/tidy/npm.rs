//! What npm may bring in: each direct dependency for a reason that somebody wrote down, in one exact version.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::{Finding, House};

const PLACE: &str = "web/dependencies.md";

const KINDS: [&str; 4] = ["dependencies", "devDependencies", "optionalDependencies", "peerDependencies"];

/// A dependency as a manifest names it.
struct Wish<'a> {
    manifest: &'a str,
    kind: &'static str,
    name: String,
    version: String,
}

/// Every direct dependency of a manifest has one line ``- `name`: reason``, and every line has its dependency.
pub fn reasons(house: &House) -> Vec<Finding> {
    let direct: BTreeSet<String> = wishes(house).into_iter().map(|wish| wish.name).collect();
    let given = given_reasons(house.text(PLACE).unwrap_or_default());
    let unexplained = direct.iter().filter(|name| !given.contains_key(name.as_str()));
    let unexplained = unexplained.map(|name| Finding::new(PLACE, format!("no reason is given for {name}")));
    let vague = given.iter().filter(|(_, reason)| reason.split_whitespace().count() < 3);
    let vague = vague.map(|(name, _)| Finding::new(PLACE, format!("the reason for {name} says nothing")));
    let stale = given.keys().filter(|name| !direct.contains(**name));
    let stale =
        stale.map(|name| Finding::new(PLACE, format!("gives a reason for {name}, which nobody uses")));
    unexplained.chain(vague).chain(stale).collect()
}

/// A range would let the same commit be built from other code tomorrow. What our users bring themselves is a range.
pub fn pins(house: &House) -> Vec<Finding> {
    let ranges =
        wishes(house).into_iter().filter(|wish| wish.kind != "peerDependencies" && !is_exact(&wish.version));
    ranges
        .map(|wish| Finding::new(wish.manifest, format!("pin {}: {} is a range", wish.name, wish.version)))
        .collect()
}

fn is_exact(version: &str) -> bool {
    version.starts_with(|c: char| c.is_ascii_digit()) && !version.contains([' ', 'x', '*', '|'])
}

/// What the manifests ask for, our own packages aside.
fn wishes(house: &House) -> Vec<Wish<'_>> {
    let manifests = house.files.iter().filter(|file| file.path.rsplit('/').next() == Some("package.json"));
    let manifests: Vec<(&str, Value)> = manifests
        .map(|file| (file.path.as_str(), serde_json::from_str(&file.text).unwrap_or_default()))
        .collect();
    let ours: BTreeSet<&str> =
        manifests.iter().filter_map(|(_, manifest)| manifest["name"].as_str()).collect();
    let mut wishes = Vec::new();
    for (path, manifest) in &manifests {
        for kind in KINDS {
            for (name, version) in manifest[kind].as_object().into_iter().flatten() {
                if !ours.contains(name.as_str()) {
                    let version = version.as_str().unwrap_or_default().to_owned();
                    wishes.push(Wish { manifest: path, kind, name: name.clone(), version });
                }
            }
        }
    }
    wishes
}

fn given_reasons(page: &str) -> BTreeMap<&str, &str> {
    let lines = page.lines().filter_map(|line| line.strip_prefix("- `")?.split_once("`: "));
    lines.map(|(name, reason)| (name.trim(), reason.trim())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::tests::{house, places};

    const OURS: &str = r#"{ "name": "@tenure/client" }"#;

    #[test]
    fn dependencies_and_reasons_belong_together() {
        let check = |manifest: &str, page: &str, expected: &[&str]| {
            let files = [("web/client/package.json", OURS), ("package.json", manifest), (PLACE, page)];
            let found: Vec<String> =
                reasons(&house(&files)).into_iter().map(|finding| finding.what).collect();
            assert_eq!(found.len(), expected.len(), "{found:?}");
            assert!(
                found.iter().zip(expected).all(|(found, expected)| found.contains(expected)),
                "{found:?}"
            );
        };
        let manifest =
            r#"{ "dependencies": { "@tenure/client": "0.1.0" }, "devDependencies": { "vite": "8.3.4" } }"#;
        check(manifest, "- `vite`: bundles the pages quickly\n", &[]);
        check(manifest, "", &["no reason is given for vite"]);
        check(manifest, "- `vite`: because\n", &["says nothing"]);
        check("{}", "- `vite`: it was here once\n", &["reason for vite"]);
    }

    #[test]
    fn a_range_is_no_version() {
        let check = |version: &str| {
            pins(&house(&[(
                "web/a/package.json",
                &format!(r#"{{ "devDependencies": {{ "a": "{version}" }} }}"#),
            )]))
            .len()
        };
        for range in ["^1.2.3", "~1.2.3", ">=1", "1.x", "*", "latest", "1.2.3 || 2.0.0"] {
            assert_eq!(check(range), 1, "{range}");
        }
        for exact in ["1.2.3", "1.2.3-rc.1"] {
            assert_eq!(check(exact), 0, "{exact}");
        }
        let peers = r#"{ "peerDependencies": { "react": ">=18" } }"#;
        assert_eq!(places(&pins(&house(&[("package.json", peers)]))), [""; 0]);
    }
}
