use rusqlite::Connection;

use super::*;

/// The lineage may be read as a whole, and the index, to be summed.
#[test]
fn statements_neither_scan_nor_sort() {
    let connection = Connection::open_in_memory().unwrap();
    connection.execute_batch(TABLES).unwrap();
    for text in sql::ALL {
        let mut explain = connection
            .prepare(&format!("EXPLAIN QUERY PLAN {text}"))
            .unwrap();
        let count = explain.parameter_count();
        let nulls = rusqlite::params_from_iter(std::iter::repeat_n(None::<i64>, count));
        let steps = explain
            .query_map(nulls, |row| row.get::<_, String>(3))
            .unwrap();
        for step in steps {
            let step = step.unwrap();
            let whole = step.starts_with("SCAN") || step.contains("TEMP B-TREE");
            let allowed = [sql::SELECT_EPOCHS, sql::SELECT_POSTINGS].contains(text);
            assert!(!whole || allowed, "{text}: {step}");
        }
    }
}

#[test]
fn w0_sqlite_is_new_enough() {
    let number = rusqlite::version_number();
    assert!(number >= 3_051_003 && number != 3_052_000, "{number}");
}
