use http::Request;
use http::request::Parts;

use super::Site;
use crate::error::Refusal;
use crate::server::Config;

fn at(host: &str) -> Parts {
    let request = Request::builder().uri("/.well-known/mercure?match=a");
    request
        .header("host", host)
        .body(())
        .unwrap()
        .into_parts()
        .0
}

#[test]
fn d1_a4_resource_is_the_url_that_the_client_wrote() {
    let site = Site::of(&Config::default(), &at("Hub.Example:8080")).unwrap();
    assert_eq!(site.resource, "http://hub.example:8080/.well-known/mercure");
    assert_eq!(
        site.metadata_url(),
        "http://hub.example:8080/.well-known/oauth-protected-resource/.well-known/mercure"
    );
}

#[test]
fn d1_a4_pinned_resource_is_also_the_base() {
    let config = Config {
        resource_identifier: Some("https://hub.example/.well-known/mercure".to_owned()),
        ..Config::default()
    };
    let site = Site::of(&config, &at("evil.example")).unwrap();
    assert_eq!(site.resource, "https://hub.example/.well-known/mercure");
    assert_eq!(
        site.hub_url.as_str(),
        "https://hub.example/.well-known/mercure"
    );
}

#[test]
fn d1_e8_only_public_urls_are_served() {
    let config = Config {
        public_urls: vec!["https://hub.example".parse().unwrap()],
        ..Config::default()
    };
    for host in ["hub.example", "HUB.example", "hub.example:443"] {
        let site = Site::of(&config, &at(host)).unwrap();
        assert_eq!(
            site.hub_url.as_str(),
            "https://hub.example/.well-known/mercure"
        );
    }
    for host in ["other.example", "hub.example:80", "hub.example.evil"] {
        assert_eq!(
            Site::of(&config, &at(host)),
            Err(Refusal::Misdirected),
            "{host}"
        );
    }
}

#[test]
fn d1_g4_hub_path_is_followed() {
    let config = Config {
        hub_path: "/hub".to_owned(),
        ..Config::default()
    };
    let site = Site::of(&config, &at("h")).unwrap();
    assert_eq!(site.resource, "http://h/hub");
    assert_eq!(
        site.metadata_url(),
        "http://h/.well-known/oauth-protected-resource/hub"
    );
}

#[test]
fn host_that_is_none_is_the_requests_fault() {
    for host in ["", "[", "a b", "a/b\\c:x"] {
        assert_eq!(
            Site::of(&Config::default(), &at(host)),
            Err(Refusal::Host),
            "{host}"
        );
    }
}
