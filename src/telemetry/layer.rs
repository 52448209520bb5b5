//! The layer that turns events into lines.

use std::fmt;
use std::io::Write;

use jiff::Zoned;
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Subscriber};
use tracing_subscriber::layer::Context;
use tracing_subscriber::registry::{LookupSpan, Scope};
use tracing_subscriber::{Layer, fmt::MakeWriter};

use crate::telemetry::fields::Fields;
use crate::telemetry::format::{self, Entry};
use crate::telemetry::{Style, TimeEncoding};

/// A layer that writes each event as one line, with one call, to what `writer` makes.
pub struct Lines<Writer> {
    style: Style,
    time: TimeEncoding,
    writer: Writer,
}

impl<Writer> fmt::Debug for Lines<Writer> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lines").field("style", &self.style).field("time", &self.time).finish_non_exhaustive()
    }
}

impl<Writer> Lines<Writer> {
    /// Lines of that style for that writer, which takes standard error's place in tests.
    pub fn new(style: Style, time: TimeEncoding, writer: Writer) -> Self {
        Self { style, time, writer }
    }
}

impl<S, Writer> Layer<S> for Lines<Writer>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    Writer: for<'a> MakeWriter<'a> + 'static,
{
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let Some(span) = context.span(id) else { return };
        let mut fields = Fields::default();
        attributes.record(&mut fields);
        span.extensions_mut().insert(fields);
    }

    fn on_record(&self, id: &Id, record: &Record<'_>, context: Context<'_, S>) {
        let Some(span) = context.span(id) else { return };
        if let Some(fields) = span.extensions_mut().get_mut::<Fields>() {
            record.record(fields);
        }
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        let mut fields = Fields::default();
        for span in context.event_scope(event).into_iter().flat_map(Scope::from_root) {
            if let Some(of_span) = span.extensions().get::<Fields>() {
                fields = fields.then(of_span.clone());
            }
        }
        let mut of_event = Fields::default();
        event.record(&mut of_event);
        let fields = fields.then(of_event);
        let entry = Entry {
            level: *event.metadata().level(),
            time: self.time.encode(&Zoned::now()),
            logger: event.metadata().target(),
            fields: &fields,
        };
        let line = format::line(self.style, &entry);
        // There is nobody left to tell when standard error is closed.
        self.writer.make_writer().write_all(line.as_bytes()).ok();
    }
}
