use std::time::{Duration, SystemTime};

use super::{InvalidCertificate, OldestVersion, SelfSigned, Tls, TlsError};

const DAY: Duration = Duration::from_secs(86_400);

fn at(days: u32) -> SystemTime {
    SystemTime::UNIX_EPOCH + days * DAY
}

fn tls(made: &SelfSigned) -> Tls {
    Tls::from_pem(&made.certificate, &made.key, OldestVersion::Tls12).unwrap()
}

#[test]
fn the_time_of_a_certificate_is_told() {
    let tls = tls(&SelfSigned::new(at(1000)).unwrap());
    assert_eq!(tls.ends_at(), at(1365));
    for (now, complaint) in [
        (at(998), Some("is not valid before")),
        (at(999), None),
        (at(1364), None),
        (at(1365), Some("ended on")),
    ] {
        let told = tls.complaint(now);
        assert_eq!(told.is_some(), complaint.is_some(), "{told:?}");
        assert!(
            told.unwrap_or_default()
                .contains(complaint.unwrap_or_default())
        );
    }
}

#[test]
fn a_key_that_is_another_certificates_is_refused() {
    let (one, other) = (SelfSigned::new(at(1)), SelfSigned::new(at(1)));
    let (one, other) = (one.unwrap(), other.unwrap());
    let mixed = Tls::from_pem(&one.certificate, &other.key, OldestVersion::Tls12);
    let found = mixed.unwrap_err();
    assert!(matches!(
        found,
        TlsError::Text(InvalidCertificate::OtherKey)
    ));
}

#[test]
fn the_certificate_of_development_is_renewed_before_it_ends() {
    let folder = tempfile::tempdir().unwrap();
    let kept = |days| SelfSigned::kept_in(folder.path(), at(days)).unwrap().0;
    let first = kept(1000);
    assert_eq!(kept(1000 + 357).certificate, first.certificate);
    let second = kept(1000 + 358);
    assert_ne!(second.certificate, first.certificate);
    // A key that was swapped belongs to none.
    std::fs::write(folder.path().join("localhost-key.pem"), first.key).unwrap();
    assert_ne!(kept(1000 + 358).certificate, second.certificate);
}

#[test]
fn a_key_is_not_shown() {
    let made = SelfSigned::new(at(1)).unwrap();
    let shown = format!("{made:?}");
    assert!(
        !shown.contains("PRIVATE") && shown.contains("[redacted]"),
        "{shown}"
    );
}
