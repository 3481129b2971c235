use std::path::Path;
use std::process::Stdio;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader};
use tokio::process::Command;
use vedette_access::Areas;
use vedette_alerts::{Decision, NoClip};
use vedette_console::{CalibrationReport, CameraSignalLoss};
use vedette_core::{Alert, AlertId, Quantity, RuleKind, SignalLossReason, Timestamp};

use crate::access::{add_account, name};
use crate::clips::film;
use crate::health::Kept;
use crate::support::{ADDRESS, Running, alert, ended, view_of};

/// The page in headless Chromium: the script looks and acts as a person, this feeds what it says it `wants`, once each. Pictures
/// go to `VEDETTE_PAGE_SHOTS` when set.
async fn play(script: &str, console: &Running, feed: impl FnMut(&str)) {
    play_at(script, &console.url, feed).await;
}

/// The same with a page at another address, such as a proxy's.
pub(crate) async fn play_at(script: &str, url: &str, feed: impl FnMut(&str)) {
    play_with(script, &[url, ADDRESS], feed).await;
}

async fn play_with(script: &str, arguments: &[&str], mut feed: impl FnMut(&str)) {
    let web = Path::new(env!("CARGO_MANIFEST_DIR")).join("web");
    assert!(
        web.join("node_modules/playwright-core").is_dir(),
        "the page's test needs its tools: run `cd crates/console/web && npm ci`"
    );
    assert!(web.join("dist/index.html").is_file(), "the page is not built: run `scripts/build-web`");
    let mut browser = Command::new("node")
        .arg(web.join("test").join(script))
        .args(arguments)
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

/// What was decided about an alert, by whom and with which note.
fn verdict(console: &Running, id: AlertId) -> Option<(Decision, String, String)> {
    console.store.get(id, &Areas::Everywhere).unwrap().unwrap().verdict.map(|it| (it.decision, it.by, it.note))
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
    assert_eq!(verdict(&console, alert(0).id).unwrap().1, "operator 7");
    let looks = console.store.looks(alert(0).id).unwrap();
    assert!(looks.iter().any(|look| look.reason == "live watch"), "{looks:?}");
    assert_eq!(console.store.looks(view_of(&alert(7)).id).unwrap().len(), 1, "a look at a view is a look");
    console.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
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
        "named" => ["retention", "sink_police"].into_iter().for_each(|it| console.health.set(it, "degraded", "")),
        "well" => {
            ["bus", "retention", "sink_police"].into_iter().for_each(|it| console.health.set(it, "running", ""));
        }
        "broken store" => kept = Some(Kept::and_break(console.folder.path())),
        "store" => kept.take().unwrap().restore(),
        "silence" => console.health.silent(true),
        "word" => console.health.silent(false),
        other => panic!("{other}?"),
    })
    .await;
    console.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn following_the_newest_alert_ends_when_somebody_is_there() {
    let console = Running::start().await;
    let mut number = 0;
    play("following.mjs", &console, |wanted| match wanted {
        "next" => {
            console.raise(&alert(number));
            number += 1;
        }
        other => panic!("{other}?"),
    })
    .await;
    console.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_verdict_is_about_the_alert_that_was_read() {
    let console = Running::start().await;
    play("verdict.mjs", &console, |wanted| match wanted {
        "first" => console.raise(&alert(0)),
        "second" => console.raise(&alert(1)),
        "third" => console.raise(&alert(2)),
        "more" => (3..=7).for_each(|number| console.raise(&alert(number))),
        "late" => console.raise(&alert(8)),
        other => panic!("{other}?"),
    })
    .await;
    let of = |number| verdict(&console, alert(number).id).map(|(decision, _, note)| (decision, note));
    assert_eq!(of(0), None, "it was read, but no longer on screen");
    assert_eq!(of(1), Some((Decision::FalseAlarm, String::new())));
    assert_eq!(of(2), Some((Decision::FalseAlarm, "a cat".into())), "the later of two stays");
    assert_eq!(of(3), None, "its verdict was refused");
    assert_eq!(of(4), Some((Decision::FalseAlarm, String::new())));
    assert_eq!((5..=8).filter_map(of).count(), 1, "one, once its picture was there and it had been read");
    console.stop().await;
}

/// An alert of the other camera that turns out to lead the event of `alert`.
fn lead_of(alert: &Alert) -> Alert {
    let mut lead = Alert { id: AlertId(alert.id.0 | 1 << 33), ..view_of(alert) };
    lead.raised = Timestamp::from_micros(alert.raised.as_micros() - 400_000);
    lead.evidence.captured = lead.raised;
    lead
}

#[tokio::test(flavor = "multi_thread")]
async fn a_verdict_is_about_the_picture_that_is_shown() {
    let console = Running::start().await;
    let (first, second) = (alert(0), alert(1));
    play("views.mjs", &console, |wanted| match wanted {
        "event" => [&first, &view_of(&first)].into_iter().for_each(|it| console.raise(it)),
        "end" => console.raise(&ended(&first)),
        "alone" => console.raise(&second),
        "lead" => console.raise(&lead_of(&second)),
        other => panic!("{other}?"),
    })
    .await;
    let named = |decision, note: &str| Some((decision, "operator 7".to_owned(), note.to_owned()));
    assert_eq!(verdict(&console, first.id), None);
    assert_eq!(verdict(&console, view_of(&first).id), named(Decision::Confirmed, "half a note"));
    assert_eq!(verdict(&console, second.id), named(Decision::FalseAlarm, "still the same"));
    assert_eq!(verdict(&console, lead_of(&second).id), None);
    console.stop().await;
}

/// An alert of a kind that this version does not have.
fn of_kind(number: u32, kind: &str) -> Alert {
    let mut alert = Alert { kind: RuleKind::named(kind), ..alert(number) };
    alert.measured.quantity = Quantity::named("clubs");
    alert
}

#[tokio::test(flavor = "multi_thread")]
async fn kinds_are_called_what_the_server_calls_them() {
    let console = Running::start().await;
    play("kinds.mjs", &console, |wanted| match wanted {
        "alerts" => {
            (0..=3).for_each(|number| console.raise(&alert(number)));
            console.raise(&of_kind(4, "brawl"));
            console.raise(&of_kind(5, "juggling"));
        }
        other => panic!("{other}?"),
    })
    .await;
    assert_eq!(verdict(&console, alert(5).id).unwrap().1, "operator 7");
    console.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_clip_of_an_alert_plays_beneath_its_picture() {
    let console = Running::start().await;
    play("clip.mjs", &console, |wanted| match wanted {
        "alert" => console.raise(&alert(0)),
        "clip" => {
            console.store.put_clip(alert(0).id, &film()).unwrap();
            console.changed.notify_one();
        }
        "other" => {
            console.raise(&alert(1));
            console.store.put_no_clip(alert(1).id, NoClip::Undecodable).unwrap();
            console.changed.notify_one();
        }
        other => panic!("{other}?"),
    })
    .await;
    let looks = console.store.looks(alert(0).id).unwrap();
    assert!(looks.iter().any(|look| look.what == "clip, people pixelated"), "{looks:?}");
    console.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_rebound_to_this_machine_reads_nothing_and_decides_nothing() {
    let console = Running::start().await;
    console.raise(&alert(0));
    let id = alert(0).id.to_string();
    play_with("rebinding.mjs", &[&console.url, ADDRESS, &id], |wanted| panic!("{wanted}?")).await;
    assert_eq!(verdict(&console, alert(0).id), None);
    let looks = console.store.looks(alert(0).id).unwrap();
    assert!(looks.iter().all(|look| look.who != "operator 7"), "{looks:?}");
    console.stop().await;
}

/// The alert that a camera is away.
fn offline(number: u32, reason: SignalLossReason) -> Alert {
    Alert { kind: RuleKind::named("offline"), objects: Vec::new(), signal_loss: Some(reason), ..alert(number) }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_camera_without_signal_says_why_and_a_calibration_what_it_is_worth() {
    let console = Running::start().await;
    let lose = |reason: SignalLossReason| {
        let mut cameras = console.cameras.lock().unwrap();
        let loss = CameraSignalLoss { since: "2026-03-01T08:00:00.000000Z".into(), loss: reason.into() };
        cameras[0].signal_loss = Some(loss);
    };
    play("cameras.mjs", &console, |wanted| match wanted {
        "loss" => lose(SignalLossReason::NoData),
        "other reason" => lose(SignalLossReason::Unauthorized),
        "alert" => console.raise(&offline(0, SignalLossReason::Unauthorized)),
        "calibrations" => {
            let good = CalibrationReport {
                residuals_m: vec![0.1, 0.4, 0.2, 0.1, 0.3],
                odd_point: None,
                ground_share: 0.9,
                mostly_above_horizon: false,
            };
            let mut cameras = console.cameras.lock().unwrap();
            let odd = CalibrationReport { odd_point: Some(3), mostly_above_horizon: true, ..good.clone() };
            cameras[0].calibration = Some(good);
            cameras[1].calibration = Some(odd);
        }
        "all" => {
            let mut cameras = console.cameras.lock().unwrap();
            let lost = cameras[0].clone();
            cameras.extend((3..63).map(|number| {
                let id = format!("gate-{number}");
                vedette_console::CameraSummary { id, ..lost.clone() }
            }));
        }
        "back" => console.cameras.lock().unwrap().iter_mut().for_each(|camera| camera.signal_loss = None),
        other => panic!("{other}?"),
    })
    .await;
    console.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_logs_in_and_works_under_the_account() {
    let console = Running::start().await;
    add_account(&console.store, "root", &["administrator"]);
    add_account(&console.store, "anna", &["operator", "evidence"]);
    play("login.mjs", &console, |wanted| match wanted {
        "first" => console.raise(&alert(0)),
        "end of the session" => assert_eq!(console.store.end_sessions_of(&name("anna"), None).unwrap(), 1),
        other => panic!("{other}"),
    })
    .await;
    assert_eq!(verdict(&console, alert(0).id).unwrap().1, "anna");
    console.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_administrator_keeps_accounts_sessions_and_tokens() {
    let console = Running::start().await;
    add_account(&console.store, "root", &["administrator"]);
    add_account(&console.store, "anna", &["operator"]);
    play("accounts.mjs", &console, |wanted| match wanted {
        "first" => console.raise(&alert(0)),
        "end of the session" => assert!(console.store.end_sessions_of(&name("anna"), None).unwrap() > 0),
        other => panic!("{other}"),
    })
    .await;
    let accounts = console.store.accounts().unwrap();
    let left: Vec<String> = accounts.iter().map(|it| format!("{}: {}", it.name, it.grants)).collect();
    assert_eq!(left, ["anna: administrator", "root: viewer"]);
    assert!(console.store.tokens().unwrap().is_empty());
    console.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_first_account_is_made_on_the_page() {
    let console = Running::start().await;
    play("first-account.mjs", &console, |wanted| panic!("{wanted}?")).await;
    assert_eq!(console.store.accounts().unwrap().len(), 1);
    console.stop().await;
}
