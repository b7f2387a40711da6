use proptest::prelude::*;

use super::*;

fn text() -> impl Strategy<Value = String> {
    proptest::collection::vec(any::<char>(), 0..20).prop_map(String::from_iter)
}

fn line() -> impl Strategy<Value = String> {
    text().prop_map(|text| text.chars().filter(|c| !c.is_control()).collect())
}

prop_compose! {
    fn publication()(
        topics in proptest::collection::vec(line(), 1..4),
        data in text(),
        id in proptest::option::of(line()),
        event_type in proptest::option::of(line()),
        retry in proptest::option::of(0..100_000_u64),
        private in any::<bool>(),
        expires in proptest::option::of(any::<u64>()),
    ) -> Publication {
        let mut event = Event::new(data);
        event.id = id.and_then(|id| EventId::parse(&id).ok());
        event.event_type = event_type.and_then(|it| EventType::parse(&it).ok());
        event.retry = retry.map(Retry::from_millis);
        let topic = |text: &String| Topic::parse(&format!("t{text}")).expect("it has no controls");
        let mut publication = Publication::new(topic(&topics[0]), event);
        for more in &topics[1..] {
            publication = publication.also(topic(more));
        }
        if private {
            publication = publication.private();
        }
        let now = Now::read();
        publication.expires = expires.map(|ms| Expiry::at(ms, now.unix_ms, now.instant));
        publication
    }
}

/// What a publication says, its deadline by the wall clock alone.
fn told(publication: &Publication) -> impl PartialEq + std::fmt::Debug {
    let expires = publication.expires.map(Expiry::unix_ms);
    let (event, topics) = (publication.event.clone(), publication.topics().to_vec());
    (event, topics, publication.audience, expires)
}

proptest! {
    /// W6: what is read is what was written.
    #[test]
    fn w_06_records_are_read_as_they_were_written(publication in publication()) {
        let mut bytes = Vec::new();
        encode(&publication, &mut bytes);
        let decoded = decode(&bytes, Now::read()).expect("it proves itself");
        prop_assert_eq!(told(&decoded), told(&publication));
    }

    /// W6: one flipped bit, or a cut, is damage.
    #[test]
    fn w_06_damage_is_no_record(publication in publication(), place in any::<usize>()) {
        let mut bytes = Vec::new();
        encode(&publication, &mut bytes);
        let cut = &bytes[..place % bytes.len()];
        prop_assert_eq!(decode(cut, Now::read()), None);
        let bit = place % (bytes.len() * 8);
        bytes[bit / 8] ^= 1 << (bit % 8);
        prop_assert_eq!(decode(&bytes, Now::read()), None);
    }

    /// What strangers wrote is no panic.
    #[test]
    fn w_06_any_bytes_are_read_without_a_panic(
        mut bytes in proptest::collection::vec(any::<u8>(), 5..200),
    ) {
        bytes[0] = VERSION;
        let sum = crc32c(&bytes[HEAD..]).to_le_bytes();
        bytes[1..HEAD].copy_from_slice(&sum);
        decode(&bytes, Now::read());
    }
}
