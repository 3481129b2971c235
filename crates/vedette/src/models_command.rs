//! `vedette models`: list, fetch, verify.

use std::process::ExitCode;

use vedette_detect::{ModelStore, TerminalProgress};
use vedette_stages::detector::{RUNTIME, store, unread_beside};

use crate::cli::ModelsCommand;

/// Fetched by default: ONNX Runtime, the default model, and the demo's.
const USUAL: [&str; 3] = [RUNTIME, "nanodet-g", "nanodet-g-640x480"];

/// Runs the command.
///
/// # Errors
/// The missing or invalid file, and the remedy.
pub(crate) fn run(command: ModelsCommand) -> anyhow::Result<ExitCode> {
    let (ModelsCommand::List(dirs)
    | ModelsCommand::Fetch { dirs, .. }
    | ModelsCommand::Verify { dirs, .. }
    | ModelsCommand::Import { dirs, .. }) = &command;
    if let Some(folder) = unread_beside(dirs.models.as_deref()) {
        tracing::warn!(
            "the directory `{0}` here holds manifests that are not those inside the program, and is not read by itself; name it \
             with --models {0} if it is meant",
            folder.display()
        );
    }
    match command {
        ModelsCommand::List(dirs) => list(&store(dirs.models.as_deref())?),
        ModelsCommand::Fetch { names, dirs } => fetch(&store(dirs.models.as_deref())?, &names),
        ModelsCommand::Verify { names, dirs } => verify(&store(dirs.models.as_deref())?, &names),
        ModelsCommand::Import { name, file, dirs } => {
            crate::terminal::print_line!("{}", store(dirs.models.as_deref())?.import(&name, file)?.display());
            Ok(ExitCode::SUCCESS)
        }
    }
}

fn list(store: &ModelStore) -> anyhow::Result<ExitCode> {
    crate::terminal::print_line!(
        "{:<22}{:<10}{:<12}{:<10}{:<14}HERE",
        "MODEL",
        "VERSION",
        "INPUT",
        "OUTPUT",
        "LICENCE"
    );
    for entry in store.list()? {
        let manifest = &entry.manifest;
        let input = format!("{}x{}", manifest.input.width, manifest.input.height);
        let here = if entry.present { entry.path.display().to_string() } else { "no".to_owned() };
        let kind = manifest.output.name();
        crate::terminal::print_line!(
            "{:<22}{:<10}{input:<12}{kind:<10}{:<14}{here}",
            manifest.name,
            manifest.version,
            manifest.licence
        );
    }
    Ok(ExitCode::SUCCESS)
}

fn fetch(store: &ModelStore, names: &[String]) -> anyhow::Result<ExitCode> {
    let names: Vec<&str> = if names.is_empty() { USUAL.to_vec() } else { names.iter().map(String::as_str).collect() };
    for name in names {
        let progress = TerminalProgress::new(name);
        let path = store.fetch(name, &progress)?;
        drop(progress);
        crate::terminal::tell_line!("{name}: {}", path.display());
    }
    Ok(ExitCode::SUCCESS)
}

fn verify(store: &ModelStore, names: &[String]) -> anyhow::Result<ExitCode> {
    let names: Vec<String> = if names.is_empty() {
        let fetched = store.list()?.into_iter().filter(|entry| entry.present);
        fetched.map(|entry| entry.manifest.name).collect()
    } else {
        names.to_vec()
    };
    let mut code = ExitCode::SUCCESS;
    for name in names {
        let outcome = if name == RUNTIME { store.runtime_library(&name) } else { store.verify(&name) };
        match outcome {
            Ok(path) => crate::terminal::print_line!("{name}: ok, {}", path.display()),
            Err(error) => {
                crate::terminal::print_line!("{name}: {error}");
                code = ExitCode::from(2);
            }
        }
    }
    Ok(code)
}
