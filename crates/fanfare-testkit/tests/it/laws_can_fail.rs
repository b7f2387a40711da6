//! For each law a defect that it must object to, and the same broker without one that it must not.

use std::panic::{AssertUnwindSafe, catch_unwind};

use fanfare_testkit::broker_suite;

use crate::defect::{Defect, Defective};

/// Without a defect the law holds, and with each of `$defects` it does not.
macro_rules! laws_can_fail {
    ($($law:ident: $($defect:ident)*;)*) => {$(
        #[test]
        fn $law() {
            broker_suite::run(broker_suite::$law(Defective(Defect::None)));
            $(
                let law = broker_suite::$law(Defective(Defect::$defect));
                let held = catch_unwind(AssertUnwindSafe(|| broker_suite::run(law)));
                assert!(held.is_err(), "{:?} was not found out", Defect::$defect);
            )*
        }
    )*};
}

laws_can_fail! {
    law_01_order: BatchReversed;
    law_02_dense: TailSkips TrimmedUnsaid;
    law_03_stored_means_readable: ReadLate ClaimsToSurvive;
    law_04_not_stored_is_never_seen: RefusedIsStored;
    law_05_dedupe: KeysIgnored;
    law_06_no_reuse: EpochReused;
    law_07_lineage: StrangerResolves TrimmedResolves ClaimsToSurvive;
    law_08_ack_then_seen: TailUnwoken TailStartsAtHead;
    law_09_budget: BudgetIgnored StuckOnNothing;
    law_10_filter_neutrality: GrantIgnored;
    law_11_cancel_safety: BatchTorn;
    law_12_close: CloseIgnored UnansweredAfterClose;
}

#[test]
fn a_broker_that_survives_is_held_to_it() {
    let survivor = || Defective(Defect::NoneAndSurvives);
    broker_suite::run(broker_suite::law_03_stored_means_readable(survivor()));
    broker_suite::run(broker_suite::law_05_dedupe(survivor()));
    broker_suite::run(broker_suite::law_06_no_reuse(survivor()));
    broker_suite::run(broker_suite::law_07_lineage(survivor()));
}
