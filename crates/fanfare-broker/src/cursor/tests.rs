use super::*;

fn cursor(epoch: u32, offset: u64) -> Cursor {
    Cursor {
        epoch: Epoch::new(NonZeroU32::new(epoch).unwrap()),
        offset,
    }
}

#[test]
fn c2_text_form_is_base_36_without_leading_zeros() {
    assert_eq!(cursor(1, 0).to_string(), "urn:ff:1-0");
    assert_eq!(cursor(35, 36).to_string(), "urn:ff:z-10");
    assert_eq!(
        cursor(u32::MAX, Cursor::OFFSET_MAX).to_string(),
        "urn:ff:1z141z3-2gosa7pa2gv"
    );
}

#[test]
fn c2_text_form_reads_back() {
    for c in [
        cursor(1, 0),
        cursor(7, 1),
        cursor(u32::MAX, Cursor::OFFSET_MAX),
    ] {
        assert_eq!(Cursor::parse(c.id().as_str()), Some(c));
    }
}

#[test]
fn c2_anything_else_under_the_prefix_is_no_cursor() {
    for text in [
        "",
        "urn:ff:",
        "urn:ff:-",
        "urn:ff:1-",
        "urn:ff:-1",
        "urn:ff:0-1",
        "urn:ff:01-1",
        "urn:ff:1-01",
        "urn:ff:A-1",
        "urn:ff:1-1-1",
        "urn:ff:1-1 ",
        "URN:FF:1-1",
        "1-1",
        "urn:ff:1z141z4-1",
        "urn:ff:1-2gosa7pa2gw",
        "urn:ff:1-zzzzzzzzzzzzzzzzzzzz",
        "urn:ff:1-é",
    ] {
        assert_eq!(Cursor::parse(text), None, "{text:?}");
    }
}
