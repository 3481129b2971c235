//! Accounts, tokens and the audit log on the command line, beside the running product: the commands of docs/ACCESS.md.

use std::path::Path;
use std::process::{Command, Output};
use std::time::Duration;

use reqwest::StatusCode;
use serde_json::{Value, json};
use vedette::config::Config;
use vedette_access::{AuditEntry, AuditRow, ChainHead};
use vedette_bus::StartAt;
use vedette_runtime::clock;
use vedette_topics::{open_bus, reading, topics};

use crate::product::Product;
use crate::support::{assert_refused, commands, demo_site, eventually, finish, said, vedette};

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
    // An embedded bus is read while the product is stopped.
    let (stopped, lines): (Vec<_>, Vec<_>) =
        commands("ACCESS.md").into_iter().partition(|line| line.contains("--topic"));
    assert!(lines.len() >= 11, "{lines:?}");
    let said_of_all = site.done(&format!("set -e\n{}", lines.join("\n")));
    assert!(said_of_all.contains("berta\t"), "{said_of_all}");

    // It is believed for half a second that there are none.
    tokio::time::sleep(Duration::from_secs(1)).await;
    let refused = product.get("/api/v1/alerts").await;
    assert_eq!(refused.status(), StatusCode::UNAUTHORIZED, "{}", refused.text().await.unwrap());
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
    let rows = site.done("vedette audit export -c vedette.toml").lines().count();
    published_reach(&product, rows as u64).await;
    product.end().await;

    // Systems elsewhere have each row, once and in its order.
    let exported = site.done("vedette audit export -c vedette.toml");
    let exported: Vec<Value> = exported.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(stopped.len(), 1);
    site.done(&stopped[0]);
    let published = published(site.folder.path()).await;
    let heads: Vec<String> = published.iter().map(|row| ChainHead::of(row).to_string()).collect();
    let of_row = |row: &Value| format!("{}:{}", row["number"], row["hash"].as_str().unwrap());
    assert_eq!(heads, exported.iter().map(of_row).collect::<Vec<_>>());

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

/// The rows on the topic `audit`, in their order.
async fn published(site: &Path) -> Vec<AuditRow> {
    let config = Config::load(&site.join("vedette.toml")).unwrap();
    let bus = open_bus(&config.settings.bus).await.unwrap();
    let (topic, mut rows) = (topics::AUDIT.name(), Vec::new());
    let mut reader = bus.read(topic, StartAt::Earliest).await.unwrap();
    reading::to_end(&bus, topic, &mut reader, |record| {
        let row = topics::AUDIT.read(&record).unwrap();
        assert_eq!(record.record.key, row.number.to_string());
        assert!(record.record.headers.iter().any(|header| header.name == "ce_id"));
        rows.push(row);
    })
    .await
    .unwrap();
    bus.close().await.unwrap();
    rows
}

/// Waits until the product has published so many rows.
async fn published_reach(product: &Product, count: u64) {
    eventually(&format!("{count} rows on the topic"), async || {
        let marks = product.app.bus.watermarks(topics::AUDIT.name()).await.unwrap();
        (marks.iter().map(|mark| mark.high).sum::<u64>() >= count).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_topic_gets_what_was_written_while_the_product_was_away_and_knows_a_log_that_was_written_anew() {
    let site = Site::new();
    let config = site.folder.path().join("vedette.toml");
    let account = |name: &str| {
        let add = format!("vedette user add {name} --grant administrator --password-env WORD -c vedette.toml");
        site.done(&format!("WORD='{PASSWORD}' {add}"));
    };
    account("anna");
    for (number, name) in ["berta", "clara", "dora"].into_iter().enumerate() {
        let product = Product::start(&config, |_| {}).await;
        published_reach(&product, number as u64 + 1).await;
        product.end().await;
        account(name);
    }
    let product = Product::start(&config, |_| {}).await;
    published_reach(&product, 4).await;
    product.end().await;
    let rows = published(site.folder.path()).await;
    assert_eq!(rows.iter().map(|row| row.number).collect::<Vec<_>>(), [1, 2, 3, 4]);
    let head = site.done("vedette audit verify --topic -c vedette.toml");

    // Whoever can write the store computes all hashes again, and its head.
    let store = rusqlite::Connection::open(site.folder.path().join("data/alerts.sqlite")).unwrap();
    for trigger in triggers(&store) {
        store.execute_batch(&format!("DROP TRIGGER {trigger}")).unwrap();
    }
    let mut previous = rows[0].hash;
    for row in &rows[1..] {
        let object = row.entry.object.replace("berta", "bertha");
        let row = AuditRow::after(row.number, previous, AuditEntry { object, ..row.entry.clone() });
        let (hash, before) = (row.hash.to_string(), row.previous.to_string());
        let set = "UPDATE audit SET object = ?2, previous = ?3, hash = ?4 WHERE number = ?1";
        store.execute(set, (row.number as i64, &row.entry.object, before, &hash)).unwrap();
        store.execute("UPDATE audit_head SET hash = ?1", [&hash]).unwrap();
        previous = row.hash;
    }
    drop(store);
    assert_ne!(site.done("vedette audit verify -c vedette.toml"), head, "the chain itself is sound");
    let compared = site.shell("vedette audit verify --topic -c vedette.toml");
    assert_eq!(
        (compared.status.code(), said(&compared).contains("row 2 is not the one that is known from elsewhere")),
        (Some(2), true),
        "{}",
        said(&compared)
    );
    // The log that the store has now follows on the topic, beside the one that was there.
    let product = Product::start(&config, |_| {}).await;
    published_reach(&product, 8).await;
    product.end().await;
    let numbers: Vec<u64> = published(site.folder.path()).await.iter().map(|row| row.number).collect();
    assert_eq!(numbers, [1, 2, 3, 4, 1, 2, 3, 4]);
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
        store.prepare("SELECT name FROM sqlite_schema WHERE type = 'trigger' AND tbl_name LIKE 'audit%'").unwrap();
    let names = names.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect::<Vec<String>>();
    assert!(names.len() >= 2, "{names:?}");
    names
}

#[test]
fn a_store_that_is_not_there_is_no_empty_one() {
    let site = Site::new();
    let config = site.folder.path().join("vedette.toml").display().to_string();
    for words in [
        &["audit", "verify"][..],
        &["audit", "list"],
        &["audit", "export"],
        &["user", "list"],
        &["user", "disable", "anna"],
        &["token", "list"],
        &["token", "add", "probe", "--grant", "monitor"],
    ] {
        let mut command = vedette();
        command.args(words).args(["-c", &config]);
        assert_refused(command, &["console.store", "there is no file", "alerts.sqlite", "-c"]);
        assert!(!site.folder.path().join("data/alerts.sqlite").exists(), "{words:?} made one");
    }
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
