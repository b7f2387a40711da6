use super::{BadForm, Form};

#[test]
fn pairs_are_decoded_in_order() {
    let form = Form::from_body(b"topic=a%2Fb&topic=c+d&x&&data=%C3%A9=1").unwrap();
    assert_eq!(form.all("topic"), Ok(vec!["a/b", "c d"]));
    assert_eq!(form.first("data"), Ok(Some("é=1")));
    assert_eq!(form.first("x"), Ok(None));
    assert!(form.has("x"));
    assert!(!form.has("y"));
}

#[test]
fn d0_s4_broken_pairs_of_a_query_are_dropped() {
    let form = Form::from_query("topic=%zz&topic=a;b&topic=%4&topic=ok&topic=%");
    assert_eq!(form.all("topic"), Ok(vec!["ok"]));
}

#[test]
fn d0_p12_broken_bodies_are_refused() {
    for (body, error) in [
        (&b"topic=a;b"[..], BadForm::Semicolon),
        (b"topic=%zz", BadForm::Percent),
        (b"topic=a%", BadForm::Percent),
        (b"%4=a", BadForm::Percent),
    ] {
        assert_eq!(Form::from_body(body), Err(error));
    }
}

#[test]
fn bad_utf_8_matters_only_where_it_is_read() {
    let form = Form::from_body(b"other=%FF&data=%ff&topic=a").unwrap();
    assert_eq!(form.all("topic"), Ok(vec!["a"]));
    assert_eq!(form.first("data"), Err(BadForm::NotUtf8 { name: "data" }));
}
