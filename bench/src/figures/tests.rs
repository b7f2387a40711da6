use super::*;

fn figures() -> Figures {
    let mut figures = Figures::new("ticker");
    for (run, floor, fanfare) in [(1, 10.0, 11.0), (2, 20.0, 22.0), (3, 10.0, 30.0)] {
        figures.add("floor", run, "cpu_ns", floor);
        figures.add("fanfare", run, "cpu_ns", fanfare);
    }
    figures
}

#[test]
fn a_ratio_is_the_median_of_the_ratios_of_each_run() {
    // The medians' ratio would be 2.2: the second run, slow for both, would count for one.
    let ratio = figures().ratio(("fanfare", "cpu_ns"), ("floor", "cpu_ns"));
    assert_eq!(ratio, Some(1.1));
}

#[test]
fn the_median_of_an_even_number_lies_between_the_middle_two() {
    assert_eq!(median([4.0, 1.0, 2.0, 30.0].into_iter()), Some(3.0));
    assert_eq!(median(std::iter::empty()), None);
}

#[test]
fn a_row_says_where_it_is_from() {
    let origin = Origin {
        commit: "c0ffee".to_owned(),
        versions: "rustc 1; Linux 6".to_owned(),
    };
    let csv = figures().csv(&origin);
    assert_eq!(
        csv.lines().nth(1),
        Some("c0ffee,cargo xtask bench ticker,rustc 1; Linux 6,ticker,floor,1,cpu_ns,10.000"),
    );
}

#[test]
fn a_budget_without_a_figure_is_not_reached() {
    let verdict = |value| Verdict {
        budget: "b",
        value,
        max: 1.0,
    };
    assert!(verdict(Some(1.0)).to_string().starts_with("reached"));
    assert!(verdict(Some(1.1)).to_string().starts_with("NOT REACHED"));
    assert!(verdict(None).to_string().starts_with("not measured"));
}
