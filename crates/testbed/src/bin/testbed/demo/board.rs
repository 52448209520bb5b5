//! The table of resources and their objects: rows that change on a terminal, a line per change elsewhere.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use console::style;
use indicatif::{ProgressBar, ProgressStyle};
use testbed::progress::{Progress, seconds};

use crate::objects::{Mark, state};
use crate::observer::{Id, Observer, Seen};

/// Redrawing more often than this is not seen by anybody.
pub(crate) const REDRAW: Duration = Duration::from_millis(40);

/// Where a row stands: with its resource, in the order in which people think of the objects.
type Place = (String, u8, String);

struct Row {
    bar: Option<ProgressBar>,
    /// The state that is shown.
    shown: String,
}

/// The table.
pub(crate) struct Board {
    progress: Progress,
    rows: BTreeMap<Place, Row>,
    begun: Instant,
}

/// Whether an object belongs to the samples: clusters put objects of their own into every namespace.
pub(crate) fn is_ours((_, name): &Id) -> bool {
    name == "minimart" || name.starts_with("minimart-sample") || name.starts_with("web-sample")
}

impl Board {
    /// An empty one.
    pub(crate) fn new(progress: Progress) -> Self {
        Self { progress, rows: BTreeMap::new(), begun: Instant::now() }
    }

    /// Follows the observer for ever.
    pub(crate) async fn follow(mut self, mut observer: Observer) {
        loop {
            observer.change().await;
            self.draw(&observer.now());
            tokio::time::sleep(REDRAW).await;
        }
    }

    fn draw(&mut self, seen: &Seen) {
        let mut gone: Vec<Place> = self.rows.keys().cloned().collect();
        for (id, object) in seen.objects.iter().filter(|(id, _)| is_ours(id)) {
            let place = place(id);
            gone.retain(|other| *other != place);
            let since = seen.since.get(id).map(Instant::elapsed).unwrap_or_default();
            self.show(place, id, state(&id.0, object), since);
        }
        for place in gone {
            self.remove(&place);
        }
    }

    fn show(&mut self, place: Place, (kind, name): &Id, (mark, words): (Mark, String), since: Duration) {
        let index = self.rows.range(..&place).count();
        let bars = self.progress.bars();
        let row = self
            .rows
            .entry(place)
            .or_insert_with(|| Row { bar: bars.map(|bars| bars.insert(index, row_bar())), shown: String::new() });
        if row.shown == words {
            return;
        }
        row.shown.clone_from(&words);
        let line = format!("{} {kind:<15} {name:<34} {words:<36}", dot(mark));
        match &row.bar {
            Some(bar) => bar.set_message(format!("    {line} {}", style(seconds(since)).dim())),
            None => self.progress.say(format!("    {:>9}  {line}", seconds(self.begun.elapsed())).trim_end()),
        }
    }

    fn remove(&mut self, place: &Place) {
        let Some(row) = self.rows.remove(place) else { return };
        if let (Some(bar), Some(bars)) = (row.bar, self.progress.bars()) {
            bars.remove(&bar);
            return;
        }
        let time = seconds(self.begun.elapsed());
        let line = format!("{} {:<15} {:<34} gone", dot(Mark::Waiting), kind_of(place.1), place.2);
        self.progress.say(&format!("    {time:>9}  {line}"));
    }
}

fn dot(mark: Mark) -> String {
    match mark {
        Mark::Good => style("●").green().to_string(),
        Mark::Waiting => style("○").yellow().to_string(),
        Mark::Bad => style("✗").red().bold().to_string(),
    }
}

fn row_bar() -> ProgressBar {
    let bar = ProgressBar::new_spinner();
    // The template is fixed and right; were it not, indicatif's own would do.
    if let Ok(style) = ProgressStyle::with_template("{wide_msg}") {
        bar.set_style(style);
    }
    bar
}

const KINDS: [&str; 7] = ["Minimart", "Web", "Deployment", "Pod", "Service", "ServiceAccount", "ConfigMap"];

fn place((kind, name): &Id) -> Place {
    let rank = KINDS.iter().position(|known| known == kind).and_then(|rank| u8::try_from(rank).ok());
    let resource = name.split('-').next().unwrap_or_default();
    (resource.to_owned(), rank.unwrap_or(u8::MAX), name.clone())
}

fn kind_of(rank: u8) -> &'static str {
    KINDS.get(usize::from(rank)).copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use crate::demo::board::{is_ours, place};

    #[test]
    fn objects_stand_with_their_resource_which_comes_first() {
        let ids = [
            ("Pod", "web-sample-1"),
            ("ConfigMap", "minimart"),
            ("Web", "web-sample"),
            ("Deployment", "web-sample"),
            ("Minimart", "minimart-sample"),
        ];
        let mut places: Vec<_> =
            ids.iter().map(|(kind, name)| place(&((*kind).to_owned(), (*name).to_owned()))).collect();
        places.sort();
        let names: Vec<_> = places.iter().map(|place| place.2.as_str()).collect();
        assert_eq!(names, ["minimart-sample", "minimart", "web-sample", "web-sample", "web-sample-1"]);
    }

    #[test]
    fn what_a_namespace_holds_by_itself_is_not_shown() {
        for (name, ours) in
            [("default", false), ("kube-root-ca.crt", false), ("minimart", true), ("web-sample-1", true)]
        {
            assert_eq!(is_ours(&("ConfigMap".to_owned(), name.to_owned())), ours, "{name}");
        }
    }
}
