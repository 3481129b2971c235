//! Accounts, tokens and the audit log on the command line, beside the running product: the commands of docs/ACCESS.md.

use std::process::{Command, Output};

use reqwest::StatusCode;
use serde_json::{Value, json};
use vedette_runtime::clock;

use crate::product::Product;
use crate::support::{assert_refused, commands, demo_site, finish, said, vedette};

const PASSWORD: &str = "correct horse battery staple";

struct Site {
    folder: tempfile::TempDir,
    path: String,
}

impl Site {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        demo_site(folder.path());
        let program = std::path::Path::new(env!("CARGO_BIN_EXE_vedette")).parent().unwrap();
        let path = format!("{}:{}", program.display(), std::env::var("PATH").unwrap());
        Self { folder, path }
    }

    /// A line of a shell in the folder of the site.
    fn shell(&self, line: &str) -> Output {
        let mut command = Command::new("bash");
        command.args(["-c", line]).current_dir(self.folder.path()).env("PATH", &self.path);
        finish(command)
    }

    fn done(&self, line: &str) -> String {
        let output = self.shell(line);
        assert!(output.status.success(), "{line}: {}", said(&output));
        String::from_utf8(output.stdout).unwrap()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_commands_of_the_page_take_a_site_from_local_to_accounts() {
    let site = Site::new();
    let product = Product::start(&site.folder.path().join("vedette.toml"), |_| {}).await;
    product.alerts_reach(1).await;
    assert_eq!(product.json("/api/v1/session").await["who"], "local");
    // In one shell, so that what one line exports is there in the next.
    let lines = commands("ACCESS.md");
    assert!(lines.len() >= 11, "{lines:?}");
    let said_of_all = site.done(&format!("set -e\n{}", lines.join("\n")));
    assert!(said_of_all.contains("berta\t"), "{said_of_all}");

    // That there are none is believed for half a second, and on an idle machine the commands take less.
    tokio::time::sleep(std::time::Duration::from_millis(600)).await;
    let refused = product.get("/api/v1/alerts").await;
    assert_eq!(refused.status(), StatusCode::UNAUTHORIZED);
    let client = reqwest::Client::new();
    let login = json!({"name": "anna", "password": PASSWORD});
    let session = client.post(format!("{}/api/v1/session", product.url)).json(&login).send().await.unwrap();
    assert_eq!(session.status(), StatusCode::OK);
    let token = said_of_all.lines().find(|line| line.starts_with("vdt_")).unwrap().to_owned();
    let asked = async |path: &str| {
        let answer = client.get(format!("{}{path}", product.url)).bearer_auth(&token).send().await.unwrap();
        answer.status()
    };
    // It was made and revoked by the page.
    assert_eq!(asked("/metrics").await, StatusCode::UNAUTHORIZED);

    // A command beside the product needs a token now.
    let apply = format!("vedette apply -c vedette.toml --plan --console {}", product.url);
    let without = site.shell(&apply);
    assert!(!without.status.success() && said(&without).contains("log in"), "{}", said(&without));
    let token = site.done("vedette token add apply --grant administrator --days 1 -c vedette.toml");
    let with = site.shell(&format!("VEDETTE_TOKEN={} {apply}", token.trim()));
    assert_eq!(with.status.code(), Some(0), "{}", said(&with));
    product.end().await;

    // A day later, a changed byte is named.
    let head = site.done("vedette audit verify -c vedette.toml");
    let store = rusqlite::Connection::open(site.folder.path().join("data/alerts.sqlite")).unwrap();
    let untouched = store.execute("UPDATE audit SET who = 'nobody' WHERE number = 2", []);
    assert!(untouched.unwrap_err().to_string().contains("only added"));
    for trigger in triggers(&store) {
        store.execute_batch(&format!("DROP TRIGGER {trigger}")).unwrap();
    }
    store.execute("UPDATE audit SET who = 'nobody' WHERE number = 2", []).unwrap();
    let damaged = site.shell("vedette audit verify -c vedette.toml");
    assert_eq!(
        (damaged.status.code(), said(&damaged).contains("row 2 was altered")),
        (Some(2), true),
        "{}",
        said(&damaged)
    );
    store.execute("UPDATE audit SET who = 'local' WHERE number = 2", []).unwrap();
    assert_eq!(site.done(&format!("vedette audit verify -c vedette.toml --known {}", head.trim())), head);
    let (last, _) = head.trim().split_once(':').unwrap();
    store.execute(&format!("DELETE FROM audit WHERE number = {last}"), []).unwrap();
    let cut = site.shell("vedette audit verify -c vedette.toml");
    assert!(cut.status.code() == Some(2) && said(&cut).contains("rows at the end were cut"), "{}", said(&cut));
}

#[test]
fn the_settings_of_single_sign_on_of_the_page_are_checked() {
    let site = Site::new();
    let page = std::fs::read_to_string(crate::support::root().join("docs/ACCESS.md")).unwrap();
    let section = page.split("```toml\n").nth(1).unwrap().split("```").next().unwrap();
    let path = site.folder.path().join("vedette.toml");
    let before = std::fs::read_to_string(&path).unwrap();
    let check = |section: &str, with: &str| {
        std::fs::write(&path, format!("{before}\n{section}")).unwrap();
        site.shell(&format!("{with} vedette check --offline -c vedette.toml"))
    };
    let set = "VEDETTE_SIGN_ON_SECRET=a";
    let unknown = said(&check(section, set));
    assert!(
        unknown.contains("the console is not opened as vedette.example") && unknown.contains("console.hosts"),
        "{unknown}"
    );
    let here = section.replace("https://vedette.example", "http://localhost:8080");
    let good = said(&check(&here, set));
    assert!(!good.contains("single_sign_on"), "{good}");
    let unset = said(&check(&here, ""));
    assert!(unset.contains("secret_env") && unset.contains("not set"), "{unset}");
    for (from, to, expected) in [
        ("https://id.example", "http://id.example", "no https address"),
        ("client_id", "client", "client"),
        ("\"administrator\"", "\"chief\"", "`chief` is no role"),
        ("label = \"Keycloak\"", "ca_file = \"missing.pem\"", "missing.pem"),
    ] {
        let wrong = said(&check(&here.replace(from, to), set));
        assert!(wrong.contains(expected), "{from}: {wrong}");
    }
}

fn triggers(store: &rusqlite::Connection) -> Vec<String> {
    let mut names =
        store.prepare("SELECT name FROM sqlite_schema WHERE type = 'trigger' AND tbl_name = 'audit'").unwrap();
    let names = names.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect::<Vec<String>>();
    assert!(names.len() >= 2, "{names:?}");
    names
}

#[test]
fn wrong_accounts_are_refused_by_name() {
    let site = Site::new();
    let config = site.folder.path().join("vedette.toml").display().to_string();
    let user = |words: &[&str], expected: &[&str]| {
        let mut command = vedette();
        command.arg("user").args(words).args(["-c", &config]).env("ANNA", PASSWORD).env("SHORT", "too short");
        assert_refused(command, expected);
    };
    let with = ["--password-env", "ANNA"];
    user(&["add", "anna", "--grant", "viewer", "--password-env", "ANNA"], &["first account is no administrator"]);
    user(
        &["add", "anna", "--grant", "administrator@group:gates", "--password-env", "ANNA"],
        &["first account is no administrator"],
    );
    user(&["add", "anna", "--grant", "chief", "--password-env", "ANNA"], &["`chief` is no role", "viewer, operator"]);
    user(&["add", "anna", "--grant", "viewer@unit:7", "--password-env", "ANNA"], &["`unit:7` is no area", "group:"]);
    user(&["add", "anna", "--grant", "auditor@group:gates", "--password-env", "ANNA"], &["always for the whole site"]);
    user(&["add", "an na", "--grant", "administrator", "--password-env", "ANNA"], &["letters, digits"]);
    user(&["add", "local", "--grant", "administrator", "--password-env", "ANNA"], &["`local` is the name"]);
    user(&["add", "anna", "--grant", "administrator", "--password-env", "SHORT"], &["fewer than 12 characters"]);
    user(&["add", "anna", "--grant", "administrator", "--password-env", "UNSET"], &["`UNSET`", "not set"]);
    site.done(&format!(
        "ANNA='{PASSWORD}' vedette user add anna --grant administrator {} -c vedette.toml",
        with.join(" ")
    ));
    user(&["add", "anna", "--grant", "viewer", "--password-env", "ANNA"], &["there is already the account `anna`"]);
    user(&["remove", "anna"], &["no administrator would be left"]);
    user(&["disable", "anna"], &["no administrator would be left"]);
    user(&["grant", "anna", "--grant", "viewer"], &["no administrator would be left"]);
    user(&["remove", "berta"], &["there is no account `berta`"]);
}

#[test]
fn a_console_that_others_reach_does_not_start_without_an_account() {
    let site = Site::new();
    let config = site.folder.path().join("vedette.toml").display().to_string();
    let run = |more: &[&str]| {
        let mut command = vedette();
        command.args(["run", "-c", &config, "--for", "1s", "--operations-listen", "127.0.0.1:0"]).args(more);
        command
    };
    assert_refused(run(&["--listen", "0.0.0.0:0"]), &["console.listen", "0.0.0.0:0", "vedette user add"]);
    site.done(&format!(
        "ANNA='{PASSWORD}' vedette user add anna --grant administrator --password-env ANNA -c vedette.toml"
    ));
    let started = finish(run(&["--listen", "127.0.0.1:0"]));
    assert!(started.status.success(), "{}", said(&started));
    // Kept, though nobody logged in.
    let rows: Vec<Value> = site
        .done("vedette audit export -c vedette.toml")
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(rows[0]["act"], "account.add");
    assert!(rows[0]["at"].as_str().unwrap() <= clock::now().to_string().as_str());
}
