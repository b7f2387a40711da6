//! Fanfare's vocabulary, and the one seam behind which events are kept.
//!
//! A [`Publication`] is an event addressed to topics. A [`Broker`] puts it into the hub's one
//! order and makes it a [`Record`]: the publication at a [`Cursor`], with its [`Frame`], the
//! bytes that every subscriber gets. A broker knows no subscriber and no HTTP.

mod broker;
mod cursor;
mod frame;
mod lineage;
pub mod memory;
mod presence;
mod publication;
mod record;
mod selector;
mod topic;

pub use broker::{
    Bounds, Broker, Budget, Capabilities, Health, Page, PageEnd, PublishError, ReadError, Receipt,
    Resolved, TailItem, TopicFilter, Verdict,
};
pub use cursor::{Cursor, Epoch};
pub use frame::{Form, Frame};
pub use lineage::Lineage;
pub use memory::MemoryBroker;
pub use presence::{Entry, EntryChange, Estate, NodeId, Presence, PresenceError};
pub use publication::{Audience, Expiry, IdempotencyKey, InvalidKey, Publication};
pub use record::Record;
pub use selector::{InvalidSelector, ResolvedTopic, Selector, Selectors, Shape};
pub use topic::{InvalidTopic, Topic};
