//! From the `OpenMetrics` text that prometheus-client writes to Prometheus' text format 0.0.4, as its Go client prints it
//! (`expfmt/text_create.go` of prometheus/common v0.70): counters named with `_total` in `# HELP` and `# TYPE`, no `# EOF`,
//! families sorted by name and samples by labels, a histogram's buckets before its sum and count with `le` last, numbers
//! as Go's `%g` has them.

use std::collections::BTreeMap;
use std::fmt::Write;

use prometheus_client::encoding;
use prometheus_client::registry::Registry;

/// The text of everything in `registry`.
pub(super) fn encode(registry: &Registry) -> String {
    let mut open_metrics = String::new();
    // Writing into a string cannot fail, and a collector that fails has written whole families before it.
    match encoding::text::encode_registry(&mut open_metrics, registry) {
        Ok(()) | Err(_) => convert(&open_metrics),
    }
}

/// One family: what its lines had in common, and its samples by labels.
struct Family<'a> {
    help: &'a str,
    kind: &'a str,
    series: BTreeMap<&'a str, Series<'a>>,
}

/// The samples of one label set: one of them, or those of a histogram in the order printed.
#[derive(Default)]
struct Series<'a> {
    value: Option<&'a str>,
    buckets: Vec<(&'a str, &'a str)>,
    sum: Option<&'a str>,
    count: Option<&'a str>,
}

fn convert(open_metrics: &str) -> String {
    let mut out = String::with_capacity(open_metrics.len());
    for (name, family) in families(open_metrics) {
        // The Go client prints no family without samples.
        if !family.series.is_empty() {
            print(&mut out, &name, &family);
        }
    }
    out
}

/// Groups the lines by the name under which the family is printed.
fn families(text: &str) -> BTreeMap<String, Family<'_>> {
    let mut families = BTreeMap::new();
    let mut help = "";
    let mut current: Option<(String, Family<'_>)> = None;
    for line in text.lines() {
        if let Some(rest) = line.strip_prefix("# HELP ") {
            // The library ends every help text with a full stop of its own.
            help = rest.split_once(' ').map_or("", |(_, help)| help.strip_suffix('.').unwrap_or(help));
        } else if let Some(rest) = line.strip_prefix("# TYPE ") {
            let (name, kind) = rest.split_once(' ').unwrap_or((rest, "untyped"));
            let printed = if kind == "counter" { format!("{name}_total") } else { name.to_owned() };
            families.extend(current.replace((printed, Family { help, kind, series: BTreeMap::new() })));
        } else if let Some((name, family)) = &mut current {
            family.add(name, line);
        }
    }
    families.extend(current);
    families
}

impl<'a> Family<'a> {
    /// Files a line such as `name_bucket{le="0.1",controller="c"} 3`.
    fn add(&mut self, name: &str, line: &'a str) {
        let Some((series, value)) = line.rsplit_once(' ') else { return };
        let (full, labels) = series.split_once('{').unwrap_or((series, ""));
        let labels = labels.strip_suffix('}').unwrap_or(labels);
        match full.strip_prefix(name) {
            Some("_sum") => self.series.entry(labels).or_default().sum = Some(value),
            Some("_count") => self.series.entry(labels).or_default().count = Some(value),
            Some("_bucket") => {
                let rest = labels.strip_prefix("le=\"").unwrap_or(labels);
                let (bound, labels) = rest.split_once('"').unwrap_or((rest, ""));
                let labels = labels.strip_prefix(',').unwrap_or(labels);
                self.series.entry(labels).or_default().buckets.push((bound, value));
            }
            _ => self.series.entry(labels).or_default().value = Some(value),
        }
    }
}

fn print(out: &mut String, name: &str, family: &Family<'_>) {
    line(out, format_args!("# HELP {name} {}", family.help));
    line(out, format_args!("# TYPE {name} {}", family.kind));
    for (labels, series) in &family.series {
        let braced = if labels.is_empty() { String::new() } else { format!("{{{labels}}}") };
        let comma = if labels.is_empty() { "" } else { "," };
        for (bound, value) in &series.buckets {
            line(out, format_args!("{name}_bucket{{{labels}{comma}le=\"{}\"}} {}", number(bound), number(value)));
        }
        let single = [("", series.value), ("_sum", series.sum), ("_count", series.count)];
        for (suffix, value) in single.into_iter().filter_map(|(suffix, value)| Some((suffix, value?))) {
            line(out, format_args!("{name}{suffix}{braced} {}", number(value)));
        }
    }
}

fn line(out: &mut String, text: std::fmt::Arguments<'_>) {
    // Writing into a string cannot fail.
    if writeln!(out, "{text}").is_err() {
        out.push('\n');
    }
}

/// A number as the Go client writes it, with `strconv.FormatFloat(f, 'g', -1, 64)`.
pub(super) fn number(text: &str) -> String {
    match text.parse::<f64>() {
        Ok(number) => go_float(number),
        Err(_) => text.to_owned(),
    }
}

/// Shortest digits; an exponent of at least two digits below 1e-4 and from 1e+06 on (with shortest digits Go decides as if
/// six were asked for); infinity with a sign.
fn go_float(number: f64) -> String {
    if number.is_infinite() {
        return if number > 0.0 { "+Inf".to_owned() } else { "-Inf".to_owned() };
    }
    if number.is_nan() {
        return "NaN".to_owned();
    }
    let scientific = format!("{number:e}");
    let Some((digits, exponent)) = scientific.split_once('e') else { return scientific };
    let exponent: i32 = exponent.parse().unwrap_or(0);
    if (-4..6).contains(&exponent) {
        return number.to_string();
    }
    let sign = if exponent < 0 { '-' } else { '+' };
    format!("{digits}e{sign}{:02}", exponent.abs())
}
