use super::*;

fn answer(head: i64, first: i64, epoch: i64, rows: &[&str]) -> Value {
    let rows = rows
        .iter()
        .map(|row| Value::BulkString(row.as_bytes().to_vec()));
    Value::Array(vec![
        Value::Int(head),
        Value::Int(first),
        Value::Int(epoch),
        Value::Array(rows.collect()),
    ])
}

#[test]
fn bounds_are_read() {
    let nothing = parse(&answer(0, 1, 0, &[])).unwrap();
    assert_eq!((nothing.head, nothing.first), (None, 1));
    let bounds = parse(&answer(20, 5, 8, &["7 1", "8 11"])).unwrap();
    let head = bounds.head.unwrap();
    assert_eq!((head.epoch.number(), head.offset), (8, 20));
    assert_eq!(bounds.first, 5);
    let at_ten = bounds.lineage.cursor_at(10).unwrap();
    assert_eq!(at_ten.epoch.number(), 7);
}

#[test]
fn a_damaged_lineage_is_told_as_far_as_it_is_known() {
    let bounds = parse(&answer(20, 1, 8, &["7 1", "no", "9 x", "8 11"])).unwrap();
    assert_eq!(bounds.lineage.epochs().count(), 2);
    let gone = parse(&answer(20, 1, 8, &[])).unwrap();
    assert_eq!(gone.head.unwrap().epoch.number(), 8);
    assert!(parse(&answer(20, 1, 0, &[])).is_none());
    assert!(parse(&Value::Nil).is_none());
}
