//! The goals as a person reads them.

use super::judge::{Goal, shown};

pub fn of_goals(goals: &[&Goal]) -> String {
    let mut text = format!("\n{:<52} {:>10} {:>12}   {:<24} met\n", "what", "goal", "measured", "spread");
    for goal in goals {
        let met = match goal.met {
            Some(true) => "yes",
            Some(false) => "NO",
            None => "-",
        };
        let spread = format!("{} .. {}", shown(goal.spread[0]), shown(goal.spread[1]));
        let measured = format!("{} {}", shown(goal.measured), goal.unit);
        text.push_str(&format!(
            "{:<52} {:>10} {:>12}   {spread:<24} {met}\n",
            goal.name, goal.goal, measured
        ));
    }
    text
}
