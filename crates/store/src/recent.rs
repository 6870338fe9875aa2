//! A bounded memory of what was used lately.

use std::collections::HashMap;
use std::hash::Hash;

/// A bounded map that keeps what was used lately: two generations, of which the older is dropped whole when
/// the younger is full. It has no clock, no thread and no memory before it is used.
pub(crate) struct Recent<K, V> {
    young: HashMap<K, V>,
    aged: HashMap<K, V>,
    generation_max: usize,
}

impl<K: Copy + Eq + Hash, V> Recent<K, V> {
    pub fn with_capacity_max(max: usize) -> Self {
        Self { young: HashMap::new(), aged: HashMap::new(), generation_max: max / 2 }
    }

    /// The value, and whether it is of the generation that goes next.
    pub fn get(&self, key: &K) -> Option<(&V, bool)> {
        let young = self.young.get(key).map(|value| (value, false));
        young.or_else(|| self.aged.get(key).map(|value| (value, true)))
    }

    /// Saves a value from going with its generation.
    pub fn renew(&mut self, key: &K) {
        if let Some(value) = self.aged.remove(key) {
            self.insert(*key, value);
        }
    }

    pub fn insert(&mut self, key: K, value: V) {
        if self.young.len() >= self.generation_max {
            self.aged = std::mem::take(&mut self.young);
        }
        self.aged.remove(&key);
        self.young.insert(key, value);
    }

    pub fn remove(&mut self, key: &K) {
        self.young.remove(key);
        self.aged.remove(key);
    }

    pub fn clear(&mut self) {
        self.young = HashMap::new();
        self.aged = HashMap::new();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_map_stays_within_its_bound_and_keeps_what_is_used() {
        let mut map = Recent::with_capacity_max(10);
        map.insert(0, ());
        for key in 1..1_000 {
            map.insert(key, ());
            if map.get(&0).unwrap().1 {
                map.renew(&0);
            }
            assert!(map.young.len() + map.aged.len() <= 10);
        }
        map.remove(&0);
        assert!(map.get(&0).is_none());
    }
}
