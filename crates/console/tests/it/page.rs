use std::path::Path;
use std::process::Stdio;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader};
use tokio::process::Command;

use crate::health::Kept;
use crate::support::{ADDRESS, Running, alert, ended, view_of};

/// The page in headless Chromium: the script looks and acts as a person, this feeds what it says it `wants`, once each. Pictures
/// go to `VEDETTE_PAGE_SHOTS` when set.
async fn play(script: &str, console: &Running, mut feed: impl FnMut(&str)) {
    let web = Path::new(env!("CARGO_MANIFEST_DIR")).join("web");
    assert!(
        web.join("node_modules/playwright-core").is_dir(),
        "the page's test needs its tools: run `cd crates/console/web && npm ci`"
    );
    let mut browser = Command::new("node")
        .arg(web.join("test").join(script))
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
        if let Some(wanted) = step.strip_prefix("wants: ") {
            feed(wanted);
        }
        steps.push(step);
    }
    let status = browser.wait().await.unwrap();
    let complaints = complaints.await.unwrap();
    assert!(status.success(), "{script}, after {steps:?}:\n{complaints}");
    assert_eq!(steps.last().map(String::as_str), Some("done"));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_page_shows_an_alert_as_it_comes() {
    let console = Running::start().await;
    play("page.mjs", &console, |wanted| match wanted {
        "first" => console.raise(&alert(0)),
        "more" => (1..=7).for_each(|number| console.raise(&alert(number))),
        "view" => console.raise(&view_of(&alert(7))),
        "end" => {
            // An event goes on as long as one of its alerts does.
            console.raise(&ended(&alert(7)));
            console.raise(&ended(&view_of(&alert(7))));
        }
        other => panic!("{other}?"),
    })
    .await;
    let verdict = console.store.get(alert(0).id).unwrap().unwrap().verdict.unwrap();
    assert_eq!(verdict.by, "operator 7");
    let looks = console.store.looks(alert(0).id).unwrap();
    assert!(looks.iter().any(|look| look.reason == "live watch"), "{looks:?}");
    assert_eq!(console.store.looks(view_of(&alert(7)).id).unwrap().len(), 1, "a look at a view is a look");
    console.stop().await;
}

/// A process that hangs takes a thread for each time it is asked.
#[tokio::test(flavor = "multi_thread", worker_threads = 8)]
async fn the_page_says_that_the_pipeline_is_dead() {
    let console = Running::start().await;
    let mut kept = None;
    let dead = "no frame of any camera has been analysed since 12:03:04 (52 s)";
    let late = "no frame of any camera has been analysed since 12:03:04 (57 s)";
    play("dead-pipeline.mjs", &console, |wanted| match wanted {
        "alerts" => (0..=7).for_each(|number| console.raise(&alert(number))),
        "dead" => console.health.set("frames", "failed", dead),
        "later" => console.health.set("frames", "failed", late),
        "more faults" => {
            console.health.set("detect", "starting", "");
            console.health.set(
                "alert_store",
                "failed",
                &"the server cannot be reached: connection refused; ".repeat(9),
            );
            console.health.set("new_stage", "stopped", "");
        }
        "degraded" => {
            ["frames", "detect", "alert_store", "new_stage"]
                .into_iter()
                .for_each(|it| console.health.set(it, "running", ""));
            console.health.set("bus", "degraded", "127.0.0.1:9092: no broker answers; tried again");
        }
        "well" => console.health.set("bus", "running", ""),
        "broken store" => kept = Some(Kept::and_break(console.folder.path())),
        "store" => kept.take().unwrap().restore(),
        "silence" => console.health.silent(true),
        "word" => console.health.silent(false),
        other => panic!("{other}?"),
    })
    .await;
    console.stop().await;
}
