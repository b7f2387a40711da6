//! The dashboard's files: what a browser is told it may do with them.

use fanfare::server::Dev;

use crate::fixture::{Server, get, serve};

async fn development() -> Server {
    serve(|config| config.dev = Some(Dev::new("a token that the page must not hold"))).await
}

/// What `text` refers to by `name="…"`.
fn referred<'a>(text: &'a str, name: &str) -> Vec<&'a str> {
    let mark = format!(" {name}=\"");
    let after = text.split(mark.as_str()).skip(1);
    after.map(|rest| rest.split('"').next().unwrap()).collect()
}

#[tokio::test]
async fn page_and_its_files_are_served_under_a_strict_policy() {
    let server = development().await;
    let page = server.get("/").await;
    assert_eq!(page.status, 200);
    assert_eq!(page.field("content-type"), Some("text/html; charset=utf-8"));
    let mut files = vec!["/".to_owned()];
    let links = [referred(&page.body, "src"), referred(&page.body, "href")].concat();
    let strange = links.iter().find(|it| !it.starts_with(['#', 'd']));
    assert_eq!(strange, None, "not one of the page's own files");
    files.extend(
        links
            .iter()
            .filter(|it| it.starts_with("dashboard/"))
            .map(|it| format!("/{it}")),
    );
    assert!(files.len() >= 4, "{files:?}");
    // Modules name each other.
    let mut seen = 0;
    while let Some(file) = files.get(seen).cloned() {
        seen += 1;
        let answer = server.get(&file).await;
        assert_eq!(answer.status, 200, "{file}");
        let policy = answer.field("content-security-policy").unwrap();
        assert_eq!(
            policy,
            "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; \
             img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
        );
        assert_eq!(answer.field("x-content-type-options"), Some("nosniff"));
        assert_eq!(answer.field("referrer-policy"), Some("no-referrer"));
        assert!(!answer.body.contains("must not hold"), "{file}");
        for part in answer.body.split(" from \"./").skip(1) {
            let name = format!("/dashboard/{}", part.split('"').next().unwrap());
            if !files.contains(&name) {
                files.push(name);
            }
        }
    }
    assert!(seen > 10, "{files:?}");
}

#[tokio::test]
async fn page_has_nothing_that_its_policy_forbids() {
    let page = development().await.get("/").await.body;
    assert!(!page.contains("<style") && referred(&page, "style").is_empty());
    for script in page.split("<script").skip(1) {
        let body = script.split_once('>').unwrap().1;
        assert!(body.starts_with("</script>"), "{script}");
    }
    for listener in ["onclick", "onload", "onerror", "onsubmit", "javascript:"] {
        assert!(!page.contains(listener), "{listener}");
    }
}

#[tokio::test]
async fn file_that_a_browser_has_is_not_sent_again() {
    let server = development().await;
    let first = server.get("/dashboard/dashboard.js").await;
    let tag = first.field("etag").unwrap();
    let again = format!("If-None-Match: {tag}\r\n");
    let again = server.ask(get("/dashboard/dashboard.js", &again)).await;
    assert_eq!((again.status, again.body.as_str()), (304, ""));
    let other = format!("If-None-Match: {tag}\r\n");
    assert_eq!(
        server.ask(get("/dashboard/hub.js", &other)).await.status,
        200
    );
}

#[tokio::test]
async fn page_is_there_in_development_or_behind_an_admin_token() {
    let server = serve(|config| config.admin_token = Some("secret".parse().unwrap())).await;
    assert_eq!(server.get("/").await.status, 200);
    let server = serve(|_| {}).await;
    for file in ["/", "/dashboard/dashboard.js"] {
        assert_eq!(server.get(file).await.status, 404, "{file}");
    }
}
