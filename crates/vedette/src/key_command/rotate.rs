//! `vedette key rotate`: a new key beside the old one, and every password sealed with it, while the product runs.

use std::path::Path;
use std::process::ExitCode;

use anyhow::Context;
use clap::Args;
use serde::Deserialize;
use serde_json::json;
use url::Url;
use vedette_core::{Camera, KeyId, ProposedCamera, Timestamp, printable};
use vedette_sealing::{KeyRing, PublicKey, public_path};
use vedette_stages::Resealing;
use vedette_stages::registry::Registry;
use vedette_topics::open_bus;

use super::camera_file;
use crate::config::Config;
use crate::console_client::{ConsoleClient, Refused};
use crate::overrides::ConfigArgs;
use crate::terminal::{print_line, tell_line};

/// The differences in a plan that only seals passwords again.
const OF_PASSWORDS: [&str; 2] = ["source.login.sealed_with", "source.login.password"];

/// `vedette key rotate`
#[derive(Debug, Args)]
pub struct RotateArgs {
    /// Configuration, of a machine with the role ingest.
    #[command(flatten)]
    pub config: ConfigArgs,
    /// Address of the console; by default that of the configuration, on this machine.
    #[arg(long, value_name = "URL")]
    pub console: Option<Url>,
    /// Your name.
    #[arg(long, env = "USER", default_value = "vedette key rotate")]
    pub by: String,
    /// Why.
    #[arg(long, default_value = "the site's key is changed")]
    pub reason: String,
}

/// Passwords that were sealed again.
#[derive(Debug, Default, Deserialize)]
struct Resealed {
    cameras: Vec<String>,
    unopened: Vec<Unopened>,
}

#[derive(Debug, Deserialize)]
struct Unopened {
    camera: String,
    reason: String,
}

/// The changes that the console would make.
#[derive(Debug, Deserialize)]
struct Plan {
    planned: Vec<Planned>,
}

#[derive(Debug, Deserialize)]
struct Planned {
    of: String,
    action: String,
    differences: Vec<Difference>,
}

#[derive(Debug, Deserialize)]
struct Difference {
    path: String,
}

/// Makes a key unless a change of the key is under way, and seals every password with it that is not yet. The exit code is 0 when no
/// password is sealed with an older key any more, and 2 when something is left to do, which is said.
pub(super) async fn run(args: RotateArgs) -> anyhow::Result<ExitCode> {
    let config = Config::load(&args.config.config)?;
    let settings = &config.settings;
    let key_file = settings.ingest.key_file.clone().with_context(|| {
        format!("{} has no ingest.key_file; run this on a machine with the role ingest", args.config.config.display())
    })?;
    let console = ConsoleClient::of(args.console.as_ref(), &config)?;
    let (keys, is_new) = with_newest(&key_file)?;
    let key = keys.newest().public();
    print_line!("key {}", key.id());
    if is_new && settings.ingest.share.of() > 1 {
        tell_line!(
            "copy {} to the other machines with the role ingest, so that they can open what is sealed with it; then run this again",
            key_file.display()
        );
        return Ok(ExitCode::from(2));
    }
    write_public(&config, &key_file, key)?;
    let mut resealed = of_console(&console, &args, &config, &keys).await?;
    let of_files = camera_file::reseal(&config, &keys)?;
    resealed.add(of_files);
    let is_applied = apply_files(&console, &args).await?;
    report(&resealed, is_applied, &keys, &key_file);
    let is_done = is_applied && resealed.unopened.is_empty();
    Ok(if is_done { ExitCode::SUCCESS } else { ExitCode::from(2) })
}

/// The keys, and whether the newest was made now. An older key beside the newest means that a change of the key is under way.
fn with_newest(key_file: &Path) -> anyhow::Result<(KeyRing, bool)> {
    let keys = KeyRing::read(key_file)?;
    if keys.older().next().is_some() {
        return Ok((keys, false));
    }
    Ok((keys.with_new_key(key_file)?, true))
}

/// From now on passwords are sealed with the new key.
fn write_public(config: &Config, key_file: &Path, key: &PublicKey) -> anyhow::Result<()> {
    let beside = public_path(key_file);
    let configured = config.settings.site.public_key.iter().filter(|path| **path != beside);
    for path in std::iter::once(&beside).chain(configured) {
        if !PublicKey::read(path).is_ok_and(|known| known == *key) {
            key.write(path)?;
            tell_line!("public key in {}: copy it to where the console runs and passwords are sealed", path.display());
        }
    }
    Ok(())
}

impl Resealed {
    fn add(&mut self, of_files: Resealing) {
        self.cameras.extend(of_files.cameras.iter().map(|camera| camera.id.to_string()));
        let unopened = of_files.unopened.into_iter();
        self.unopened
            .extend(unopened.map(|(camera, error)| Unopened { camera: camera.to_string(), reason: error.to_string() }));
    }
}

/// The cameras that the console keeps: its process seals their passwords again if it reads cameras itself, as on the embedded bus.
async fn of_console(
    console: &ConsoleClient,
    args: &RotateArgs,
    config: &Config,
    keys: &KeyRing,
) -> anyhow::Result<Resealed> {
    let body = json!({ "by": console.signature(&args.by), "reason": args.reason }).to_string();
    match console.post("passwords/reseal", body, None).await {
        Ok(answer) => console.read(&answer),
        Err(error) if error.downcast_ref::<Refused>().is_some_and(|it| it.code() == "password.no-secret-key") => {
            over_the_bus(console, args, config, keys).await
        }
        Err(error) => Err(error),
    }
}

/// Reads them from the bus, since the API never gives a sealed password.
async fn over_the_bus(
    console: &ConsoleClient,
    args: &RotateArgs,
    config: &Config,
    keys: &KeyRing,
) -> anyhow::Result<Resealed> {
    let bus = open_bus(&config.settings.bus).await?;
    let (registry, _) = Registry::open(&bus).await.context("reading the cameras")?;
    let mut resealed = Resealed::default();
    let Resealing { cameras, unopened } = Resealing::of_console(&registry, keys);
    for ProposedCamera { id, content, based_on } in cameras {
        let body = json!({ "camera": content, "by": console.signature(&args.by), "reason": args.reason }).to_string();
        let tag = based_on.map(|from: Timestamp| format!("\"{}\"", from.as_micros()));
        console.post(&format!("cameras/{id}/apply"), body, tag).await.with_context(|| format!("camera {id}"))?;
        resealed.cameras.push(id.to_string());
    }
    resealed.add(Resealing { cameras: Vec::new(), unopened });
    bus.close().await?;
    Ok(resealed)
}

/// Puts the passwords of the camera file in force; whether they are. Other changes of the file are left to `vedette apply`.
async fn apply_files(console: &ConsoleClient, args: &RotateArgs) -> anyhow::Result<bool> {
    let config = Config::load(&args.config.config)?;
    let cameras: Vec<&Camera> = config.cameras.iter().filter(|camera| camera.login().is_some()).collect();
    if cameras.is_empty() {
        return Ok(true);
    }
    let ask = async |plan: bool| {
        let body = json!({ "by": console.signature(&args.by), "reason": args.reason, "plan": plan });
        // Numbers as they are in the file: through a JSON value they would get more digits.
        let mut body = body.to_string();
        body.pop();
        body += &format!(",\"cameras\":{}}}", serde_json::to_string(&cameras)?);
        console.read::<Plan>(&console.post("changes", body, None).await?)
    };
    let file = config.settings.site.cameras.display();
    let failed = || format!("the passwords in {file} are sealed again, and not in force");
    let plan = ask(true).await.with_context(failed)?;
    let only_passwords = |planned: &Planned| {
        planned.action == "change" && planned.differences.iter().all(|it| OF_PASSWORDS.contains(&it.path.as_str()))
    };
    if let Some(other) = plan.planned.iter().find(|planned| !only_passwords(planned)) {
        tell_line!(
            "{file} has other changes that are not in force, as of {}: look at them with `vedette apply --plan`, and put them in force \
             with `vedette apply`, the passwords with them",
            printable(&other.of)
        );
        return Ok(false);
    }
    if !plan.planned.is_empty() {
        ask(false).await.with_context(failed)?;
    }
    Ok(true)
}

fn report(resealed: &Resealed, is_applied: bool, keys: &KeyRing, key_file: &Path) {
    for camera in &resealed.cameras {
        print_line!("sealed again: {}", printable(camera));
    }
    for Unopened { camera, reason } in &resealed.unopened {
        print_line!("not opened: {}: {}", printable(camera), printable(reason));
    }
    let older: Vec<String> = keys.older().map(|key: KeyId| key.to_string()).collect();
    let (older, file) = (older.join(", "), key_file.display());
    if is_applied && resealed.unopened.is_empty() {
        tell_line!(
            "no password is sealed with {older} any more: delete it from {file} on each machine with the role ingest; the next change of \
             the key begins once it is gone"
        );
    } else {
        tell_line!("keep {older} in {file}, and run this again when what is named above is done");
    }
}
