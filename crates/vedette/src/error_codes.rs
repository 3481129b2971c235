//! docs/ERRORS.md: the codes of validation errors and of API problems. After a change: `VEDETTE_BLESS=1 cargo test-all --lib
//! error_codes`.

use vedette_core::ViolationInfo;

/// The definitions of all errors with a code, by group.
#[must_use]
pub fn groups() -> Vec<(&'static str, Vec<ViolationInfo>)> {
    let settings = [
        crate::config::ConfigRule::ALL,
        &vedette_core::value_violations(),
        vedette_topics::violations(),
        &vedette_stages::violations(),
        vedette_track::violations(),
    ];
    vec![
        ("Configuration files and settings", settings.concat()),
        ("Calibrations", vedette_locate::violations().to_vec()),
        ("Policies", vedette_rules::violations()),
        ("Checks before a run", crate::preflight::PreflightRule::ALL.to_vec()),
        ("A look at a camera (`vedette camera probe`)", vedette_media::probe_violations().to_vec()),
        ("Accounts and roles", vedette_access::violations().to_vec()),
        ("API", vedette_console::violations().to_vec()),
    ]
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by it")]

    use std::collections::BTreeSet;
    use std::path::{Path, PathBuf};

    use super::*;

    const MARK: &str = "<!-- The rest is made from the code. -->\n";

    fn root() -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
    }

    fn markdown() -> String {
        let mut text = String::new();
        let cell = |text: &str| text.replace("{{", "{").replace("}}", "}").replace('|', "\\|");
        for (title, infos) in groups() {
            text += &format!("\n## {title}\n\n| code | rule | remedy |\n| --- | --- | --- |\n");
            for info in infos {
                text += &format!("| `{}` | {} | {} |\n", info.code, cell(info.rule), cell(info.fix));
            }
        }
        text
    }

    #[test]
    fn the_page_of_errors_is_made_from_the_code() {
        let path = root().join("docs/ERRORS.md");
        let page = std::fs::read_to_string(&path).unwrap();
        let (head, _) = page.split_once(MARK).unwrap();
        let made = format!("{head}{MARK}{}", markdown());
        if std::env::var_os("VEDETTE_BLESS").is_some() {
            std::fs::write(&path, &made).unwrap();
        } else {
            assert!(page == made, "bless docs/ERRORS.md: see the head of this file");
        }
    }

    #[test]
    fn each_code_is_listed_once_and_each_argument_is_in_a_text() {
        let mut listed = BTreeSet::new();
        for info in groups().into_iter().flat_map(|(_, infos)| infos) {
            assert!(listed.insert(info.code), "{} is there twice", info.code);
            for argument in info.arguments {
                let written = format!("{{{argument}}}");
                assert!(info.rule.contains(&written) || info.fix.contains(&written), "{}: {argument}", info.code);
            }
        }
        let mut defined = BTreeSet::new();
        for path in sources(&root().join("crates")) {
            let text = std::fs::read_to_string(&path).unwrap();
            // With a path or without, but not in a test.
            let begins = |line: &&str| line.ends_with("violations! {") && !line.starts_with(' ');
            for start in text.lines().filter(begins) {
                let block = text.split(start).nth(1).and_then(|rest| rest.split("\n}\n").next()).unwrap_or_default();
                defined
                    .extend(block.split(" = \"").skip(1).filter_map(|rest| Some(rest.split_once("\":")?.0.to_owned())));
            }
        }
        let listed: BTreeSet<String> = listed.into_iter().map(str::to_owned).collect();
        assert_eq!(defined, listed, "each `violations!` is part of a list");
    }

    fn sources(directory: &Path) -> Vec<PathBuf> {
        let entries = std::fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
        let (directories, files): (Vec<PathBuf>, Vec<PathBuf>) = entries.partition(|path| path.is_dir());
        let skipped = |path: &PathBuf| path.ends_with("node_modules");
        let below = directories.iter().filter(|path| !skipped(path)).flat_map(|directory| sources(directory));
        files.into_iter().filter(|path| path.extension().is_some_and(|it| it == "rs")).chain(below).collect()
    }
}
