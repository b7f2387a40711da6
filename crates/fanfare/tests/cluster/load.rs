//! Load on a cluster, and the judgement on what came of it.

use std::time::Duration;

use fanfare_testkit::hubcheck::{Check, Credentials, Hub, Plan, Verdicts, judge};

use crate::node::KEY;

/// Publishers and subscribers at `url`, under way.
pub(crate) struct Load(Check);

impl Load {
    pub(crate) fn begin(url: &str, change: impl FnOnce(&mut Plan)) -> Self {
        let hub = Hub::new(url, Credentials::Key(KEY.to_owned())).unwrap();
        let mut plan = Plan::new();
        plan.publishers = 4;
        plan.keyed = 4;
        plan.rate = 200;
        plan.bound = Duration::from_secs(15);
        change(&mut plan);
        let check = Check::begin(&hub, &plan, None, None);
        let check = check.unwrap_or_else(|error| panic!("{error}"));
        check.open();
        Self(check)
    }

    /// Lets it go on for a while, as does whatever is wrong.
    pub(crate) fn go_on(&self, time: Duration) {
        self.0.pause(time);
    }

    /// Ends it.
    pub(crate) fn verdicts(self) -> Verdicts {
        self.0.close();
        let run = self.0.finish().unwrap_or_else(|error| panic!("{error}"));
        let verdicts = judge(&run.lines);
        assert!(
            verdicts.tally.acknowledged > 20,
            "too little to judge: {verdicts}"
        );
        verdicts
    }

    /// Ends it; nothing may be objected to.
    #[track_caller]
    pub(crate) fn end_clean(self) -> Verdicts {
        let verdicts = self.verdicts();
        assert!(verdicts.is_clean(), "{verdicts}");
        verdicts
    }
}
