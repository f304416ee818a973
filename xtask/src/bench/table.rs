//! Medians, what they may be, and whether goals are met.

use std::fmt::Write;

use super::measured::Measured;

/// What a median ratio must be.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Goal {
    /// Of the subject's time to the floor's.
    AtMost(f64),
    /// Of how often the subject does it to how often the floor does it in the same time.
    AtLeast(f64),
}

impl Goal {
    /// The ratio that the goal is about.
    fn ratio(self, time: f64, floor: f64) -> f64 {
        match self {
            Self::AtMost(_) => time / floor,
            Self::AtLeast(_) => floor / time,
        }
    }

    fn judge(self, ratio: f64) -> String {
        let (sign, limit, met) = match self {
            Self::AtMost(most) => ('≤', most, ratio <= most),
            Self::AtLeast(least) => ('≥', least, ratio >= least),
        };
        format!("{sign} {limit}: {}", if met { "met" } else { "NOT MET" })
    }
}

/// One table: operations, each with its floor and what is measured beside it.
pub(crate) struct Table<'a> {
    pub(crate) title: &'a str,
    /// The subject that is the floor of the others.
    pub(crate) floor: &'a str,
    /// By what an operation's name begins with; the first that fits.
    pub(crate) goals: &'a [(&'a str, Goal)],
}

impl Table<'_> {
    pub(crate) fn of(&self, measured: &Measured) -> Result<String, String> {
        let mut text = format!(
            "{}\n  {:<22} {:<10} {:>9} {:>17}   {:>7} {:>13}   goal\n",
            self.title, "", "", "median", "95 % interval", "of floor", "95 % interval"
        );
        for (operation, subjects) in &measured.times {
            let floor = subjects.get(self.floor).ok_or("no floor was measured")?;
            let goal = self.goals.iter().find(|(of, _)| operation.starts_with(of)).map(|(_, goal)| *goal);
            for (subject, rounds) in subjects {
                let unit = Unit::of(Spread::of(rounds.values().copied()).median);
                let times = Spread::of(rounds.values().map(|time| time / unit.nanoseconds));
                let of = goal.unwrap_or(Goal::AtMost(f64::NAN));
                let ratios = Spread::of(
                    rounds.iter().filter_map(|(round, time)| Some(of.ratio(*time, *floor.get(round)?))),
                );
                // What others need is told, but is no goal.
                let is_ours = subject != self.floor && (subject == "tokenkeep" || self.floor != "floor");
                let judged = goal.filter(|_| is_ours).map_or(String::new(), |goal| goal.judge(ratios.median));
                let (places, name) = (unit.places, unit.name);
                let line = format!(
                    "  {operation:<22} {subject:<10} {:>6.places$} {name} {:>14} {name}   {:>7.2} {:>13}   {judged}",
                    times.median,
                    times.interval(places),
                    ratios.median,
                    ratios.interval(2),
                );
                let _ = writeln!(text, "{}", line.trim_end());
            }
        }
        text.truncate(text.trim_end().len());
        Ok(text)
    }
}

struct Unit {
    name: &'static str,
    nanoseconds: f64,
    /// Behind the point.
    places: usize,
}

impl Unit {
    fn of(time: f64) -> Self {
        match time {
            ..10_000.0 => Self { name: "ns", nanoseconds: 1.0, places: 0 },
            ..10_000_000.0 => Self { name: "µs", nanoseconds: 1e3, places: 1 },
            _ => Self { name: "ms", nanoseconds: 1e6, places: 1 },
        }
    }
}

/// A median, and between which of the values it lies.
struct Spread {
    median: f64,
    /// `None` where there are too few values to say.
    interval: Option<(f64, f64)>,
}

impl Spread {
    fn of(values: impl Iterator<Item = f64>) -> Self {
        let mut sorted: Vec<f64> = values.collect();
        sorted.sort_by(f64::total_cmp);
        let at = |index: usize| sorted.get(index).copied().unwrap_or(f64::NAN);
        let last = sorted.len().saturating_sub(1);
        Self {
            median: f64::midpoint(at(last / 2), at(sorted.len() / 2)),
            interval: rank(sorted.len()).map(|rank| (at(rank), at(last - rank))),
        }
    }

    fn interval(&self, places: usize) -> String {
        self.interval.map_or("–".into(), |(least, most)| format!("{least:.places$} … {most:.places$}"))
    }
}

/// How many values are left off at each end, so that the median that lies behind them is between the rest with a
/// probability of at least 0.95, however they are distributed: each of them is below it with a probability of one half. Of
/// nine values it is one at each end (0.961).
fn rank(values: usize) -> Option<usize> {
    let mut chance = 0.5_f64.powi(i32::try_from(values).ok()?);
    let (mut below, mut rank) = (0.0, None);
    for left_off in 0..values / 2 {
        below += chance;
        if 2.0 * below > 0.05 {
            break;
        }
        rank = Some(left_off);
        chance *= (values - left_off) as f64 / (left_off + 1) as f64;
    }
    rank
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_lies_in_the_middle() {
        assert_eq!(Spread::of([3.0, 1.0, 9.0].into_iter()).median, 3.0);
        assert_eq!(Spread::of([3.0, 1.0, 9.0, 4.0].into_iter()).median, 3.5);
    }

    /// Tabulated for the sign test: n = 6, 9, 15, 25.
    #[test]
    fn the_interval_leaves_off_as_many_as_tables_say() {
        assert_eq!([5, 6, 9, 15, 25].map(rank), [None, Some(0), Some(1), Some(3), Some(7)]);
        let nine = Spread::of((1..=9).map(f64::from));
        assert_eq!((nine.interval, nine.interval(0)), (Some((2.0, 8.0)), "2 … 8".into()));
    }

    #[test]
    fn goals_are_judged() {
        let mut measured = Measured::default();
        for (subject, time) in [("floor", 1000.0), ("tokenkeep", 1200.0), ("other", 9000.0)] {
            let rounds = (1..=9).map(|round| (round, time)).collect();
            measured.times.entry("use".into()).or_default().insert(subject.into(), rounds);
        }
        let shown =
            |goal| Table { title: "it", floor: "floor", goals: &[("use", goal)] }.of(&measured).unwrap();
        assert!(shown(Goal::AtLeast(0.8)).contains("≥ 0.8: met"));
        assert!(shown(Goal::AtLeast(0.9)).contains("≥ 0.9: NOT MET"));
        assert!(shown(Goal::AtMost(1.1)).contains("≤ 1.1: NOT MET"));
        assert_eq!(shown(Goal::AtMost(1.2)).matches("met").count(), 1);
    }
}
