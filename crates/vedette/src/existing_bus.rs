//! The bus of a site that has run.

use anyhow::bail;
use vedette_bus::SharedBus;
use vedette_topics::{BusKind, BusSettings, open_bus};

/// Opens the bus. A missing embedded log is not created: a mistyped directory would look like one without records.
///
/// # Errors
/// When there is no embedded log, another process has it open, or the brokers cannot be reached.
pub(crate) async fn open_existing(settings: &BusSettings) -> anyhow::Result<SharedBus> {
    if settings.kind == BusKind::Embedded && !settings.directory.join("LOCK").exists() {
        bail!("{}: no embedded log here; name another directory or configuration", settings.directory.display());
    }
    Ok(open_bus(settings).await?)
}
