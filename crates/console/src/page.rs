use std::borrow::Cow;
use std::fmt::Write;

use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use rust_embed::RustEmbed;

use crate::api_rule::ApiRule;
use crate::base_path::BasePath;
use crate::path_text::PathText;
use crate::problem::{Problem, ProblemKind};

#[derive(RustEmbed)]
#[folder = "web/dist"]
#[allow_missing = true]
struct Files;

/// Embedded in place of a page that was not built; `build.rs` warns about it.
const PLACEHOLDER: &str = include_str!("../web/placeholder.html");

/// `/`, for a console below `base`: the page's relative addresses become those of `base`, so that it is whole under an address
/// without a final slash too.
pub(crate) fn index(headers: &HeaderMap, base: &BasePath) -> Response {
    let Some(file) = Files::get("index.html") else {
        return axum::response::Html(PLACEHOLDER).into_response();
    };
    let digest = file.metadata.sha256_hash();
    let content = match std::str::from_utf8(&file.data) {
        Ok(text) if *base != BasePath::ROOT => rebased(text, base).into_bytes().into(),
        _ => file.data,
    };
    serve("index.html", content, &tag(&digest, base), headers)
}

fn rebased(page: &str, base: &BasePath) -> String {
    page.replace("\"./", &format!("\"{}", base.join("/")))
}

/// `/assets/{*path}`
pub(crate) async fn asset(PathText(path): PathText, headers: HeaderMap) -> Response {
    let path = format!("assets/{path}");
    match Files::get(&path) {
        Some(file) => serve(&path, file.data, &tag(&file.metadata.sha256_hash(), &BasePath::ROOT), &headers),
        None => Problem::new(ProblemKind::NOT_FOUND, ApiRule::NoPage { path }).into_response(),
    }
}

/// Leads from the base path without its final slash to the page.
pub(crate) fn to_slash(base: &BasePath) -> Response {
    axum::response::Redirect::permanent(&base.join("/")).into_response()
}

/// The entity tag of a file, as served below `base`.
fn tag(digest: &[u8; 32], base: &BasePath) -> String {
    let mut tag = String::from("\"");
    for byte in &digest[..16] {
        let _ = write!(tag, "{byte:02x}");
    }
    let _ = write!(tag, "{base}\"");
    tag
}

fn serve(path: &str, content: Cow<'static, [u8]>, tag: &str, headers: &HeaderMap) -> Response {
    let known = headers.get(header::IF_NONE_MATCH).is_some_and(|known| known.as_bytes() == tag.as_bytes());
    let mut response = if known {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        ([(header::CONTENT_TYPE, media_type(path))], content).into_response()
    };
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    if let Ok(tag) = HeaderValue::from_str(tag) {
        headers.insert(header::ETAG, tag);
    }
    response
}

fn media_type(path: &str) -> &'static str {
    match path.rsplit_once('.').map(|(_, extension)| extension) {
        Some("html") => "text/html; charset=utf-8",
        Some("js") => "text/javascript; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        Some("svg") => "image/svg+xml",
        Some("png") => "image/png",
        Some("txt") => "text/plain; charset=utf-8",
        Some("map" | "json") => "application/json",
        _ => "application/octet-stream",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn text(response: Response) -> String {
        assert_eq!(response.status(), StatusCode::OK);
        assert_eq!(response.headers()[header::CONTENT_TYPE], "text/html; charset=utf-8");
        String::from_utf8(axum::body::to_bytes(response.into_body(), 1 << 20).await.unwrap().into()).unwrap()
    }

    #[tokio::test]
    async fn there_is_a_page_whatever_was_built() {
        let page = text(index(&HeaderMap::new(), &BasePath::ROOT)).await;
        assert_eq!(page == PLACEHOLDER, Files::get("index.html").is_none());
    }

    #[test]
    fn the_page_asks_below_its_base_path() {
        const PAGE: &str = include_str!("../web/src/index.html");
        let loaded = PAGE.matches("=\"./assets/").count();
        assert!(loaded >= 4 && !PAGE.contains("=\"/"), "the page's addresses are relative to its folder");
        let page = rebased(PAGE, &"/vedette".parse().unwrap());
        assert_eq!(page.matches("=\"/vedette/assets/").count(), loaded);
    }
}
