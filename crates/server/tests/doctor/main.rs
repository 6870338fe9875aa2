//! The laboratory of `tenure doctor`: what is planted is found, with advice that mends it, and nothing else; and nothing
//! at all is found where nothing is wrong. Behind a real nginx, with back ends that are ours and that are not.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod address;
mod back_end;
mod case;
mod django;
mod ends;
mod front;
mod laboratory;
mod pages;
mod plants;
mod tenure;

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use case::Case;
use laboratory::Laboratory;

#[test]
fn nothing_is_said_of_what_is_right() {
    all_as_told(&plants::clean());
}

#[test]
fn faults_of_cookies_are_named() {
    all_as_told(&plants::cookies());
}

#[test]
fn faults_of_proxies_are_named() {
    all_as_told(&plants::proxies());
}

#[test]
fn faults_of_origins_are_named() {
    all_as_told(&plants::origins());
}

#[test]
fn faults_of_tokens_are_named() {
    all_as_told(&plants::tokens());
}

#[test]
fn faults_in_bad_times_are_named() {
    all_as_told(&plants::bad_times());
}

#[test]
fn nothing_is_said_of_pages_that_are_right() {
    all_as_told(&plants::clean_front_ends());
}

#[test]
fn faults_of_pages_are_named() {
    all_as_told(&plants::front_ends());
}

#[test]
fn faults_of_django_are_named() {
    all_as_told(&plants::django_as_documented());
}

#[test]
fn enough_is_planted_and_each_once() {
    let planted = [
        plants::cookies(),
        plants::proxies(),
        plants::origins(),
        plants::tokens(),
        plants::bad_times(),
        plants::front_ends(),
    ];
    let names: Vec<_> = planted.iter().flatten().map(|case| case.name).collect();
    let once: std::collections::BTreeSet<_> = names.iter().collect();
    assert_eq!(once.len(), names.len(), "{names:?}");
    assert!(names.len() >= 70, "{}", names.len());
    assert!(planted.iter().flatten().all(|case| !case.told.is_empty()));
    assert!([plants::clean(), plants::clean_front_ends()].iter().flatten().all(|case| case.told.is_empty()));
    assert!(plants::clean().len() >= 5);
}

/// Cases that are looked at at once: most of the time each of them waits.
const AT_ONCE: usize = 6;

/// Exactly these checks find something, and say what to do about it.
fn all_as_told(cases: &[Case]) {
    let laboratory = Laboratory::new();
    let (next, otherwise) = (AtomicUsize::new(0), Mutex::new(BTreeMap::new()));
    std::thread::scope(|scope| {
        for _ in 0..AT_ONCE.min(cases.len()) {
            scope.spawn(|| {
                while let Some(case) = cases.get(next.fetch_add(1, Ordering::Relaxed)) {
                    if let Err(otherwise_told) = as_told(&laboratory, case) {
                        otherwise.lock().unwrap().insert(case.name, otherwise_told);
                    }
                }
            });
        }
    });
    let otherwise = otherwise.into_inner().unwrap();
    let told: Vec<_> = otherwise.iter().map(|(name, told)| format!("{name}:\n  {told}")).collect();
    assert!(told.is_empty(), "{} of {}:\n{}", told.len(), cases.len(), told.join("\n"));
}

fn as_told(laboratory: &Laboratory, case: &Case) -> Result<(), String> {
    let said = laboratory.examine(case)?;
    let is_told = |check: &str, advice: &str| said.get(check).is_some_and(|said| said.advises(advice));
    let missing = case.told.iter().filter(|(check, advice)| !is_told(check, advice));
    let missing = missing.map(|(check, advice)| {
        let said = said.get(*check).map_or_else(|| "nothing".to_owned(), ToString::to_string);
        format!("{check} has to advise {advice:?}, and says {said}")
    });
    let is_expected = |check: &str| case.told.contains_key(check) || case.perhaps.contains(check);
    let others = said.iter().filter(|(check, said)| said.is_finding() && !is_expected(check));
    let others = others.map(|(check, said)| format!("{check} was not planted: {said}"));
    // Silence proves nothing of what was not looked at.
    let unseen =
        case.looked_at().into_iter().filter(|check| !said.get(*check).is_some_and(case::Said::is_ok));
    let unseen = unseen.map(|check| format!("{check} is not ok"));
    let wrong: Vec<_> = missing.chain(others).chain(unseen).collect();
    if wrong.is_empty() { Ok(()) } else { Err(wrong.join("\n  ")) }
}
