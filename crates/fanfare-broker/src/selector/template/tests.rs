use super::*;

#[track_caller]
fn check(templates: &[&str], is_template: bool) {
    for text in templates {
        assert_eq!(Template::parse(text).is_some(), is_template, "{text:?}");
    }
}

#[test]
fn d0_m8_literals() {
    check(&["!#$&'()*+,-./09:;=?@AZ[]_az~{x}"], true);
    check(&["%41{x}", "%fF{x}", "{x}%00"], true);
    check(&["%{x}", "%4{x}", "%4g{x}", "{x}%", "a%%41{x}"], false);
    for c in [
        '\0', '\n', ' ', '"', '<', '>', '\\', '^', '`', '|', '}', '\u{7f}',
    ] {
        check(&[&format!("{c}{{x}}"), &format!("{{x}}{c}")], false);
    }
}

#[test]
fn d0_m8_literals_beyond_ascii() {
    for c in [
        '\u{a0}',
        '\u{fdcf}',
        '\u{fdf0}',
        '\u{ffef}',
        '\u{10000}',
        '\u{1fffd}',
        '\u{e000}',
        '\u{dffff}',
        '\u{e1000}',
        '\u{10fffd}',
    ] {
        // The last two code points of each plane are out.
        let noncharacter = c == '\u{dffff}';
        check(&[&format!("{c}{{x}}")], !noncharacter);
    }
    for c in [
        '\u{80}',
        '\u{9f}',
        '\u{fdd0}',
        '\u{fdef}',
        '\u{fff0}',
        '\u{ffff}',
        '\u{1fffe}',
        '\u{1ffff}',
        '\u{e0000}',
        '\u{e0fff}',
        '\u{10ffff}',
    ] {
        check(&[&format!("{c}{{x}}"), &format!("{{x}}{c}")], false);
    }
}

#[test]
fn d0_m8_operators() {
    check(
        &["{+x}", "{#x}", "{.x}", "{/x}", "{;x}", "{?x}", "{&x}"],
        true,
    );
    check(
        &["{=x}", "{,x}", "{!x}", "{@x}", "{|x}", "{++x}", "{-x}"],
        false,
    );
    check(&["{+}", "{?}", "{}"], false);
}

#[test]
fn d0_m8_variable_names() {
    check(
        &[
            "{x}", "{X_9}", "{%41}", "{a%41b}", "{a.b.c}", "{x,y,z}", "{0}",
        ],
        true,
    );
    check(
        &["{.x.}", "{x.}", "{x..y}", "{+.x}", "{x,}", "{x,,y}", "{,}"],
        false,
    );
    check(
        &[
            "{%4}", "{%}", "{%4g}", "{a%4.1}", "{a-b}", "{a b}", "{\u{e9}}", "{{x}", "{x}}",
        ],
        false,
    );
}

#[test]
fn d0_m8_modifiers() {
    check(&["{x*}", "{x:1}", "{x:9999}", "{x*,y:3,z}"], true);
    check(
        &[
            "{x:}",
            "{x:0}",
            "{x:01}",
            "{x:10000}",
            "{x:a}",
            "{x:+1}",
            "{x:-1}",
        ],
        false,
    );
    check(
        &["{x*:3}", "{x:3*}", "{x**}", "{*}", "{:3}", "{x:3:4}"],
        false,
    );
}

#[test]
fn d0_m8_expressions_are_closed() {
    check(&["{x", "a{x}b{", "a}", "{x}}", "{x{y}}"], false);
    check(&["{x}{y}", "a{x}b{y}c"], true);
}

#[test]
fn the_prefix_is_the_literal_before_the_first_expression() {
    let prefix = |text| Template::parse(text).map(|template| template.prefix);
    assert_eq!(prefix("ab{x}cd{y}"), Some("ab"));
    assert_eq!(prefix("{x}cd"), Some(""));
    assert_eq!(prefix("\u{e9}%41{x}"), Some("\u{e9}%41"));
}

#[test]
fn variables_are_counted_over_all_expressions() {
    let variables = |text| Template::parse(text).map(|template| template.variables);
    assert_eq!(variables("{x}a{/y,z*}"), Some(3));
}
