//! The arrows of ARCHITECTURE.md, read from what cargo knows instead of from what we remember.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::{Finding, House, rust};

/// Which crates of ours a crate of ours may use. A crate without a row may not exist.
const ARROWS: [(&str, &[&str]); 9] = [
    ("tenure-domain", &[]),
    ("tenure-store", &["tenure-domain", RIG]),
    ("tenure-model", &["tenure-domain"]),
    ("tenure-guard", &["tenure-domain", "tenure", "tenure-store"]),
    ("tenure", &["tenure-store", "tenure-domain", RIG]),
    ("tenure-testbed", &["tenure", "tenure-store", "tenure-domain", RIG]),
    ("tenure-bench", &[]),
    (RIG, &[]),
    ("xtask", &[]),
];

/// Servers that tests start and break: ours use it to be tested, and for nothing else.
const RIG: &str = "tenure-rig";

/// The guard goes into other people's services, so the server and its store may not come along: its tests alone start
/// the real server, because a guard that is tested against a copy of the answers proves nothing.
const OF_THE_GUARDS_TESTS: [&str; 2] = ["tenure", "tenure-store"];

/// What the rules may not reach, not even through another crate: I/O, runtimes, databases, clocks, the network.
const NOT_IN_DOMAIN: [&str; 14] = [
    "tokio",
    "async-std",
    "smol",
    "mio",
    "axum",
    "hyper",
    "tower",
    "reqwest",
    "rusqlite",
    "tokio-postgres",
    "redis",
    "chrono",
    "tracing",
    "rand",
];

/// Crates with one home. The bench measures the bare limits of the machine, so it touches them too; and a test may,
/// because somebody has to damage a database to see what becomes of it.
const HOMES: [(&str, &[&str]); 6] = [
    ("rusqlite", &["tenure-store", "tenure-bench"]),
    ("tokio-postgres", &["tenure-store", "tenure-bench", RIG]),
    ("deadpool-postgres", &["tenure-store", "tenure-bench"]),
    ("redis", &["tenure-store", "tenure-bench"]),
    ("axum", &["tenure", "tenure-guard", "tenure-testbed", "tenure-bench"]),
    ("clap", &["tenure", "tenure-testbed", "tenure-bench"]),
];

pub fn arrows(house: &House) -> Vec<Finding> {
    let mut findings = Vec::new();
    for package in ours(&house.cargo) {
        let name = text(&package["name"]);
        let Some((_, allowed)) = ARROWS.iter().find(|(ours, _)| *ours == name) else {
            findings.push(Finding::new(
                name,
                "a new crate needs a row in the arrows, here and in ARCHITECTURE.md",
            ));
            continue;
        };
        for dependency in list(&package["dependencies"]) {
            let to = text(&dependency["name"]);
            let is_ours = ARROWS.iter().any(|(ours, _)| *ours == to);
            if is_ours && !allowed.contains(&to) {
                findings.push(Finding::new(name, format!("depends on {to}, and no arrow is drawn there")));
            }
            if to == RIG && text(&dependency["kind"]) != "dev" {
                findings.push(Finding::new(name, format!("depends on {to}, which is for tests alone")));
            }
            if name == "tenure-guard"
                && OF_THE_GUARDS_TESTS.contains(&to)
                && text(&dependency["kind"]) != "dev"
            {
                findings.push(Finding::new(name, format!("depends on {to}, which is for its tests alone")));
            }
            if let Some((_, homes)) = HOMES.iter().find(|(at_home, _)| *at_home == to)
                && text(&dependency["kind"]) != "dev"
                && !homes.contains(&name)
            {
                findings.push(Finding::new(name, format!("depends on {to}, which lives in {}", homes[0])));
            }
        }
        if name == "tenure-domain" {
            findings.extend(purity(&house.cargo, package));
        }
    }
    findings
}

fn purity(cargo: &Value, domain: &Value) -> Vec<Finding> {
    let direct = list(&domain["dependencies"]).iter().filter(|one| text(&one["kind"]) != "dev");
    let mut reached: BTreeSet<&str> = direct.map(|one| text(&one["name"])).collect();
    reached.extend(reachable(cargo, text(&domain["id"])));
    let impure = reached.into_iter().filter(|name| NOT_IN_DOMAIN.contains(name));
    let finding =
        |name| Finding::new("tenure-domain", format!("reaches {name}; the rules are pure functions"));
    impure.map(finding).collect()
}

/// The names of everything a package is compiled with, its tests aside.
fn reachable<'a>(cargo: &'a Value, from: &'a str) -> BTreeSet<&'a str> {
    let names: BTreeMap<&str, &str> = list(&cargo["packages"])
        .iter()
        .map(|package| (text(&package["id"]), text(&package["name"])))
        .collect();
    let nodes: BTreeMap<&str, &Value> =
        list(&cargo["resolve"]["nodes"]).iter().map(|node| (text(&node["id"]), node)).collect();
    let (mut seen, mut next) = (BTreeSet::new(), vec![from]);
    while let Some(id) = next.pop() {
        for dependency in nodes.get(id).map_or(&[][..], |node| list(&node["deps"])) {
            let normal = list(&dependency["dep_kinds"]).iter().any(|kind| kind["kind"].is_null());
            let to = text(&dependency["pkg"]);
            if normal && seen.insert(to) {
                next.push(to);
            }
        }
    }
    seen.into_iter().filter_map(|id| names.get(id).copied()).collect()
}

/// The manifest could be told to take the workspace's lints back; the source line could not be missed in review.
pub fn roots(house: &House) -> Vec<Finding> {
    let mut findings = Vec::new();
    let root = format!("{}/", text(&house.cargo["workspace_root"]));
    for package in ours(&house.cargo) {
        for target in list(&package["targets"]) {
            let shipped = list(&target["kind"]).iter().any(|kind| matches!(text(kind), "lib" | "bin"));
            let path = text(&target["src_path"]);
            let path = path.strip_prefix(&root).unwrap_or(path);
            let forbids = house
                .text(path)
                .is_some_and(|text| text.lines().any(|line| line == "#![forbid(unsafe_code)]"));
            if shipped && !forbids {
                findings.push(Finding::new(path, "a crate's root says #![forbid(unsafe_code)]"));
            }
        }
    }
    findings
}

/// Within the server: the command line is above everything else, and it alone prints.
pub fn rooms(house: &House) -> Vec<Finding> {
    const SERVER: &str = "crates/server/src/";
    const COMMAND_LINE: [&str; 3] = ["command/", "command.rs", "main.rs"];
    let mut findings = Vec::new();
    for file in &house.files {
        let Some(room) = file.path.strip_prefix(SERVER).filter(|room| room.ends_with(".rs")) else {
            continue;
        };
        if COMMAND_LINE.iter().any(|above| room.starts_with(above)) {
            continue;
        }
        let code = rust::mask(&file.text).code;
        let mut found =
            |line: usize, what| findings.push(Finding::new(format!("{}:{line}", file.path), what));
        let line_of = |at: usize| code[..at].matches('\n').count() + 1;
        for (at, _) in code.match_indices("crate::").filter(|(at, _)| names_command(&code[at + 7..])) {
            found(line_of(at), "uses the command line, which is above it");
        }
        let prints = ["println!", "print!"].into_iter().flat_map(|word| code.match_indices(word));
        for (at, _) in prints.filter(|(at, _)| !code[..*at].ends_with(|c: char| c.is_alphanumeric())) {
            found(line_of(at), "prints, which the command line alone does");
        }
    }
    findings
}

/// Whether what follows `crate::` names the command line: by itself, or among others in braces.
fn names_command(rest: &str) -> bool {
    let is_command = |name: &str| {
        let name = name.trim_start().strip_prefix("command");
        name.is_some_and(|rest| !rest.starts_with(|c: char| c.is_alphanumeric() || c == '_'))
    };
    let group = rest.strip_prefix('{').and_then(|group| group.split(';').next());
    match group {
        Some(group) => group.split(['{', ',']).any(is_command),
        None => is_command(rest),
    }
}

pub fn ours(cargo: &Value) -> impl Iterator<Item = &Value> {
    let members = list(&cargo["workspace_members"]);
    list(&cargo["packages"]).iter().filter(move |package| members.contains(&package["id"]))
}

pub fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

pub fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::tidy::tests::{house_of, places};

    fn package(name: &str, dependencies: &[&str]) -> Value {
        let dependency = |name: &&str| json!({ "name": name, "kind": null });
        json!({
            "id": name, "name": name,
            "dependencies": dependencies.iter().map(dependency).collect::<Vec<_>>(),
            "targets": [{ "kind": ["lib"], "src_path": format!("/r/{name}.rs") }],
        })
    }

    fn check(packages: Vec<Value>, expected: &[&str]) {
        let members: Vec<Value> = packages.iter().map(|package| package["id"].clone()).collect();
        let cargo = json!({ "packages": packages, "workspace_members": members, "workspace_root": "/r" });
        assert_eq!(places(&arrows(&house_of(&[], cargo))), expected);
    }

    #[test]
    fn an_arrow_that_is_not_drawn_is_found() {
        check(vec![package("tenure-store", &["tenure-domain", "rusqlite"])], &[]);
        check(vec![package("tenure-domain", &["tenure-store"])], &["tenure-domain"]);
        check(vec![package("tenure-store", &["tenure"])], &["tenure-store"]);
        check(vec![package("xtask", &["tenure-domain"])], &["xtask"]);
        check(vec![package("tenure-bench", &["tenure-domain"])], &["tenure-bench"]);
        check(vec![package("tenure", &["rusqlite"])], &["tenure"]);
        check(vec![package("tenure-testbed", &["tenure", "tenure-store"])], &[]);
        check(vec![package("tenure", &["tenure-testbed"])], &["tenure"]);
        check(vec![package("tenure-helpers", &[])], &["tenure-helpers"]);
    }

    #[test]
    fn the_rig_is_for_tests_alone() {
        check(vec![package("tenure-store", &[RIG])], &["tenure-store"]);
        let mut tested = package("tenure-store", &[]);
        tested["dependencies"] = json!([{ "name": RIG, "kind": "dev" }]);
        check(vec![tested], &[]);
    }

    #[test]
    fn the_guard_takes_the_server_into_its_tests_and_nowhere_else() {
        check(vec![package("tenure-guard", &["tenure-domain"])], &[]);
        check(vec![package("tenure-guard", &["tenure"])], &["tenure-guard"]);
        check(vec![package("tenure-guard", &["tenure-store"])], &["tenure-guard"]);
        let mut tested = package("tenure-guard", &[]);
        tested["dependencies"] = json!([{ "name": "tenure", "kind": "dev" }]);
        check(vec![tested], &[]);
    }

    #[test]
    fn the_rules_reach_no_runtime_through_another_crate_either() {
        let mut domain = package("tenure-domain", &["innocent"]);
        domain["dependencies"].as_array_mut().unwrap().push(json!({ "name": "tokio", "kind": "dev" }));
        let edge = |to: &str, kind: Value| json!({ "pkg": to, "dep_kinds": [{ "kind": kind }] });
        let mut cargo = json!({
            "workspace_root": "/r",
            "workspace_members": ["tenure-domain"],
            "packages": [domain, { "id": "i", "name": "innocent" }, { "id": "m", "name": "mio" }, { "id": "t", "name": "tokio" }],
            "resolve": { "nodes": [
                { "id": "tenure-domain", "deps": [edge("i", Value::Null), edge("t", json!("dev"))] },
                { "id": "i", "deps": [edge("m", Value::Null)] },
            ] },
        });
        let findings = arrows(&house_of(&[], cargo.clone()));
        assert_eq!(findings.len(), 1, "{findings:?}");
        assert!(findings[0].what.contains("mio"));

        cargo["resolve"]["nodes"][1]["deps"] = json!([]);
        assert_eq!(arrows(&house_of(&[], cargo)), []);
    }

    #[test]
    fn what_is_below_the_command_line_neither_uses_it_nor_prints() {
        let uses = "//! As in `crate::command`.\nuse crate::command::shown;\n";
        let among = "use crate::{\n    App, command::{self, shown},\n};\n";
        let others = "use crate::{App, commands, explain};\nuse super::command;\nuse crate::commander;\n";
        let prints =
            "fn f() {\n    println!(\"println!\");\n    eprintln!();\n    eprint!();\n    print!();\n}\n";
        let files = [
            ("crates/server/src/explain/said.rs", uses),
            ("crates/server/src/explain/case.rs", among),
            ("crates/server/src/explain/sections.rs", others),
            ("crates/server/src/explain.rs", prints),
            ("crates/server/src/command/explain.rs", uses),
            ("crates/server/src/command.rs", prints),
            ("crates/server/tests/it/main.rs", prints),
        ];
        let house = house_of(&files, json!({}));
        assert_eq!(
            places(&rooms(&house)),
            [
                "crates/server/src/explain/said.rs:2",
                "crates/server/src/explain/case.rs:1",
                "crates/server/src/explain.rs:2",
                "crates/server/src/explain.rs:5",
            ]
        );
    }

    #[test]
    fn a_root_without_the_line_is_found() {
        let cargo = json!({
            "packages": [package("a", &[]), package("b", &[])], "workspace_members": ["a", "b"], "workspace_root": "/r",
        });
        let files =
            [("a.rs", "//! A.\n\n#![forbid(unsafe_code)]\n"), ("b.rs", "// #![forbid(unsafe_code)]\n")];
        assert_eq!(places(&roots(&house_of(&files, cargo))), ["b.rs"]);
    }
}
