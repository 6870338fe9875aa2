//! Numbers of several rounds, and goals they are judged by.

use serde::Serialize;

/// The same number measured in several rounds.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Rounds {
    pub median: f64,
    pub min: f64,
    pub max: f64,
    pub rounds: Vec<f64>,
}

/// A goal and how it went.
#[derive(Clone, Debug, Serialize)]
pub struct Goal {
    pub name: &'static str,
    pub goal: String,
    pub measured: f64,
    pub spread: [f64; 2],
    pub unit: &'static str,
    /// None where the goal does not apply to this machine.
    pub met: Option<bool>,
}

// === impl Rounds ===

impl FromIterator<f64> for Rounds {
    fn from_iter<I: IntoIterator<Item = f64>>(numbers: I) -> Self {
        let rounds: Vec<f64> = numbers.into_iter().collect();
        let mut sorted = rounds.clone();
        sorted.sort_by(f64::total_cmp);
        let (Some(min), Some(max)) = (sorted.first(), sorted.last()) else { return Self::default() };
        let middle = sorted.len() / 2;
        let median = match sorted.len() % 2 {
            0 => f64::midpoint(sorted[middle - 1], sorted[middle]),
            _ => sorted[middle],
        };
        Self { median, min: *min, max: *max, rounds }
    }
}

impl Rounds {
    /// The ratio to another number, taken inside each round.
    pub fn over(&self, other: &Self) -> Self {
        self.rounds.iter().zip(&other.rounds).map(|(mine, theirs)| mine / theirs.max(1e-9)).collect()
    }
}

// === impl Goal ===

impl Goal {
    pub fn at_least(name: &'static str, bound: f64, unit: &'static str, measured: &Rounds) -> Self {
        Self::new(name, format!(">= {}", shown(bound)), unit, measured, measured.median >= bound)
    }

    pub fn at_most(name: &'static str, bound: f64, unit: &'static str, measured: &Rounds) -> Self {
        Self::new(name, format!("<= {}", shown(bound)), unit, measured, measured.median <= bound)
    }

    /// A number without a goal, for the reader.
    pub fn number(name: &'static str, unit: &'static str, measured: &Rounds) -> Self {
        Self::new(name, String::new(), unit, measured, true).only_if(false)
    }

    fn new(name: &'static str, goal: String, unit: &'static str, measured: &Rounds, met: bool) -> Self {
        let spread = [measured.min, measured.max];
        Self { name, goal, measured: measured.median, spread, unit, met: Some(met) }
    }

    /// Keeps the number but judges it only if `applies`.
    pub fn only_if(self, applies: bool) -> Self {
        Self { met: self.met.filter(|_| applies), ..self }
    }
}

/// A number with as many digits as anybody reads.
pub fn shown(number: f64) -> String {
    match number.abs() {
        size if size >= 1000.0 => format!("{number:.0}"),
        size if size >= 10.0 => format!("{number:.1}"),
        size if size >= 1.0 => format!("{number:.2}"),
        _ => format!("{number:.3}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ratio_is_taken_inside_its_round_and_its_median_is_judged() {
        let product: Rounds = [60.0, 70.0, 20.0].into_iter().collect();
        let limit: Rounds = [100.0, 100.0, 25.0].into_iter().collect();
        let ratio = product.over(&limit);
        assert_eq!((ratio.median, ratio.min, ratio.max), (0.7, 0.6, 0.8));
        assert_eq!(Goal::at_least("x", 0.7, "", &ratio).met, Some(true));
        assert_eq!(Goal::at_most("x", 0.6, "", &ratio).met, Some(false));
        assert_eq!(Goal::at_most("x", 0.6, "", &ratio).only_if(false).met, None);
        assert_eq!([1.0, 3.0].into_iter().collect::<Rounds>().median, 2.0);
        assert_eq!([].into_iter().collect::<Rounds>().median, 0.0);
    }
}
