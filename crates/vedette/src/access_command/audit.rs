use std::io::Write;
use std::process::ExitCode;

use anyhow::Context;
use clap::{Args, Subcommand};
use vedette_access::{AuditRow, ChainHead};
use vedette_alert_store::AuditFilter;
use vedette_bus::StartAt;
use vedette_console::AuditRowJson;
use vedette_core::{Timestamp, printable};
use vedette_topics::{reading, topics};

use super::on_store;
use crate::config::Config;
use crate::existing_bus::open_existing;
use crate::overrides::ConfigArgs;
use crate::terminal::{print_line, tell_line};

/// Rows that are read at once.
const BATCH: u32 = 1_000;

/// `vedette audit`
#[derive(Debug, Subcommand)]
pub enum AuditCommand {
    /// List rows of the audit log, newest first.
    List(ListArgs),
    /// Write the audit log as JSON lines, oldest first.
    Export(ExportArgs),
    /// Check the hash chain of the audit log, and name the first altered, missing or re-ordered row. The exit code is 2 if there is one.
    /// Whoever can write the store can compute all hashes again: compare with a head that is kept elsewhere (`--known`).
    Verify(VerifyArgs),
}

/// `vedette audit list`
#[derive(Debug, Args)]
pub struct ListArgs {
    /// Only of this account, `token:NAME` or `local`.
    #[arg(long)]
    pub who: Option<String>,
    /// Only acts that begin with this: `look.` or `account.add`.
    #[arg(long)]
    pub act: Option<String>,
    /// Only about this object: `alert:ID`, `camera:ID`, `account:NAME`.
    #[arg(long)]
    pub object: Option<String>,
    /// Only at or after this time, RFC 3339.
    #[arg(long)]
    pub from: Option<Timestamp>,
    /// Only before this time, RFC 3339.
    #[arg(long)]
    pub until: Option<Timestamp>,
    /// Most rows.
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub limit: u32,
    /// Configuration.
    #[command(flatten)]
    pub config: ConfigArgs,
}

/// `vedette audit export`
#[derive(Debug, Args)]
pub struct ExportArgs {
    /// The number of the last row that is known.
    #[arg(long, default_value_t = 0)]
    pub after: u64,
    /// Configuration.
    #[command(flatten)]
    pub config: ConfigArgs,
}

/// `vedette audit verify`
#[derive(Debug, Args)]
pub struct VerifyArgs {
    /// A head that is kept elsewhere, as an earlier `verify` printed it. Repeat it for several.
    #[arg(long, value_name = "NUMBER:HASH", value_parser = head)]
    pub known: Vec<ChainHead>,
    /// Compare with the rows on the topic `audit`, which whoever writes the store cannot change. No other process may have an embedded bus
    /// open.
    #[arg(long)]
    pub topic: bool,
    /// Configuration.
    #[command(flatten)]
    pub config: ConfigArgs,
}

fn head(text: &str) -> Result<ChainHead, String> {
    text.parse().map_err(|reason: &str| format!("{reason}; give it as `vedette audit verify` printed it"))
}

/// Runs the command.
///
/// # Errors
/// When the store cannot be used.
pub(crate) async fn run(command: AuditCommand) -> anyhow::Result<ExitCode> {
    match command {
        AuditCommand::List(args) => list(args).await?,
        AuditCommand::Export(ExportArgs { after, config }) => {
            on_store(&config, move |store| {
                let (mut out, mut from) = (std::io::stdout().lock(), after + 1);
                loop {
                    let rows = store.audit_rows(from, BATCH)?;
                    let Some(last) = rows.last().map(|row| row.number) else { return Ok(()) };
                    from = last + 1;
                    for row in rows {
                        serde_json::to_writer(&mut out, &AuditRowJson::from(row)).context("writing a row")?;
                        writeln!(out).context("writing a row")?;
                    }
                }
            })
            .await?;
        }
        AuditCommand::Verify(VerifyArgs { mut known, topic, config }) => {
            if topic {
                known.extend(published(&config).await?);
            }
            let verified = on_store(&config, move |store| Ok(store.verify_audit(&known, |_| ())?)).await?;
            match verified {
                Ok(head) => {
                    tell_line!("{} rows, all as they were written; keep this head elsewhere:", head.number);
                    print_line!("{head}");
                }
                Err(broken) => {
                    tell_line!("the audit log is damaged: {broken}");
                    return Ok(ExitCode::from(2));
                }
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// The heads on the topic `audit`.
async fn published(config: &ConfigArgs) -> anyhow::Result<Vec<ChainHead>> {
    let (topic, mut heads) = (topics::AUDIT.name(), Vec::new());
    let bus = open_existing(&Config::load(&config.config)?.settings.bus).await?;
    let mut reader = bus.read(topic, StartAt::Earliest).await.context("reading the topic `audit`")?;
    let mut unreadable = 0_u64;
    let read = reading::to_end(&bus, topic, &mut reader, |record| match topics::AUDIT.read(&record) {
        Ok(row) => heads.push(ChainHead::of(&row)),
        Err(_) => unreadable += 1,
    });
    read.await.context("reading the topic `audit`")?;
    bus.close().await?;
    if unreadable > 0 {
        tell_line!("{unreadable} records of the topic `audit` cannot be read, and are not compared with");
    }
    tell_line!("compared with {} rows on the topic `audit`", heads.len());
    Ok(heads)
}

async fn list(ListArgs { who, act, object, from, until, limit, config }: ListArgs) -> anyhow::Result<()> {
    let filter = AuditFilter { who, act, object, from, until, before: None, limit };
    let page = on_store(&config, move |store| Ok(store.audit(&filter)?)).await?;
    for AuditRow { number, entry, .. } in page.rows {
        let texts = [&entry.who, &entry.act, &entry.object, &entry.peer, &entry.reason, &entry.detail];
        let texts = texts.map(|text| printable(text).into_owned()).join("\t");
        print_line!("{number}\t{}\t{}\t{texts}", entry.at, entry.outcome);
    }
    if let Some(next) = page.next {
        tell_line!("there are older rows, from {next} on; narrow the list with --until");
    }
    Ok(())
}
