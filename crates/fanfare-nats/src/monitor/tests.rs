use super::judge;

#[test]
fn na_08_only_a_page_that_says_so_is_proof() {
    let page = |config: &str| format!("{{\n \"jetstream\": {{ \"config\": {{ {config} }} }}\n}}");
    assert_eq!(
        judge(&page("\"sync_interval\": 1, \"sync_always\": true")),
        Ok(())
    );
    let interval = judge(&page("\"sync_interval\": 120000000000"));
    assert_eq!(interval, Err("does not have `sync_interval: always`"));
    let silent = judge(&page("\"max_memory\": 1"));
    assert_eq!(
        silent,
        Err("does not say how it syncs; NATS shows it from 2.10 on")
    );
    assert!(judge("HTTP/1.0 404 Not Found").is_err());
}
