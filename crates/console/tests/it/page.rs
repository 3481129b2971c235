use std::path::Path;
use std::process::Stdio;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader};
use tokio::process::Command;

use crate::support::{ADDRESS, Running, alert, ended, view_of};

/// The page in headless Chromium: `web/test/page.mjs` looks, this feeds. Pictures of it go to `VEDETTE_PAGE_SHOTS` when set.
#[tokio::test(flavor = "multi_thread")]
async fn the_page_shows_an_alert_as_it_comes() {
    let web = Path::new(env!("CARGO_MANIFEST_DIR")).join("web");
    assert!(
        web.join("node_modules/playwright-core").is_dir(),
        "the page's test needs its tools: run `cd crates/console/web && npm ci`"
    );
    let console = Running::start().await;
    let mut browser = Command::new("node")
        .arg(web.join("test/page.mjs"))
        .args([&console.url, ADDRESS])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .expect("node is installed");
    let mut told = BufReader::new(browser.stdout.take().unwrap()).lines();
    let mut complaints = browser.stderr.take().unwrap();
    let complaints = tokio::spawn(async move {
        let mut text = String::new();
        complaints.read_to_string(&mut text).await.unwrap();
        text
    });
    let mut steps = Vec::new();
    while let Some(step) = told.next_line().await.unwrap() {
        match step.as_str() {
            "wants: first" => console.raise(&alert(0)),
            "wants: more" => (1..=7).for_each(|number| console.raise(&alert(number))),
            "wants: view" => console.raise(&view_of(&alert(7))),
            "wants: end" => {
                // An event goes on as long as one of its alerts does.
                console.raise(&ended(&alert(7)));
                console.raise(&ended(&view_of(&alert(7))));
            }
            _ => {}
        }
        steps.push(step);
    }
    let status = browser.wait().await.unwrap();
    let complaints = complaints.await.unwrap();
    assert!(status.success(), "after {steps:?}:\n{complaints}");
    assert_eq!(steps.last().map(String::as_str), Some("done"));
    let verdict = console.store.get(alert(0).id).unwrap().unwrap().verdict.unwrap();
    assert_eq!(verdict.by, "operator 7");
    let looks = console.store.looks(alert(0).id).unwrap();
    assert!(looks.iter().any(|look| look.reason == "live watch"), "{looks:?}");
    assert_eq!(console.store.looks(view_of(&alert(7)).id).unwrap().len(), 1, "a look at a view is a look");
    console.stop().await;
}
