//! `tracing` events become records. Fields of the spans around an event are on its line, Call-ID above all.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use tracing::field::{Field, Visit};
use tracing::level_filters::LevelFilter;
use tracing::span::{Attributes, Id, Record as SpanRecord};
use tracing::subscriber::Interest;
use tracing::{Event, Metadata, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::Context;
use tracing_subscriber::registry::LookupSpan;

use super::{Level, Logger, Record};
use crate::base::time::Instant;

pub(super) struct LogLayer {
    logger: Arc<Logger>,
}

impl LogLayer {
    pub(super) fn new(logger: Arc<Logger>) -> Self {
        Self { logger }
    }

    /// Ours as configured; libraries below us only from `warn` up, or at `trace`.
    fn wants(&self, metadata: &Metadata<'_>) -> bool {
        let level = *metadata.level();
        let limit = self.logger.filter();
        let ours = metadata.target().starts_with("siphon") || limit == LevelFilter::TRACE;
        level <= limit && (ours || level <= tracing::Level::WARN)
    }
}

/// What a span or an event carries.
#[derive(Default)]
struct Fields {
    at: Option<Instant>,
    text: String,
    call_id: Option<String>,
    named: Vec<(&'static str, String)>,
}

impl Fields {
    fn take(&mut self, field: &Field, value: String) {
        match field.name() {
            "message" => self.text = value,
            "call_id" => self.call_id = Some(value),
            name => self.named.push((name, value)),
        }
    }
}

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.take(field, format!("{value:?}"));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.take(field, value.to_owned());
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        if field.name() == "at_micros" {
            self.at = Some(Instant(value));
        } else {
            self.take(field, value.to_string());
        }
    }
}

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for LogLayer {
    fn register_callsite(&self, metadata: &'static Metadata<'static>) -> Interest {
        if self.wants(metadata) { Interest::always() } else { Interest::never() }
    }

    fn enabled(&self, metadata: &Metadata<'_>, _: Context<'_, S>) -> bool {
        self.wants(metadata)
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        Some(self.logger.filter())
    }

    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let mut fields = Fields::default();
        attributes.record(&mut fields);
        if let Some(span) = context.span(id) {
            span.extensions_mut().insert(fields);
        }
    }

    fn on_record(&self, id: &Id, values: &SpanRecord<'_>, context: Context<'_, S>) {
        if let Some(span) = context.span(id)
            && let Some(fields) = span.extensions_mut().get_mut::<Fields>()
        {
            values.record(fields);
        }
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        let mut fields = Fields::default();
        event.record(&mut fields);
        for span in context.event_scope(event).into_iter().flatten() {
            if let Some(around) = span.extensions().get::<Fields>() {
                fields.call_id = fields.call_id.take().or_else(|| around.call_id.clone());
                fields.named.extend(around.named.iter().cloned());
            }
        }
        self.logger.write(&Record {
            at: fields.at,
            level: level(*event.metadata().level()),
            target: event.metadata().target(),
            text: Cow::Owned(fields.text),
            call_id: fields.call_id.map(Cow::Owned),
            fields: fields.named.into_iter().map(|(n, v)| (Cow::Borrowed(n), Cow::Owned(v))).collect(),
        });
    }
}

fn level(level: tracing::Level) -> Level {
    match level {
        tracing::Level::ERROR => Level::Error,
        tracing::Level::WARN => Level::Warn,
        tracing::Level::INFO => Level::Info,
        tracing::Level::DEBUG => Level::Debug,
        tracing::Level::TRACE => Level::Trace,
    }
}
