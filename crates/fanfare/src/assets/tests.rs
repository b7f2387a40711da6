use super::*;

#[test]
fn lines_of_code_stay_as_they_are() {
    let source = "/** One line. */\n/**\n * More.\n */\nclass A {\n  // Why.\n  b = 1; // What.\n\n  c = \"/* no\";\n}\n";
    let code = "class A {\n  b = 1; // What.\n  c = \"/* no\";\n}\n";
    assert_eq!(without_comments(source), code);
}

#[test]
fn bm_64_the_module_is_served_without_comments_and_is_not_cut() {
    assert!(!SERVED.contains("/**"));
    assert!(SERVED.contains("export class Fanfare extends EventTarget {\n"));
    // Its last line runs it in a worker.
    assert_eq!(SERVED.lines().last(), SOURCE.lines().last());
}
