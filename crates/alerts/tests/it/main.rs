//! Alerts, their formats and their store, from outside.

#[cfg(test)]
mod cluster;
#[cfg(test)]
mod events;
#[cfg(test)]
mod formats;
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
