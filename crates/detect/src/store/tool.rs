use std::io;
use std::process::{Command, Stdio};

use super::error::FetchError;

/// Most characters shown of a failed program's output.
const SHOWN_CHARACTERS: usize = 1_500;

/// Runs a program to its end without input; its output is shown only on failure.
///
/// `package` is the Debian package that contains it; `advice` maps its output to a remedy.
pub(super) fn run(
    command: &mut Command,
    package: &'static str,
    advice: fn(&str) -> Option<&'static str>,
) -> Result<(), FetchError> {
    let program = command.get_program().to_string_lossy().into_owned();
    let shown = shown(command);
    tracing::debug!(command = %shown, "running");
    let output = command.stdin(Stdio::null()).output().map_err(|error: io::Error| FetchError::NoTool {
        program,
        package,
        error,
    })?;
    if output.status.success() {
        return Ok(());
    }
    let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    let said = said.trim();
    let skip = said.chars().count().saturating_sub(SHOWN_CHARACTERS);
    Err(FetchError::Tool {
        command: shown,
        status: output.status.to_string(),
        advice: advice(said),
        said: said.chars().skip(skip).collect(),
    })
}

fn shown(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words.map(|word| word.to_string_lossy().into_owned()).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn no_advice(_: &str) -> Option<&'static str> {
        None
    }

    #[test]
    fn a_program_that_is_missing_is_named_with_its_package() {
        let error = run(&mut Command::new("no-such-program-here"), "some-package", no_advice).unwrap_err().to_string();
        assert!(error.contains("no-such-program-here") && error.contains("install some-package"), "{error}");
    }

    #[test]
    fn a_program_that_fails_is_quoted() {
        let mut command = Command::new("sh");
        command.args(["-c", "echo it broke >&2; exit 3"]);
        let advice = |said: &str| said.contains("broke").then_some("mend it");
        let error = run(&mut command, "sh", advice).unwrap_err().to_string();
        assert!(error.contains("it broke") && error.contains('3') && error.ends_with("mend it"), "{error}");
    }
}
