#![allow(clippy::unwrap_used, reason = "a test fails by it")]

use std::collections::HashSet;

use super::*;

fn roles(words: &[&str]) -> Result<HashSet<Role>, String> {
    let words = ["vedette", "run"].iter().chain(words);
    let cli = Cli::try_parse_from(words).map_err(|error| error.to_string())?;
    let Command::Run(args) = cli.command else { unreachable!() };
    args.roles.set().map_err(|error| error.to_string())
}

#[test]
fn roles_stand_with_commas_or_spaces_between_them() {
    let wanted = HashSet::from([Role::Ingest, Role::Analyse]);
    for words in [
        &["--roles", "ingest,analyse"][..],
        &["--roles", "ingest", "analyse", "-c", "x.toml"],
        &["--roles=ingest,analyse"],
        &["--roles", "ingest", "--roles", "analyse"],
    ] {
        assert_eq!(roles(words).unwrap(), wanted, "{words:?}");
    }
    assert_eq!(roles(&[]).unwrap().len(), Role::value_variants().len());
    assert!(roles(&["--roles", "ingest,ingest"]).unwrap_err().contains("`ingest` twice"));
    for empty in [&["--roles", ""][..], &["--roles", "ingest,,detect"], &["--roles"]] {
        assert!(roles(empty).unwrap_err().contains("analyse"), "{empty:?} says what there is");
    }
}

#[test]
fn what_the_help_prints_as_the_default_can_be_pasted() {
    use clap::CommandFactory;
    let mut command = Cli::command();
    let help = command.find_subcommand_mut("run").unwrap().render_long_help().to_string();
    let default =
        help.split("[default: ").find_map(|rest| rest.split(']').next().filter(|text| text.contains("ingest,")));
    let default = default.unwrap_or_else(|| panic!("{help}"));
    assert_eq!(roles(&["--roles", default]).unwrap().len(), Role::value_variants().len());
}

#[test]
fn names_of_models_stand_with_commas_or_spaces_between_them() {
    for words in [&["a,b"][..], &["a", "b"]] {
        let words = ["vedette", "models", "fetch"].iter().chain(words);
        let Command::Models(ModelsCommand::Fetch { names, .. }) = Cli::try_parse_from(words).unwrap().command else {
            unreachable!()
        };
        assert_eq!(names, ["a", "b"]);
    }
}
