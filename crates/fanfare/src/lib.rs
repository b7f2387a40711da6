//! Fanfare's server: everything about HTTP around [`fanfare_hub::Hub`].
//!
//! A connection is taken by `accept`, its first request head read by `connection`. A subscribe
//! request is judged by `subscribe` and its socket moved to one of the hub's shards; everything
//! else, and everything that comes later on a connection, is answered by `routes` under hyper.
//! What a publisher sends becomes a `draft`, is checked, and goes to the hub.

pub mod auth;
pub mod bridge;
pub mod dialect;
pub mod load;
pub mod origins;
pub mod server;
pub mod tls;
pub mod web_hook;

mod accept;
mod connection;
mod head;

mod routes;

mod greeting;
mod interest;
mod journal;
mod last_event_id;
mod poll;
mod presence;
mod subscribe;

mod batch;
mod body;
mod broadcast;
mod draft;
mod namespace;
mod publish;

mod admin;
mod assets;
mod authority;
mod cors;
mod dashboard;
mod error;
mod expires;
mod form;
mod health;
mod metadata;
mod metrics;
mod protocol_string;
mod revocations;
mod site;
