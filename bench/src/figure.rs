//! Figures: what is wanted, what was measured, and how they are printed.

/// What the figure should be.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Wanted {
    AtLeast(f64),
    AtMost(f64),
    /// Shown for comparison only.
    Nothing,
}

impl Wanted {
    fn is_met_by(self, value: f64) -> bool {
        match self {
            Self::AtLeast(least) => value >= least,
            Self::AtMost(most) => value <= most,
            Self::Nothing => true,
        }
    }
}

/// One number of one run.
#[derive(Clone, Debug)]
pub(crate) struct Figure {
    pub(crate) name: String,
    pub(crate) unit: &'static str,
    pub(crate) wanted: Wanted,
    pub(crate) value: f64,
}

impl Figure {
    pub(crate) fn new(name: impl Into<String>, unit: &'static str, value: f64) -> Self {
        Self { name: name.into(), unit, wanted: Wanted::Nothing, value }
    }

    pub(crate) fn at_least(self, least: f64) -> Self {
        Self { wanted: Wanted::AtLeast(least), ..self }
    }

    pub(crate) fn at_most(self, most: f64) -> Self {
        Self { wanted: Wanted::AtMost(most), ..self }
    }
}

/// One run of one row.
#[derive(Clone, Debug)]
pub(crate) struct Run {
    pub(crate) figures: Vec<Figure>,
    /// Cores that other processes kept busy meanwhile: the run is disturbed when it is not small.
    pub(crate) foreign_cores: f64,
    /// What went wrong, in words; empty when nothing did.
    pub(crate) trouble: String,
}

impl Run {
    /// A run that gave no figures.
    pub(crate) fn broken(why: String) -> Self {
        Self { figures: Vec::new(), foreign_cores: 0.0, trouble: why }
    }

    /// With the figures of another measurement of the same run.
    pub(crate) fn and(mut self, other: Self) -> Self {
        self.figures.extend(other.figures);
        self.foreign_cores = self.foreign_cores.max(other.foreign_cores);
        let troubles = [self.trouble, other.trouble];
        let troubles: Vec<_> = troubles.into_iter().filter(|trouble| !trouble.is_empty()).collect();
        Self { trouble: troubles.join("; "), ..self }
    }
}

/// The lines of the table for the runs of a row: medians, every run, and what disturbed it.
pub(crate) fn lines(row: &str, runs: &[Run]) -> Vec<String> {
    let whole = runs.iter().max_by_key(|run| run.figures.len());
    let Some(whole) = whole else { return Vec::new() };
    let foreign = runs.iter().map(|run| run.foreign_cores).fold(0.0, f64::max);
    let mut lines = Vec::new();
    for (at, figure) in whole.figures.iter().enumerate() {
        let values: Vec<_> =
            runs.iter().filter_map(|run| Some(run.figures.get(at)?.value)).collect();
        let value = median(&values);
        let each: Vec<_> = values.iter().map(|value| number(*value)).collect();
        let (wanted, met) = match figure.wanted {
            Wanted::Nothing => (String::new(), ""),
            Wanted::AtLeast(least) => (format!(">= {}", number(least)), verdict(figure, value)),
            Wanted::AtMost(most) => (format!("<= {}", number(most)), verdict(figure, value)),
        };
        lines.push(format!(
            "| `{row}` | {} ({}) | {wanted} | {}{met} | {} | {foreign:.2} |",
            figure.name,
            figure.unit,
            number(value),
            each.join(", "),
        ));
    }
    for trouble in runs.iter().map(|run| &run.trouble).filter(|trouble| !trouble.is_empty()) {
        let trouble = trouble.replace('|', "/").replace('\n', " ");
        lines.push(format!("| `{row}` | trouble | none | {trouble} | | |"));
    }
    lines
}

/// The head of the table.
pub(crate) const HEAD: &str = "\
| row | figure | wanted | measured (median) | each run | foreign cores (most) |
|---|---|---|---|---|---|";

fn verdict(figure: &Figure, value: f64) -> &'static str {
    if figure.wanted.is_met_by(value) { "" } else { " **missed**" }
}

/// The middle value; of an even count the lower of the two in the middle.
fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted.get(sorted.len().saturating_sub(1) / 2).copied().unwrap_or(f64::NAN)
}

/// Three figures that mean something.
fn number(value: f64) -> String {
    match value.abs() {
        big if big >= 1000.0 => {
            let digits = format!("{value:.0}");
            let at = digits.len() - 3;
            let (head, tail) = digits.split_at(at);
            match head.len() {
                0..=3 => format!("{head},{tail}"),
                more => format!("{},{},{tail}", &head[..more - 3], &head[more - 3..]),
            }
        }
        middle if middle >= 100.0 => format!("{value:.0}"),
        small if small >= 10.0 => format!("{value:.1}"),
        _ => format!("{value:.2}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn medians_are_the_middle() {
        for (values, expect) in [
            (&[3.0, 1.0, 2.0][..], 2.0),
            (&[1.0], 1.0),
            (&[2.0, 1.0], 1.0),
            (&[5.0, 1.0, 1.0], 1.0),
        ] {
            assert!((median(values) - expect).abs() < f64::EPSILON, "{values:?}");
        }
        assert!(median(&[]).is_nan());
    }

    #[test]
    fn numbers_are_readable() {
        for (value, expect) in [
            (0.314, "0.31"),
            (12.34, "12.3"),
            (123.4, "123"),
            (999.9, "1000"),
            (20_345.6, "20,346"),
            (1_000_000.0, "1,000,000"),
        ] {
            assert_eq!(number(value), expect);
        }
    }

    #[test]
    fn a_line_shows_what_was_wanted_and_whether_it_was_met() {
        let run = |value| Run {
            figures: vec![Figure::new("deliveries", "1/s", value).at_least(20.0)],
            foreign_cores: 0.1,
            trouble: String::new(),
        };
        assert_eq!(
            lines("publish", &[run(10.0), run(30.0), run(25.0)]),
            ["| `publish` | deliveries (1/s) | >= 20.0 | 25.0 | 10.0, 30.0, 25.0 | 0.10 |"]
        );
        let missed = Run { trouble: "2 answers 503".into(), ..run(10.0) };
        assert_eq!(
            lines("publish", &[missed]),
            [
                "| `publish` | deliveries (1/s) | >= 20.0 | 10.0 **missed** | 10.0 | 0.10 |",
                "| `publish` | trouble | none | 2 answers 503 | | |"
            ]
        );
    }
}
