//! `vedette camera seal`: seals a camera's password with the site's public key, for its entry in a camera file.

use std::path::PathBuf;

use anyhow::Context;
use clap::Args;
use toml::Value;
use vedette_core::CameraId;
use vedette_sealing::{Endpoint, Password, PublicKey};

use crate::config::{Config, Reading};
use crate::overrides::ConfigArgs;
use crate::secret_input;
use crate::terminal::{print_line, tell_line};

/// `vedette camera seal`
#[derive(Debug, Args)]
pub struct SealArgs {
    /// The camera: the password is valid for it only.
    pub camera: CameraId,
    /// User of the camera.
    #[arg(long)]
    pub user: String,
    /// Configuration: names the public key, and the camera file with the camera's address.
    #[command(flatten)]
    pub config: ConfigArgs,
    /// Address of the camera, if the camera file does not have it.
    #[arg(long, value_name = "rtsp://HOST/PATH")]
    pub url: Option<String>,
    /// File with the site's public key; by default site.public_key of the configuration.
    #[arg(long, value_name = "FILE")]
    pub public_key: Option<PathBuf>,
    /// Environment variable that holds the password; without it, it is read from standard input.
    #[arg(long, value_name = "VARIABLE")]
    pub password_env: Option<String>,
}

/// Prints the camera's login.
///
/// # Errors
/// When key, address or password is missing or cannot be used. The password is never repeated.
pub(crate) fn run(args: &SealArgs) -> anyhow::Result<()> {
    // The camera's entry may lack only this login, and need not be valid.
    let needs_config = args.url.is_none() || args.public_key.is_none();
    let reading = needs_config.then(|| Config::read(&args.config.config));
    let key = public_key(args, reading.as_ref())?;
    let endpoint = endpoint(args, reading.as_ref())?;
    let prompt = format!("password of {}: ", args.user);
    let password = Password::new(secret_input::read(args.password_env.as_deref(), &prompt)?)?;
    let sealed = key.seal(&args.camera, &endpoint, &password)?;
    tell_line!("sealed with key {} for camera {} at {endpoint}; put this into its `source`:", key.id(), args.camera);
    let user = Value::String(args.user.clone());
    print_line!("login = {{ user = {user}, sealed = \"{}\" }}", sealed.to_text());
    Ok(())
}

fn public_key(args: &SealArgs, reading: Option<&Reading>) -> anyhow::Result<PublicKey> {
    let configured = reading.and_then(|reading| reading.config.settings.site.public_key.as_ref());
    let path = args.public_key.as_ref().or(configured).with_context(|| {
        format!(
            "{} has no site.public_key; make a key with `vedette key new` and name its .pub file there, or give --public-key FILE",
            args.config.config.display()
        )
    })?;
    Ok(PublicKey::read(path)?)
}

fn endpoint(args: &SealArgs, reading: Option<&Reading>) -> anyhow::Result<Endpoint> {
    let camera = &args.camera;
    let of_file = || {
        let Reading { config, .. } = reading?;
        // With what is hidden elsewhere: it may be the host.
        if let Some(whole) = config.settings.ingest.addresses.get(camera) {
            return Some(whole.clone());
        }
        config.cameras.iter().find(|known| known.id == *camera)?.url().map(str::to_owned)
    };
    let address = args.url.clone().or_else(of_file).with_context(|| {
        format!("the camera file has no network camera {camera}; give its address with --url rtsp://HOST/PATH")
    })?;
    // Not repeated: it may have a secret in it.
    Endpoint::of(&address)
        .with_context(|| format!("the address of camera {camera} is not rtsp://HOST/PATH; correct it"))
}
