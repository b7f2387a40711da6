use super::*;

#[test]
fn a_chunk_is_its_length_in_hexadecimal_and_the_event_between_line_ends() {
    let frame = Frame::new(&Event::new("0123456789"));
    assert_eq!(frame.bytes(Form::Plain), "data: 0123456789\n\n");
    assert_eq!(frame.bytes(Form::Chunked), "12\r\ndata: 0123456789\n\n\r\n");
}

#[test]
fn bytes_of_the_format_are_wrapped_as_they_are() {
    let frame = Frame::wrap(b":\n");
    assert_eq!(frame.bytes(Form::Plain), ":\n");
    assert_eq!(frame.bytes(Form::Chunked), "2\r\n:\n\r\n");
}

#[test]
fn both_forms_are_one_allocation() {
    let frame = Frame::new(&Event::new("x".repeat(1000)));
    let chunked = frame.bytes(Form::Chunked).as_ptr_range();
    let plain = frame.bytes(Form::Plain).as_ptr_range();
    assert!(chunked.start < plain.start && plain.end < chunked.end);
}
