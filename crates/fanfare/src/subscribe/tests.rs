use super::user_topic;
use crate::error::InvalidUserId;

#[test]
fn a_user_id_means_one_user() {
    assert_eq!(user_topic("42").unwrap().as_str(), "user/42");
    assert_eq!(user_topic("").unwrap_err(), InvalidUserId::Length);
    assert_eq!(
        user_topic(&"x".repeat(257)).unwrap_err(),
        InvalidUserId::Length
    );
    assert_eq!(user_topic("{id}").unwrap_err(), InvalidUserId::Braces);
    let error = user_topic("a\nb").unwrap_err();
    assert!(matches!(error, InvalidUserId::Forbidden(_)));
}
