use std::marker::PhantomData;

use metrics::{Counter, Gauge, Histogram, Key, Label, Level, Metadata, Recorder, SharedString, Unit};

use crate::definition::{Definition, Kind};

static METADATA: Metadata<'static> = Metadata::new("vedette", Level::INFO, None);

/// What values are given to: [`Counter`], [`Gauge`] or [`Histogram`].
pub trait Handle: Sized {
    /// The kind of metric it belongs to.
    const KIND: Kind;

    /// The handle of one series.
    fn register(recorder: &dyn Recorder, key: &Key) -> Self;
}

impl Handle for Counter {
    const KIND: Kind = Kind::Counter;

    fn register(recorder: &dyn Recorder, key: &Key) -> Self {
        recorder.register_counter(key, &METADATA)
    }
}

impl Handle for Gauge {
    const KIND: Kind = Kind::Gauge;

    fn register(recorder: &dyn Recorder, key: &Key) -> Self {
        recorder.register_gauge(key, &METADATA)
    }
}

impl Handle for Histogram {
    const KIND: Kind = Kind::Histogram;

    fn register(recorder: &dyn Recorder, key: &Key) -> Self {
        recorder.register_histogram(key, &METADATA)
    }
}

/// A metric with `N` labels; [`define!`](crate::define) makes them.
pub struct Metric<H, const N: usize> {
    definition: Definition,
    /// Of the series without labels, hashed when the program is compiled.
    key: Key,
    labels: &'static [&'static str; N],
    handle: PhantomData<fn() -> H>,
}

impl<H: Handle, const N: usize> Metric<H, N> {
    /// A metric with this name, unit, help text and label names. White space around the help text is cut off.
    #[must_use]
    pub const fn new(name: &'static str, unit: Unit, help: &'static str, labels: &'static [&'static str; N]) -> Self {
        let definition = Definition { name, kind: H::KIND, unit, help: help.trim_ascii(), labels };
        Self { definition, key: Key::from_static_name(name), labels, handle: PhantomData }
    }

    /// Its definition.
    #[must_use]
    pub const fn definition(&self) -> &Definition {
        &self.definition
    }

    /// The series with these values of the labels, in the order of their names. Values must come from a small set: each is kept
    /// until the process ends.
    ///
    /// It looks the series up and allocates, so code that runs for each record keeps the handle.
    #[must_use]
    pub fn with<V: Into<SharedString>>(&self, values: [V; N]) -> H {
        let labels: Vec<Label> = self.labels.iter().zip(values).map(|(name, value)| Label::new(*name, value)).collect();
        let key = Key::from_parts(self.definition.name, labels);
        metrics::with_recorder(|recorder| H::register(recorder, &key))
    }
}

impl<H: Handle> Metric<H, 0> {
    /// The one series of a metric without labels.
    #[must_use]
    pub fn get(&self) -> H {
        metrics::with_recorder(|recorder| H::register(recorder, &self.key))
    }
}
