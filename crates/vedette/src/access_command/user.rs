use std::process::ExitCode;

use clap::{Args, Subcommand};
use vedette_access::{Account, Login, Name, NewPassword, PasswordHash};
use vedette_alert_store::AccountChange;
use vedette_runtime::clock;

use super::{GrantArgs, NameArgs, entry, name, on_new_store, on_store, refused};
use crate::overrides::ConfigArgs;
use crate::secret_input;
use crate::terminal::{print_line, tell_line};

/// `vedette user`
#[derive(Debug, Subcommand)]
pub enum UserCommand {
    /// Make an account. The first one has to be an administrator; from then on nobody is served without logging in.
    Add(AddArgs),
    /// List the accounts.
    List(ConfigArgs),
    /// Replace the roles of an account. They hold at once.
    Grant(RegrantArgs),
    /// Set another password. All sessions of the account end.
    Password(PasswordArgs),
    /// Forbid an account to log in. All its sessions end.
    Disable(NameArgs),
    /// Allow it again.
    Enable(NameArgs),
    /// Remove an account. All its sessions end; its name stays in the audit log.
    Remove(NameArgs),
}

/// `vedette user add`
#[derive(Debug, Args)]
pub struct AddArgs {
    /// Its name: 1 to 64 letters, digits and `.`, `_`, `-`, `@`.
    #[arg(value_parser = name)]
    pub name: Name,
    /// Its roles.
    #[command(flatten)]
    pub grants: GrantArgs,
    /// Environment variable that holds the password; without it, it is read from standard input.
    #[arg(long, value_name = "VARIABLE")]
    pub password_env: Option<String>,
    /// Configuration.
    #[command(flatten)]
    pub config: ConfigArgs,
}

/// `vedette user grant`
#[derive(Debug, Args)]
pub struct RegrantArgs {
    /// The account.
    #[arg(value_parser = name)]
    pub name: Name,
    /// Its roles from now on.
    #[command(flatten)]
    pub grants: GrantArgs,
    /// Configuration.
    #[command(flatten)]
    pub config: ConfigArgs,
}

/// `vedette user password`
#[derive(Debug, Args)]
pub struct PasswordArgs {
    /// The account.
    #[arg(value_parser = name)]
    pub name: Name,
    /// Environment variable that holds the password; without it, it is read from standard input.
    #[arg(long, value_name = "VARIABLE")]
    pub password_env: Option<String>,
    /// Configuration.
    #[command(flatten)]
    pub config: ConfigArgs,
}

/// Runs the command.
///
/// # Errors
/// When a rule of accounts is broken or the store cannot be used.
pub(crate) async fn run(command: UserCommand) -> anyhow::Result<ExitCode> {
    match command {
        UserCommand::Add(args) => add(args).await?,
        UserCommand::List(config) => list(&config).await?,
        UserCommand::Grant(RegrantArgs { name, grants, config }) => {
            let grants = Some(grants.grants()?);
            change(&config, name, AccountChange { grants, ..AccountChange::default() }).await?;
        }
        UserCommand::Password(PasswordArgs { name, password_env, config }) => {
            let hash = hash(&name, password_env.as_deref())?;
            let login = Some(Login::Password(hash));
            change(&config, name, AccountChange { login, ..AccountChange::default() }).await?;
        }
        UserCommand::Disable(NameArgs { name, config }) => {
            change(&config, name, AccountChange { enabled: Some(false), ..AccountChange::default() }).await?;
        }
        UserCommand::Enable(NameArgs { name, config }) => {
            change(&config, name, AccountChange { enabled: Some(true), ..AccountChange::default() }).await?;
        }
        UserCommand::Remove(NameArgs { name, config }) => {
            let row = entry(clock::now(), "account.remove", format!("account:{name}"));
            let of = name.clone();
            on_store(&config, move |store| Ok(store.remove_account(&of, Some(&row))?)).await?;
            tell_line!("account {name} is removed");
        }
    }
    Ok(ExitCode::SUCCESS)
}

async fn add(AddArgs { name, grants, password_env, config }: AddArgs) -> anyhow::Result<()> {
    let grants = grants.grants()?;
    let login = Login::Password(hash(&name, password_env.as_deref())?);
    let now = clock::now();
    let mut row = entry(now, "account.add", format!("account:{name}"));
    row.detail = grants.to_string();
    let account = Account { name: name.clone(), login, grants, enabled: true, made: now, changed: now };
    let is_first = on_new_store(&config, move |store| {
        let is_first = !store.has_accounts()?;
        if is_first {
            account.grants.check_first().map_err(refused)?;
        }
        store.add_account(&account, Some(&row))?;
        Ok(is_first)
    });
    if is_first.await? {
        tell_line!("account {name} is made; from now on nobody is served without logging in");
    } else {
        tell_line!("account {name} is made");
    }
    Ok(())
}

async fn list(config: &ConfigArgs) -> anyhow::Result<()> {
    for Account { name, login, grants, enabled, .. } in on_store(config, |store| Ok(store.accounts()?)).await? {
        let login = match login {
            Login::Password(_) => "password".to_owned(),
            Login::Provider { issuer, .. } => issuer,
        };
        print_line!("{name}\t{grants}\t{login}\t{}", if enabled { "enabled" } else { "disabled" });
    }
    Ok(())
}

async fn change(config: &ConfigArgs, name: Name, change: AccountChange) -> anyhow::Result<()> {
    let now = clock::now();
    let act = if change.login.is_some() { "account.password" } else { "account.change" };
    let mut row = entry(now, act, format!("account:{name}"));
    row.detail = match (&change.grants, change.enabled) {
        (Some(grants), _) => format!("grants: {grants}"),
        (None, Some(enabled)) => if enabled { "enabled" } else { "disabled" }.to_owned(),
        (None, None) => "password".to_owned(),
    };
    let of = name.clone();
    on_store(config, move |store| Ok(store.change_account(&of, &change, now, Some(&row))?)).await?;
    tell_line!("account {name} is changed");
    Ok(())
}

fn hash(name: &Name, variable: Option<&str>) -> anyhow::Result<PasswordHash> {
    let text = secret_input::read(variable, &format!("password of {name}: "))?;
    Ok(PasswordHash::of(&NewPassword::new(text, name).map_err(refused)?))
}
