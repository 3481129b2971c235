use futures::StreamExt;
use serde_json::{Value, json};
use vedette_console::{ConsoleSettings, Limits};

use crate::support::{Running, alert, ended, settings, view_of};

/// A reader of server-sent events.
pub(crate) struct Events {
    response: std::pin::Pin<Box<dyn futures::Stream<Item = reqwest::Result<bytes::Bytes>> + Send>>,
    text: String,
}

#[derive(Debug, PartialEq)]
pub(crate) struct Event {
    pub(crate) name: String,
    pub(crate) id: Option<u64>,
    pub(crate) data: Value,
}

impl Events {
    async fn open(console: &Running, last: Option<u64>) -> Self {
        Self::at(&console.url, last).await
    }

    /// The stream of the console at `url`, which may be a proxy's.
    pub(crate) async fn at(url: &str, last: Option<u64>) -> Self {
        let mut request = reqwest::Client::new().get(format!("{url}/api/v1/alerts/stream"));
        if let Some(last) = last {
            request = request.header("last-event-id", last.to_string());
        }
        let response = request.send().await.unwrap();
        assert_eq!(response.status(), 200);
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        Self { response: response.bytes_stream().boxed(), text: String::new() }
    }

    /// The next event; none at the end.
    async fn next(&mut self) -> Option<Event> {
        loop {
            while let Some((block, rest)) = self.text.split_once("\n\n").map(|(a, b)| (a.to_owned(), b.to_owned())) {
                self.text = rest;
                let field = |name: &str| block.lines().find_map(|line| line.strip_prefix(name).map(str::trim));
                if let Some(name) = field("event:") {
                    let id = field("id:").map(|id| id.parse().unwrap());
                    let data = serde_json::from_str(field("data:").unwrap()).unwrap();
                    return Some(Event { name: name.to_owned(), id, data });
                }
            }
            let more = self.response.next().await?.ok()?;
            self.text.push_str(std::str::from_utf8(&more).unwrap());
        }
    }

    pub(crate) async fn expect(&mut self, name: &str) -> Event {
        let event = self.next().await.unwrap();
        assert_eq!(event.name, name, "{event:?}");
        event
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_alert_comes_when_raised_when_judged_and_when_ended() {
    let console = Running::start().await;
    let mut events = Events::open(&console, None).await;
    assert_eq!(events.expect("ready").await.id, Some(0));
    console.raise(&alert(0));
    let raised = events.expect("alert").await;
    assert_eq!((&raised.data["id"], &raised.data["status"]), (&json!(alert(0).id), &json!("open")));
    let url = format!("{}/api/v1/alerts/{}/verdict", console.url, alert(0).id);
    let verdict = json!({ "verdict": "confirmed", "by": "operator 7" });
    assert_eq!(reqwest::Client::new().post(url).json(&verdict).send().await.unwrap().status(), 200);
    assert_eq!(events.expect("alert").await.data["verdict"]["by"], "operator 7");
    console.raise(&ended(&alert(0)));
    let over = events.expect("alert").await;
    assert_eq!((&over.data["revision"], &over.data["verdict"]["verdict"]), (&json!(2), &json!("confirmed")));
    assert!(over.id > raised.id);
    console.stop().await;
    assert!(events.next().await.is_none(), "the stream ends when the server stops");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_tells_when_an_alert_becomes_a_view_of_another() {
    let console = Running::start().await;
    let mut events = Events::open(&console, None).await;
    events.expect("ready").await;
    let (lead, view) = (alert(0), view_of(&alert(0)));
    console.raise(&view);
    let entry = events.expect("alert").await.data;
    assert_eq!((&entry["id"], &entry["view_of"]), (&json!(view.id), &Value::Null));
    console.raise(&lead);
    let told = [events.expect("alert").await.data, events.expect("alert").await.data];
    assert_eq!((&told[0]["id"], &told[0]["views"][0]["id"]), (&json!(lead.id), &json!(view.id)));
    assert_eq!((&told[1]["id"], &told[1]["view_of"]), (&json!(view.id), &json!(lead.id)));
    console.raise(&ended(&view));
    let told = [events.expect("alert").await.data, events.expect("alert").await.data];
    assert_eq!((&told[0]["id"], &told[0]["status"]), (&json!(view.id), &json!("ended")));
    assert_eq!((&told[1]["id"], &told[1]["views"][0]["status"]), (&json!(lead.id), &json!("ended")));
    console.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reconnecting_client_gets_what_it_missed_and_nothing_twice() {
    let console = Running::start().await;
    console.raise(&alert(0));
    let seen = console.store.last_change().unwrap();
    console.raise(&alert(1));
    console.raise(&alert(2));
    let mut events = Events::open(&console, Some(seen)).await;
    events.expect("ready").await;
    console.raise(&alert(3));
    for number in 1..=3 {
        assert_eq!(events.expect("alert").await.data["id"], json!(alert(number).id));
    }
    console.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_was_too_long_away_is_told_so() {
    let console = Running::with(ConsoleSettings { resume_limit: 2, ..settings() }, true).await;
    for number in 0..5 {
        console.raise(&alert(number));
    }
    for (last, skipped) in [(1, 4), (77, 5)] {
        let mut events = Events::open(&console, Some(last)).await;
        assert_eq!(events.expect("ready").await.id, Some(5));
        assert_eq!(events.expect("lagged").await.data, json!({ "skipped": skipped }));
    }
    let odd = reqwest::Client::new().get(format!("{}/api/v1/alerts/stream", console.url));
    let odd = odd.header("last-event-id", "yesterday").send().await.unwrap();
    assert_eq!(odd.status(), 400);
    console.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_client_loses_the_oldest_and_is_told_how_many() {
    let console = Running::with(ConsoleSettings { stream_buffer: 4, ..settings() }, true).await;
    let mut slow = Events::open(&console, None).await;
    slow.expect("ready").await;
    // More than the buffers of a connection that is not read hold: several megabytes.
    for number in 0..300 {
        let mut alert = alert(number);
        alert.rule_name = "x".repeat(60_000);
        console.raise(&alert);
    }
    let (mut got, mut skipped) = (0, 0);
    loop {
        let event = slow.next().await.unwrap();
        match event.name.as_str() {
            "lagged" => skipped += event.data["skipped"].as_u64().unwrap(),
            _ => got += 1,
        }
        if event.id == Some(300) {
            break;
        }
    }
    assert!(skipped > 0, "nothing was skipped");
    assert_eq!(got + skipped, 300, "every change was sent or counted");
    console.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_stream_too_many_is_refused() {
    let console =
        Running::with(ConsoleSettings { limits: Limits { streams: 1, ..Limits::DEFAULT }, ..settings() }, true).await;
    let mut first = Events::open(&console, None).await;
    first.expect("ready").await;
    let second = console.get("/api/v1/alerts/stream").await;
    assert_eq!(second.status(), 503);
    assert!(second.headers().contains_key("retry-after"));
    console.stop().await;
}
