use super::*;

fn key(place: u32) -> Key {
    Key {
        place,
        generation: 1,
    }
}

fn expired(wheel: &mut Wheel, now: u32) -> Vec<u32> {
    let mut due = Vec::new();
    wheel.expire(Tick(now), &mut due);
    due.into_iter().map(|key| key.place).collect()
}

#[test]
fn a_key_comes_up_at_its_tick_and_once() {
    let mut wheel = Wheel::new();
    wheel.insert(key(1), Tick(3));
    assert_eq!(wheel.next_due(), Some(Tick(3)));
    assert_eq!(expired(&mut wheel, 2), [0; 0]);
    assert_eq!(expired(&mut wheel, 3), [1]);
    assert_eq!(expired(&mut wheel, 900), [0; 0]);
    assert_eq!(wheel.next_due(), None);
}

#[test]
fn a_deadline_in_the_past_comes_up_at_the_next_turn() {
    let mut wheel = Wheel::new();
    expired(&mut wheel, 10);
    wheel.insert(key(1), Tick(4));
    assert_eq!(expired(&mut wheel, 11), [1]);
}

#[test]
fn a_deadline_beyond_the_horizon_comes_up_at_the_horizon() {
    let mut wheel = Wheel::new();
    wheel.insert(key(1), Tick::NEVER);
    assert_eq!(wheel.next_due(), Some(Tick(SLOTS - 1)));
}

#[test]
fn after_a_long_sleep_everything_comes_up_at_once() {
    let mut wheel = Wheel::new();
    for place in 0..SLOTS {
        wheel.insert(key(place), Tick(place));
    }
    assert_eq!(expired(&mut wheel, 1_000_000).len(), SLOTS as usize);
}

#[test]
fn ticks_round_down_so_that_an_end_is_never_late() {
    #[expect(clippy::disallowed_methods, reason = "any instant will do")]
    let start = Instant::now();
    let clock = Clock::new(start);
    assert_eq!(clock.tick(start + Duration::from_millis(199)), Tick(1));
    assert_eq!(clock.instant(Tick(2)), start + Duration::from_millis(200));
}
