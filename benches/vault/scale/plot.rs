//! The plot for the benchmarks' README. Its colours are of middling lightness and it has no background, so that it can be
//! read on a light page and on a dark one.

use super::Point;

const WIDTH: f64 = 760.0;
const HEIGHT: f64 = 300.0;
/// The upper and lower end of both panels.
const TOP: f64 = 62.0;
const BOTTOM: f64 = 248.0;
const LEFT: (f64, f64) = (56.0, 350.0);
const RIGHT: (f64, f64) = (452.0, 700.0);

const TEXT: &str = "#7d8590";
const BLUE: &str = "#3d8fd1";
const GREEN: &str = "#35a06f";
const AMBER: &str = "#c98a1b";

/// Two panels: bytes for each connection, and times, as multiples of the smallest table's.
pub(crate) fn svg(points: &[Point]) -> String {
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" width=\"{WIDTH}\" height=\"{HEIGHT}\" \
         font-family=\"system-ui, -apple-system, 'Segoe UI', 'DejaVu Sans', sans-serif\" font-size=\"12\" fill=\"{TEXT}\">\n\
         <title>A vault on PostgreSQL as it grows</title>\n"
    );
    bytes(&mut svg, points);
    times(&mut svg, points);
    svg.push_str("</svg>\n");
    svg
}

fn bytes(svg: &mut String, points: &[Point]) {
    let (left, right) = LEFT;
    heading(svg, left - 40.0, "Bytes for each connection");
    legend(svg, left - 40.0, &[("table", BLUE), ("its indexes", GREEN), ("entry in the trail", AMBER)]);
    let most = points.iter().map(|point| parts(point).iter().sum()).fold(1.0, f64::max);
    let step = if most > 1000.0 { 500.0 } else { 250.0 };
    let most = (most * 1.05 / step).ceil() * step;
    let y = |value: f64| BOTTOM - value / most * (BOTTOM - TOP);
    let mut mark = 0.0;
    while mark <= most {
        grid(svg, LEFT, y(mark), &format!("{mark:.0}"), false);
        mark += step;
    }
    let room = (right - left) / points.len() as f64;
    for (place, point) in points.iter().enumerate() {
        let x = left + room * (place as f64 + 0.5);
        let mut below = 0.0;
        for (part, colour) in parts(point).into_iter().zip([BLUE, GREEN, AMBER]) {
            let (upper, lower) = (y(below + part), y(below));
            let height = lower - upper;
            svg.push_str(&format!(
                "<rect x=\"{:.1}\" y=\"{upper:.1}\" width=\"56\" height=\"{height:.1}\" fill=\"{colour}\"/>\n",
                x - 28.0
            ));
            below += part;
        }
        text(svg, x, y(below) - 6.0, "middle", &format!("{below:.0}"));
        text(svg, x, BOTTOM + 18.0, "middle", &grouped(point.connections));
    }
    text(svg, f64::midpoint(left, right), BOTTOM + 38.0, "middle", "connections");
}

fn parts(point: &Point) -> [f64; 3] {
    [point.bytes.table, point.bytes.indexes, point.bytes.trail]
}

fn times(svg: &mut String, points: &[Point]) {
    let Some(first) = points.first() else { return };
    let (left, right) = RIGHT;
    heading(svg, left - 40.0, &format!("Time, beside that with {}", grouped(first.connections)));
    legend(svg, left - 40.0, &[("use", BLUE), ("page of due", AMBER), ("the goal: at most 1.1", TEXT)]);
    let lines: [(Vec<f64>, &str); 2] = [
        (points.iter().map(|point| point.used).collect(), BLUE),
        (points.iter().map(|point| point.due).collect(), AMBER),
    ];
    let all = lines.iter().flat_map(|(values, _)| values.iter().copied());
    let most = (all.fold(1.2, f64::max) * 5.0).ceil() / 5.0;
    let y = |value: f64| BOTTOM - value / most * (BOTTOM - TOP);
    for mark in [0.0, 0.5, 1.0] {
        grid(svg, RIGHT, y(mark), &format!("{mark:.1}"), false);
    }
    grid(svg, RIGHT, y(1.1), "1.1", true);
    let x = |place: usize| left + (right - left) * (place as f64 + 0.5) / points.len() as f64;
    for (values, colour) in &lines {
        let path: Vec<String> = values
            .iter()
            .enumerate()
            .map(|(place, value)| format!("{:.1},{:.1}", x(place), y(*value)))
            .collect();
        let joined = path.join(" ");
        svg.push_str(&format!(
            "<polyline points=\"{joined}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"2\"/>\n"
        ));
        for (place, value) in values.iter().enumerate() {
            let (x, y) = (x(place), y(*value));
            svg.push_str(&format!("<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"4\" fill=\"{colour}\"/>\n"));
        }
    }
    for (place, point) in points.iter().enumerate() {
        text(svg, x(place), BOTTOM + 18.0, "middle", &grouped(point.connections));
    }
    text(svg, f64::midpoint(left, right), BOTTOM + 38.0, "middle", "connections");
}

fn heading(svg: &mut String, x: f64, words: &str) {
    svg.push_str(&format!("<text x=\"{x}\" y=\"20\" font-size=\"14\" font-weight=\"600\">{words}</text>\n"));
}

fn legend(svg: &mut String, mut x: f64, entries: &[(&str, &str)]) {
    for (words, colour) in entries {
        svg.push_str(&format!(
            "<rect x=\"{x}\" y=\"31\" width=\"10\" height=\"10\" rx=\"2\" fill=\"{colour}\"/>\n"
        ));
        text(svg, x + 15.0, 40.0, "start", words);
        x += 34.0 + words.len() as f64 * 6.2;
    }
}

/// A line across a panel, with what it stands for.
fn grid(svg: &mut String, (left, right): (f64, f64), y: f64, words: &str, dashed: bool) {
    let dashes =
        if dashed { " stroke-dasharray=\"5 4\" stroke-opacity=\"0.9\"" } else { " stroke-opacity=\"0.3\"" };
    svg.push_str(&format!(
        "<line x1=\"{left}\" y1=\"{y:.1}\" x2=\"{right}\" y2=\"{y:.1}\" stroke=\"{TEXT}\"{dashes}/>\n"
    ));
    text(svg, left - 8.0, y + 4.0, "end", words);
}

fn text(svg: &mut String, x: f64, y: f64, anchor: &str, words: &str) {
    svg.push_str(&format!("<text x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"{anchor}\">{words}</text>\n"));
}

/// With a narrow space between each three digits.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push('\u{202f}');
        }
        text.push(digit);
    }
    text
}
