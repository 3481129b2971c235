//! Who is served: the names under which the console may be opened, the sites whose pages may ask, the methods, the paths.

use serde_json::json;
use vedette_access::Areas;
use vedette_console::ConsoleSettings;

use crate::access::{add_account, add_token};
use crate::support::{Running, alert, settings};
use crate::wire::{ask, connect, exchange};

const FRAMES: &str = "GET /healthz HTTP/1.1";

#[tokio::test(flavor = "multi_thread")]
async fn the_console_answers_to_its_own_names_only() {
    let hosts = vec!["vedette.example".parse().unwrap(), "desk.example:8443".parse().unwrap()];
    let console = Running::with(ConsoleSettings { hosts, ..settings() }, true).await;
    for (host, status, code) in [
        ("localhost", 200, ""),
        ("LOCALHOST:18080", 200, ""),
        ("localhost.", 200, ""),
        ("[::1]:8080", 200, ""),
        ("[::ffff:127.0.0.1]", 200, ""),
        ("127.0.0.1:8080", 200, ""),
        ("Vedette.Example:8080", 200, ""),
        ("desk.example:8443", 200, ""),
        ("desk.example", 421, "host.unknown"),
        ("attacker.example", 421, "host.unknown"),
        ("127.0.0.1.nip.io", 421, "host.unknown"),
        ("localhost.attacker.example", 421, "host.unknown"),
        ("0.0.0.0", 421, "host.unknown"),
        ("2130706433", 421, "host.unknown"),
        ("127.1", 421, "host.unknown"),
        ("0x7f.1", 421, "host.unknown"),
        ("[::]", 421, "host.unknown"),
        ("[::ffff:192.0.2.1]", 421, "host.unknown"),
        ("192.0.2.1", 421, "host.unknown"),
        ("", 400, "host.malformed"),
        ("localhost..", 400, "host.malformed"),
        ("operator@localhost", 400, "host.malformed"),
        ("localhost:8080@attacker.example", 400, "host.malformed"),
        ("localhost, attacker.example", 400, "host.malformed"),
        ("[fe80::1%25lo]", 400, "host.malformed"),
        ("::1", 400, "host.malformed"),
    ] {
        let answer = ask(&console, &format!("{FRAMES}\r\nHost: {host}"), "").await;
        assert_eq!(answer.status, status, "{host}: {answer:?}");
        assert!(answer.head.contains("content-security-policy"), "{answer:?}");
        if status != 200 {
            assert_eq!(answer.problem()["code"], code, "{host}");
        }
    }
    for (head, status) in [
        (FRAMES.to_owned(), 400),
        (format!("{FRAMES}\r\nHost: localhost\r\nHost: localhost"), 400),
        (format!("{FRAMES}\r\nHost: localhost\r\nHost: attacker.example"), 400),
        ("GET /healthz HTTP/1.0".to_owned(), 200),
        ("GET /healthz HTTP/1.0\r\nHost: attacker.example".to_owned(), 421),
        ("GET http://localhost/healthz HTTP/1.1\r\nHost: localhost".to_owned(), 200),
        ("GET http://attacker.example/healthz HTTP/1.1\r\nHost: localhost".to_owned(), 421),
        ("GET http://localhost/healthz HTTP/1.1\r\nHost: attacker.example".to_owned(), 421),
        ("GET http://operator@localhost/healthz HTTP/1.1\r\nHost: localhost".to_owned(), 400),
        ("GET /nowhere HTTP/1.1\r\nHost: attacker.example".to_owned(), 421),
        ("GET / HTTP/1.1\r\nHost: attacker.example".to_owned(), 421),
        ("OPTIONS /api/v1/frames HTTP/1.1\r\nHost: attacker.example".to_owned(), 421),
    ] {
        let answer = ask(&console, &head, "").await;
        assert_eq!(answer.status, status, "{head}: {answer:?}");
        if status != 200 {
            answer.problem();
        }
    }
    console.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_of_another_site_gives_no_verdict_and_reads_nothing() {
    let hosts = vec!["vedette.example".parse().unwrap()];
    let console = Running::with(ConsoleSettings { hosts, ..settings() }, true).await;
    console.raise(&alert(0));
    let body = json!({ "verdict": "false_alarm", "by": "operator 7" }).to_string();
    let verdict = format!(
        "POST /api/v1/alerts/{}/verdict HTTP/1.1\r\nHost: 127.0.0.1:8080\r\nContent-Type: application/json\r\n\
         Content-Length: {}",
        alert(0).id,
        body.len()
    );
    for headers in [
        "Origin: http://attacker.example",
        "Origin: null",
        "Origin: http://127.0.0.1:3000",
        "Origin: http://localhost:8080",
        "Origin: http://127.0.0.1:8080.attacker.example",
        "Origin: http://127.0.0.1:8080\r\nSec-Fetch-Site: cross-site",
        "Origin: http://attacker.example\r\nSec-Fetch-Site: same-origin",
        "Origin: https://vedette.example:8443",
        "Sec-Fetch-Site: cross-site",
        "Sec-Fetch-Site: same-site",
        "Sec-Fetch-Site: cross-site\r\nSec-Fetch-Mode: navigate",
    ] {
        let answer = ask(&console, &format!("{verdict}\r\n{headers}"), &body).await;
        assert_eq!((answer.status, answer.problem()["code"].as_str()), (403, Some("cross-site.refused")), "{headers}");
        assert_eq!(console.store.get(alert(0).id, &Areas::Everywhere).unwrap().unwrap().verdict, None, "{headers}");
    }
    for headers in [
        "X-Own: none of these",
        "Origin: http://127.0.0.1:8080",
        "Origin: http://127.0.0.1:8080\r\nSec-Fetch-Site: same-origin\r\nSec-Fetch-Mode: cors",
        "Origin: https://vedette.example",
        "Sec-Fetch-Site: none",
    ] {
        assert_eq!(ask(&console, &format!("{verdict}\r\n{headers}"), &body).await.status, 200, "{headers}");
    }
    let list = "GET /api/v1/alerts HTTP/1.1\r\nHost: 127.0.0.1:8080";
    for (headers, status) in [
        ("Sec-Fetch-Site: cross-site\r\nSec-Fetch-Mode: no-cors", 403),
        ("Sec-Fetch-Site: same-site\r\nSec-Fetch-Mode: cors", 403),
        ("Sec-Fetch-Site: cross-site\r\nSec-Fetch-Mode: navigate", 200),
        ("Sec-Fetch-Site: same-origin\r\nSec-Fetch-Mode: cors", 200),
    ] {
        assert_eq!(ask(&console, &format!("{list}\r\n{headers}"), "").await.status, status, "{headers}");
    }
    console.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn options_and_wrong_methods_name_the_right_ones() {
    let console = Running::start().await;
    let verdict = format!("/api/v1/alerts/{}/verdict", alert(0).id);
    for (line, status, allowed) in [
        ("OPTIONS /api/v1/alerts", 204, "get,head,options"),
        (&*format!("OPTIONS {verdict}"), 204, "post,options"),
        ("OPTIONS /", 204, "get,head,options"),
        ("OPTIONS *", 204, "get,head,post,delete,options"),
        ("POST /api/v1/alerts", 405, "get,head,options"),
        ("TRACE /api/v1/alerts", 405, "get,head,options"),
        (&*format!("DELETE {verdict}"), 405, "post,options"),
    ] {
        let answer = ask(&console, &format!("{line} HTTP/1.1\r\nHost: localhost"), "").await;
        assert_eq!(answer.status, status, "{line}: {answer:?}");
        assert!(answer.head.contains(&format!("\r\nallow: {allowed}")), "{line}: {answer:?}");
        assert!(!answer.head.contains("access-control"), "{line}: {answer:?}");
        if status == 405 {
            answer.problem();
        }
    }
    let nowhere = ask(&console, "OPTIONS /nowhere HTTP/1.1\r\nHost: localhost", "").await;
    assert_eq!((nowhere.status, nowhere.problem()["code"].as_str()), (404, Some("not-found.path")));
    console.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_path_that_is_not_utf8_is_a_problem() {
    let console = Running::start().await;
    for line in [
        "GET /api/v1/alerts/%ff",
        "GET /api/v1/alerts/%ff/looks",
        "GET /api/v1/alerts/%ff/snapshot",
        "GET /api/v1/addresses/%c3%28",
        "GET /assets/%ff",
    ] {
        let answer = ask(&console, &format!("{line} HTTP/1.1\r\nHost: localhost"), "").await;
        assert_eq!((answer.status, answer.problem()["code"].as_str()), (400, Some("path.encoding")), "{line}");
    }
    console.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_console_below_a_path_is_whole_with_and_without_it() {
    let base_path = "/vedette".parse().unwrap();
    let console = Running::with(ConsoleSettings { base_path, ..settings() }, true).await;
    console.raise(&alert(0));
    let snapshot = format!("/vedette/api/v1/alerts/{}/snapshot", alert(0).id);
    for prefix in ["", "/vedette"] {
        let page = console.get(&format!("{prefix}/")).await.text().await.unwrap();
        let script = page.split("script type=\"module\" src=\"").nth(1).unwrap().split('"').next().unwrap();
        assert_eq!(script, "/vedette/assets/app.js");
        let list = console.json(&format!("{prefix}/api/v1/alerts?limit=1")).await;
        assert_eq!(list["alerts"][0]["evidence"]["snapshot"], snapshot);
        let one = console.json(&format!("{prefix}/api/v1/alerts/{}", alert(0).id)).await;
        assert_eq!(one["evidence"]["snapshot"], snapshot);
        let description = console.json(&format!("{prefix}/api/v1/openapi.json")).await;
        assert_eq!(description["servers"], json!([{ "url": "/vedette" }]));
        assert_eq!(console.get(&format!("{prefix}/healthz")).await.status(), 200);
    }
    assert_eq!(console.get(&snapshot).await.status(), 200);
    let mut events = crate::stream::Events::at(&format!("{}/vedette", console.url), None).await;
    events.expect("ready").await;
    console.raise(&alert(1));
    let path = format!("/vedette/api/v1/alerts/{}/snapshot", alert(1).id);
    assert_eq!(events.expect("alert").await.data["evidence"]["snapshot"], path);
    drop(events);
    for (path, status) in [("/vedettes/healthz", 404), ("/vedette/vedette/healthz", 404), ("/vedette/nowhere", 404)] {
        assert_eq!(console.get(path).await.status(), status, "{path}");
    }
    let answer = ask(&console, "GET /vedette HTTP/1.1\r\nHost: localhost", "").await;
    assert_eq!(answer.status, 308);
    assert!(answer.head.contains("\r\nlocation: /vedette/\r\n"), "{answer:?}");
    assert_eq!(ask(&console, "GET /vedette HTTP/1.1\r\nHost: attacker.example", "").await.status, 421);
    console.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_look_names_the_client_behind_a_trusted_proxy() {
    let trusted_proxies = vec!["127.0.0.2".parse().unwrap()];
    let console = Running::with(ConsoleSettings { trusted_proxies, ..settings() }, true).await;
    console.raise(&alert(0));
    add_account(&console.store, "root", &["administrator"]);
    let token = add_token(&console.store, "evidence", &["evidence"]);
    let path = format!("/api/v1/alerts/{}/snapshot", alert(0).id);
    for (from, header, peer) in [
        ([127, 0, 0, 2], "X-Forwarded-For: 203.0.113.9, 198.51.100.4", "198.51.100.4"),
        ([127, 0, 0, 2], "Forwarded: for=\"[2001:db8::4]:4711\";proto=https", "2001:db8::4"),
        ([127, 0, 0, 2], "X-Forwarded-For: 198.51.100.4\r\nForwarded: for=203.0.113.9", "127.0.0.2"),
        ([127, 0, 0, 1], "X-Forwarded-For: 198.51.100.4", "127.0.0.1"),
    ] {
        let by = format!("Authorization: Bearer {token}");
        let request =
            format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{by}\r\n{header}\r\n\r\n");
        let answer = exchange(&mut connect(&console, from).await, request.as_bytes()).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        assert_eq!(console.store.looks(alert(0).id).unwrap()[0].peer, peer, "{header}");
    }
    // A page rebound to the proxy's address is told by the name that the proxy passes on.
    let request = "GET /api/v1/alerts HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nX-Forwarded-Host: attacker.example\r\n\r\n";
    let answer = exchange(&mut connect(&console, [127, 0, 0, 2]).await, request.as_bytes()).await;
    assert_eq!((answer.status, answer.problem()["code"].as_str()), (421, Some("host.unknown")));
    console.stop().await;
}
