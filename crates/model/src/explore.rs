//! Breadth-first search of all reachable worlds, so that the first trace found is a shortest one.

use std::collections::{HashSet, VecDeque};
use std::hash::{BuildHasherDefault, Hash, Hasher};

use crate::narrate;
use crate::server;
use crate::setting::Setting;
use crate::step::{self, Event};
use crate::world::{Violation, World};

/// What a search found.
#[derive(Debug)]
pub struct Explored {
    pub states: usize,
    pub transitions: usize,
    /// Events from the sign-in to the farthest world.
    pub depth: u32,
    pub sign_out: Option<Trace>,
}

/// A shortest way from the sign-in to a broken promise, in words.
#[derive(Debug)]
pub struct Trace {
    pub violation: Violation,
    pub lines: Vec<String>,
}

/// A canonical world's fingerprint. With 128 bits and ten million worlds, the odds that two share one and the
/// search misses something are below 1 in 10^24.
type Fingerprint = u128;

struct Node {
    fingerprint: Fingerprint,
    /// The first world is its own predecessor.
    found_from: u32,
    depth: u32,
}

/// Fingerprints are hashes already.
#[derive(Default)]
struct PassThrough(u64);

impl Hasher for PassThrough {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes.iter().take(8) {
            self.0 = (self.0 << 8) | u64::from(*byte);
        }
    }

    fn write_u128(&mut self, fingerprint: u128) {
        self.0 = fingerprint as u64;
    }
}

/// Visits every reachable world, or stops at the first that breaks an invariant.
pub fn explore(setting: &Setting) -> Explored {
    let start = World::at_sign_in(setting).canonical(setting);
    let mut nodes = vec![Node { fingerprint: fingerprint(&start), found_from: 0, depth: 0 }];
    let mut known: HashSet<Fingerprint, BuildHasherDefault<PassThrough>> = HashSet::default();
    known.insert(nodes[0].fingerprint);
    let mut frontier = VecDeque::from([(0_u32, start)]);
    let mut transitions = 0;
    while let Some((from, world)) = frontier.pop_front() {
        let depth = nodes[from as usize].depth + 1;
        for (_, next) in step::successors(&world, setting) {
            transitions += 1;
            let next = next.canonical(setting);
            let fingerprint = fingerprint(&next);
            if !known.insert(fingerprint) {
                continue;
            }
            let id = nodes.len() as u32;
            nodes.push(Node { fingerprint, found_from: from, depth });
            if let Some(violation) = server::violation(&next, setting) {
                let lines = retrace(&nodes, id, violation, setting);
                let sign_out = Some(Trace { violation, lines });
                return Explored { states: nodes.len(), transitions, depth, sign_out };
            }
            frontier.push_back((id, next));
        }
    }
    let depth = nodes.iter().map(|node| node.depth).max().unwrap_or(0);
    Explored { states: nodes.len(), transitions, depth, sign_out: None }
}

fn fingerprint(world: &World) -> Fingerprint {
    let mut lanes = Lanes([0x9E37_79B9_7F4A_7C15, 0xD1B5_4A32_D192_ED03]);
    world.hash(&mut lanes);
    (u128::from(lanes.0[0]) << 64) | u128::from(lanes.0[1])
}

/// Two independent multiply-and-fold hashes in one pass; SipHash twice takes half of the whole search.
struct Lanes([u64; 2]);

impl Lanes {
    fn mix(&mut self, word: u64) {
        let fold = |lane: u64, odd: u64| {
            let product = u128::from(lane ^ word) * u128::from(odd);
            (product as u64) ^ ((product >> 64) as u64) ^ odd.rotate_left(31)
        };
        let [a, b] = self.0;
        self.0 = [fold(a, 0xA076_1D64_78BD_642F), fold(b.rotate_left(17), 0xE703_7ED1_A0B4_28DB)];
    }
}

impl Hasher for Lanes {
    fn finish(&self) -> u64 {
        self.0[0]
    }

    fn write(&mut self, bytes: &[u8]) {
        for chunk in bytes.chunks(8) {
            let mut word = [0; 8];
            word[..chunk.len()].copy_from_slice(chunk);
            self.mix(u64::from_le_bytes(word));
        }
    }
}

/// Walks the found path again with true times and generations, which the canonical worlds have forgotten.
fn retrace(nodes: &[Node], last: u32, violation: Violation, setting: &Setting) -> Vec<String> {
    let mut path = vec![last];
    while let Some(&at) = path.last()
        && at != 0
    {
        path.push(nodes[at as usize].found_from);
    }
    path.reverse();
    let mut world = World::at_sign_in(setting);
    let mut lines = vec![narrate::beginning(&world, setting)];
    for &id in &path[1..] {
        let wanted = nodes[id as usize].fingerprint;
        let found = step::successors(&world, setting)
            .into_iter()
            .find(|(_, next)| fingerprint(&next.clone().canonical(setting)) == wanted);
        let Some((event, next)) = found else {
            lines.push("(this step could not be retold)".to_owned());
            return lines;
        };
        if event != Event::Tick {
            lines.push(narrate::event(&event, &world, &next));
        }
        world = next;
    }
    lines.push(narrate::ending(&violation, &world, setting));
    lines
}
