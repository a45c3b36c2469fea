//! Workloads of the fuel benchmarks, as the Rust compiler makes them: the
//! standard library's collections, sort and formatting.
#![crate_type = "cdylib"]

use std::collections::{BTreeMap, HashMap};
use std::fmt::Write;

fn next(seed: &mut u32) -> u32 {
    *seed = seed.wrapping_mul(1664525).wrapping_add(1013904223);
    *seed >> 8
}

/// maps fills and reads a hash map and an ordered one.
#[no_mangle]
pub extern "C" fn maps(n: u32) -> u32 {
    let (mut seed, mut hashed, mut ordered) = (1, HashMap::new(), BTreeMap::new());
    for i in 0..n {
        *hashed.entry(next(&mut seed) % 1000).or_insert(0u32) += i;
        ordered.insert(next(&mut seed) % 5000, i);
    }
    let total: u32 = (0..1000).filter_map(|k| hashed.get(&k)).fold(0, |a, b| a.wrapping_add(*b));
    ordered.range(100..4000).fold(total, |a, (k, v)| a.wrapping_mul(31).wrapping_add(k ^ v))
}

/// sorts sorts numbers, stable and not.
#[no_mangle]
pub extern "C" fn sorts(n: u32) -> u32 {
    let mut seed = 7;
    let mut list: Vec<(u32, u32)> = (0..n).map(|i| (next(&mut seed) % 1000, i)).collect();
    list.sort();
    let mut other = list.clone();
    other.sort_unstable_by_key(|x| x.1);
    list[n as usize / 2].0 ^ other[n as usize / 3].0
}

/// words splits, counts and formats text.
#[no_mangle]
pub extern "C" fn words(rounds: u32) -> u32 {
    let text = "it was the best of times, it was the worst of times, it was the age of wisdom";
    let mut out = String::new();
    for round in 0..rounds {
        let mut counts: BTreeMap<&str, u32> = BTreeMap::new();
        for word in text.split(|c: char| !c.is_alphabetic()).filter(|w| !w.is_empty()) {
            *counts.entry(word).or_default() += 1;
        }
        out.clear();
        for (word, count) in &counts {
            write!(out, "{}={} {:.2};", word, count, round as f64 / 3.0).unwrap();
        }
    }
    out.bytes().fold(0, |a, b| a.wrapping_mul(31).wrapping_add(b as u32))
}
