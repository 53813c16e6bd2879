//! Charts as SVG made on the server: no script, colours by class, and every number also in a table.

use maud::{Markup, html};
use tidings_core::clock::Timestamp;

/// The drawing, in its own units; the page scales it.
const WIDTH: f64 = 360.0;
const HEIGHT: f64 = 150.0;
const LEFT: f64 = 44.0;
const RIGHT: f64 = 6.0;
const TOP: f64 = 8.0;
const BOTTOM: f64 = 20.0;

/// What is drawn over time.
#[derive(Debug)]
pub(crate) struct Chart<'a> {
    /// Its id on the page, a word.
    pub(crate) id: &'a str,
    /// What it shows.
    pub(crate) title: &'a str,
    /// The same in a sentence with the numbers that matter most, for whoever does not see it.
    pub(crate) summary: String,
    /// When each point begins; ascending.
    pub(crate) times: &'a [Timestamp],
    /// What is drawn, the lowest first.
    pub(crate) series: Vec<Series<'a>>,
    /// How a value is written.
    pub(crate) words: fn(u64) -> String,
}

/// A row of values, one for each time.
#[derive(Debug)]
pub(crate) struct Series<'a> {
    /// What it is called.
    pub(crate) name: &'a str,
    /// Its class in the stylesheet: `delivered`, `failed`, `first`, `second`.
    pub(crate) class: &'static str,
    /// The values; none where there is nothing to tell.
    pub(crate) values: Vec<Option<u64>>,
}

/// One bar of a ranking.
#[derive(Debug)]
pub(crate) struct Bar {
    /// Where it leads.
    pub(crate) path: String,
    /// What people read.
    pub(crate) name: String,
    /// How long it is, against the others.
    pub(crate) value: u64,
    /// The value as people read it.
    pub(crate) words: String,
}

/// A number as it is.
pub(crate) fn count(value: u64) -> String {
    value.to_string()
}

impl Chart<'_> {
    /// The series on top of one another, a bar for each time.
    pub(crate) fn bars(&self) -> Markup {
        let sums =
            (0..self.times.len()).map(|at| self.series.iter().filter_map(|s| s.values[at]).sum());
        let top = round_up(sums.max().unwrap_or(0));
        let step = (WIDTH - LEFT - RIGHT) / self.times.len().max(1) as f64;
        let bars = html! {
            @for (at, time) in self.times.iter().enumerate() {
                @for (series, below, value) in self.stack(at) {
                    @let height = (HEIGHT - TOP - BOTTOM) * value as f64 / top as f64;
                    rect class=(series.class) stroke-width="0" x=(short(LEFT + step * at as f64))
                        width=(short((step - 1.0).max(0.5))) y=(short(y(below + value, top))) height=(short(height)) {
                        title { (clock(*time)) ": " ((self.words)(value)) " " (series.name) }
                    }
                }
            }
        };
        self.figure(top, &bars)
    }

    /// A line for each series, broken where there is nothing to tell.
    pub(crate) fn lines(&self) -> Markup {
        let most = self.series.iter().flat_map(|series| series.values.iter().flatten()).max();
        let top = round_up(most.copied().unwrap_or(0));
        let lines = html! {
            @for (number, series) in self.series.iter().enumerate() {
                // Not by colour alone.
                @let dashes = (number > 0).then_some("5 3");
                path class=(format!("line {}", series.class)) stroke-dasharray=[dashes]
                    d=(self.path(&series.values, top)) {}
                @for (x, y) in self.alone(&series.values, top) {
                    circle class=(series.class) cx=(short(x)) cy=(short(y)) r="1.75" {}
                }
            }
        };
        self.figure(top, &lines)
    }

    /// The values of a time that are not 0, each with what lies below it.
    fn stack(&self, at: usize) -> Vec<(&Series<'_>, u64, u64)> {
        let (mut below, mut stack) = (0, Vec::new());
        for series in &self.series {
            let value = series.values[at].unwrap_or(0);
            if value > 0 {
                stack.push((series, below, value));
            }
            below += value;
        }
        stack
    }

    fn path(&self, values: &[Option<u64>], top: u64) -> String {
        let mut path = String::new();
        let mut drawing = false;
        for (at, value) in values.iter().enumerate() {
            if let Some(value) = value {
                let (x, y) = (short(self.x(at)), short(y(*value, top)));
                path += &format!("{}{x} {y}", if drawing { 'L' } else { 'M' });
            }
            drawing = value.is_some();
        }
        path
    }

    /// Where values without neighbours are: a line of one point is not seen.
    fn alone(&self, values: &[Option<u64>], top: u64) -> Vec<(f64, f64)> {
        let is_there = |at: usize| values.get(at).is_some_and(Option::is_some);
        let alone = |at: &usize| !is_there(at + 1) && !at.checked_sub(1).is_some_and(is_there);
        let place = |at: usize| Some((self.x(at), y(values[at]?, top)));
        (0..values.len()).filter(alone).filter_map(place).collect()
    }

    fn x(&self, at: usize) -> f64 {
        LEFT + (WIDTH - LEFT - RIGHT) * (at as f64 + 0.5) / self.times.len().max(1) as f64
    }

    fn figure(&self, top: u64, drawing: &Markup) -> Markup {
        let (title, summary) = (format!("{}-title", self.id), format!("{}-summary", self.id));
        html! {
            figure.figure {
                figcaption { strong { (self.title) } " " (self.legend()) }
                svg.chart viewBox=(format!("0 0 {WIDTH} {HEIGHT}")) role="img"
                    aria-labelledby=(title) aria-describedby=(summary) {
                    title id=(title) { (self.title) }
                    desc id=(summary) { (self.summary) }
                    (self.axes(top))
                    (drawing)
                }
                (self.table())
            }
        }
    }

    fn axes(&self, top: u64) -> Markup {
        let (bottom, right) = (HEIGHT - BOTTOM, WIDTH - RIGHT);
        let labels = [
            (LEFT, "start", self.times.first()),
            ((LEFT + right) / 2.0, "middle", self.times.get(self.times.len() / 2)),
            (right, "end", self.times.last()),
        ];
        html! {
            path.axis d=(format!("M{LEFT} {TOP}H{right}M{LEFT} {bottom}H{right}")) {}
            text x=(LEFT - 5.0) y=(TOP + 6.0) text-anchor="end" { ((self.words)(top)) }
            text x=(LEFT - 5.0) y=(bottom) text-anchor="end" { "0" }
            @for (x, anchor, time) in labels {
                @if let Some(time) = time {
                    text x=(x) y=(HEIGHT - 5.0) text-anchor=(anchor) { (self.moment(*time)) }
                }
            }
        }
    }

    /// The time of day; the date too, when the chart spans several days.
    fn moment(&self, at: Timestamp) -> String {
        let day = |time: &Timestamp| time.0.div_euclid(86_400_000);
        let days = self.times.last().map_or(0, day) - self.times.first().map_or(0, day);
        if days < 2 { clock(at) } else { format!("{} {}", date(at), clock(at)) }
    }

    fn legend(&self) -> Markup {
        html! {
            @for (number, series) in self.series.iter().enumerate() {
                span.legend {
                    svg.chart.swatch viewBox="0 0 16 8" width="16" height="8" aria-hidden="true" focusable="false" {
                        path class=(format!("line {}", series.class)) d="M0 4H16"
                            stroke-dasharray=[(number > 0).then_some("5 3")] {}
                    }
                    (series.name)
                }
            }
        }
    }

    fn table(&self) -> Markup {
        let told =
            |at: &usize| self.series.iter().any(|series| series.values[*at].unwrap_or(0) > 0);
        let rows: Vec<usize> = (0..self.times.len()).filter(told).collect();
        html! {
            details id=(format!("{}-table", self.id)) {
                summary { "As a table" }
                @if rows.is_empty() { p.quiet { "Nothing happened in this time." } } @else {
                    div.scroll tabindex="0" role="region" aria-label=(format!("{} as a table", self.title)) {
                        table {
                            caption.unseen { (self.title) ". Times without a value are left out." }
                            thead { tr {
                                th scope="col" { "From (UTC)" }
                                @for series in &self.series { th.number scope="col" { (series.name) } }
                            } }
                            tbody { @for at in rows { tr {
                                td { (date(self.times[at])) " " (clock(self.times[at])) }
                                @for series in &self.series {
                                    td.number { @if let Some(value) = series.values[at] { ((self.words)(value)) } }
                                }
                            } } }
                        }
                    }
                }
            }
        }
    }
}

/// Things by how much they have of something, the most first. The numbers stand beside the bars: there is
/// nothing that only the drawing tells.
pub(crate) fn ranking(title: &str, bars: &[Bar]) -> Markup {
    let most = bars.iter().map(|bar| bar.value).max().unwrap_or(0).max(1);
    html! {
        div.figure {
            h3 { (title) }
            ol.ranking {
                @for bar in bars {
                    li {
                        span.row { a href=(bar.path) { (bar.name) } span.number { (bar.words) } }
                        svg.chart viewBox="0 0 100 2" preserveAspectRatio="none" height="6" aria-hidden="true"
                            focusable="false" {
                            rect.first stroke-width="0" width=(short(100.0 * bar.value as f64 / most as f64)) height="2" {}
                        }
                    }
                }
            }
        }
    }
}

/// The height of a value.
fn y(value: u64, top: u64) -> f64 {
    HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * value as f64 / top as f64
}

/// The least of 1, 2 and 5 times a power of ten that is not below `value`, at least 5: where the axis ends.
fn round_up(value: u64) -> u64 {
    let mut power = 1;
    loop {
        for digit in [1, 2, 5] {
            let top = power * digit;
            if top >= value.max(5) {
                return top;
            }
        }
        power = power.saturating_mul(10);
    }
}

/// A tenth is fine enough.
fn short(number: f64) -> String {
    let text = format!("{number:.1}");
    text.strip_suffix(".0").map(str::to_owned).unwrap_or(text)
}

/// `09:01`.
fn clock(at: Timestamp) -> String {
    at.to_string().get(11..16).unwrap_or_default().to_owned()
}

/// `2026-03-12`.
fn date(at: Timestamp) -> String {
    at.to_string().get(..10).unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn times(count: i64) -> Vec<Timestamp> {
        (0..count).map(|minute| Timestamp(1_795_248_000_000 + 60_000 * minute)).collect()
    }

    fn chart<'a>(times: &'a [Timestamp], series: Vec<Series<'a>>) -> Chart<'a> {
        let summary = "three delivered".into();
        Chart { id: "deliveries", title: "Deliveries", summary, times, series, words: count }
    }

    fn series<'a>(name: &'a str, class: &'static str, values: &[Option<u64>]) -> Series<'a> {
        Series { name, class, values: values.to_vec() }
    }

    #[test]
    fn an_axis_ends_at_a_round_number_that_nothing_exceeds() {
        for (value, top) in
            [(0, 5), (3, 5), (5, 5), (6, 10), (11, 20), (47, 50), (101, 200), (7_000, 10_000)]
        {
            assert_eq!(round_up(value), top, "{value}");
        }
        assert!(round_up(u64::MAX / 100) >= u64::MAX / 100);
    }

    #[test]
    fn bars_stand_on_one_another_and_nothing_is_drawn_for_nothing() {
        let times = times(3);
        let html = chart(
            &times,
            vec![
                series("delivered", "delivered", &[Some(3), Some(0), None]),
                series("failed", "failed", &[Some(2), Some(0), Some(1)]),
            ],
        )
        .bars()
        .into_string();
        assert_eq!(html.matches("<rect").count(), 3, "{html}");
        // 5 of 5: from the bottom (130) to the top (8).
        assert!(html.contains(r#"y="56.8" height="73.2""#), "{html}");
        assert!(html.contains(r#"y="8" height="48.8""#), "{html}");
        assert!(html.contains("<title>08:00: 3 delivered</title>"), "{html}");
    }

    #[test]
    fn a_line_breaks_where_there_is_nothing_and_a_lone_point_is_seen() {
        let times = times(5);
        let values = [Some(10), Some(20), None, Some(5), None];
        let html = chart(&times, vec![series("p50", "first", &values)]).lines().into_string();
        assert_eq!(html.matches("<circle").count(), 1, "{html}");
        let drawn = |part: &&str| part.split('"').next().is_some_and(|path| path.contains('L'));
        let path = html.split(" d=\"").find(drawn).unwrap();
        assert_eq!(path.split('"').next().unwrap().matches('M').count(), 2, "{path}");
        assert_eq!(path.split('"').next().unwrap().matches('L').count(), 1, "{path}");
    }

    #[test]
    fn a_chart_is_named_described_and_told_as_a_table() {
        let times = times(2);
        let named = chart(&times, vec![series("a <b>", "first", &[Some(7), None])]);
        for html in [named.bars().into_string(), named.lines().into_string()] {
            for part in [
                r#"role="img""#,
                r#"aria-labelledby="deliveries-title""#,
                r#"<desc id="deliveries-summary">three delivered</desc>"#,
                "<td>2026-11-21 08:00</td>",
                "a &lt;b&gt;",
            ] {
                assert!(html.contains(part), "{part} in {html}");
            }
            assert!(!html.contains("style="), "the policy of the pages allows no style attribute");
        }
        let empty = chart(&times, vec![series("a", "first", &[None, None])]).bars().into_string();
        assert!(empty.contains("Nothing happened"), "{empty}");
    }

    #[test]
    fn a_ranking_has_the_numbers_beside_its_bars() {
        let bar = |name: &str, value| Bar {
            path: format!("/{name}"),
            name: name.into(),
            value,
            words: format!("{value} changes"),
        };
        let html = ranking("Backlog", &[bar("a", 50), bar("b", 25)]).into_string();
        for part in [r#"<a href="/a">a</a>"#, "25 changes", r#"width="100""#, r#"width="50""#] {
            assert!(html.contains(part), "{part} in {html}");
        }
        assert!(ranking("Backlog", &[]).into_string().contains("Backlog"));
    }
}
