//! The store of alerts, from outside.

#[cfg(test)]
mod clips;
#[cfg(test)]
mod cluster;
#[cfg(test)]
mod events;
#[cfg(test)]
#[path = "../../../alerts/tests/it/scene.rs"]
mod scene;
#[cfg(test)]
mod speed;
#[cfg(test)]
mod store;
#[cfg(test)]
mod store_file;
#[cfg(test)]
mod store_server;
#[cfg(test)]
mod support;
