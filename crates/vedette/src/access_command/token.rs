use std::process::ExitCode;

use anyhow::bail;
use clap::{Args, Subcommand};
use vedette_access::{Name, Secret, SecretKind, Token};
use vedette_core::Span;
use vedette_runtime::clock;

use super::{GrantArgs, NameArgs, entry, name, on_store};
use crate::overrides::ConfigArgs;
use crate::terminal::{print_line, tell_line};

/// `vedette token`
#[derive(Debug, Subcommand)]
pub enum TokenCommand {
    /// Make a token of a machine. It is printed this once: send it as `Authorization: Bearer ...`.
    Add(AddArgs),
    /// List the tokens.
    List(ConfigArgs),
    /// Revoke a token. It is refused at once.
    Revoke(NameArgs),
}

/// `vedette token add`
#[derive(Debug, Args)]
pub struct AddArgs {
    /// Its name: 1 to 64 letters, digits and `.`, `_`, `-`, `@`.
    #[arg(value_parser = name)]
    pub name: Name,
    /// Its roles.
    #[command(flatten)]
    pub grants: GrantArgs,
    /// Days until it expires.
    #[arg(long, default_value_t = 90, value_parser = clap::value_parser!(u32).range(1..=366))]
    pub days: u32,
    /// Configuration.
    #[command(flatten)]
    pub config: ConfigArgs,
}

/// Runs the command.
///
/// # Errors
/// When a rule of tokens is broken or the store cannot be used.
pub(crate) async fn run(command: TokenCommand) -> anyhow::Result<ExitCode> {
    match command {
        TokenCommand::Add(args) => add(args).await?,
        TokenCommand::List(config) => {
            for Token { name, grants, expires, used, .. } in on_store(&config, |store| Ok(store.tokens()?)).await? {
                let used = used.map_or("never used".to_owned(), |used| format!("used {used}"));
                print_line!("{name}\t{grants}\texpires {expires}\t{used}");
            }
        }
        TokenCommand::Revoke(NameArgs { name, config }) => {
            let row = entry(clock::now(), "token.revoke", format!("token:{name}"));
            let of = name.clone();
            on_store(&config, move |store| Ok(store.revoke_token(&of, Some(&row))?)).await?;
            tell_line!("token {name} is revoked");
        }
    }
    Ok(ExitCode::SUCCESS)
}

async fn add(AddArgs { name, grants, days, config }: AddArgs) -> anyhow::Result<()> {
    let (grants, now, secret) = (grants.grants()?, clock::now(), Secret::random(SecretKind::Token));
    let mut row = entry(now, "token.add", format!("token:{name}"));
    row.detail = format!("{grants} for {days} days");
    let token = Token {
        name: name.clone(),
        hash: secret.hash(),
        grants,
        maker: "local".to_owned(),
        made: now,
        expires: now + Span::from_secs(i64::from(days) * 86_400),
        used: None,
    };
    on_store(&config, move |store| {
        if !store.has_accounts()? {
            bail!("the site has no account: a token made now would outlive that; make one with `vedette user add NAME --grant administrator`");
        }
        Ok(store.add_token(&token, Some(&row))?)
    })
    .await?;
    tell_line!("token {name} is made; it expires in {days} days:");
    print_line!("{}", secret.reveal());
    Ok(())
}
