//! The store of alerts, from outside.

/// Each of these on a file and on a server.
#[cfg(test)]
macro_rules! on_both {
    ($($name:ident),* $(,)?) => {
        mod file {
            use crate::support::Home;
            $(#[test] fn $name() { super::$name(&Home::file()); })*
        }
        mod server {
            use crate::support::Home;
            $(#[test] fn $name() { super::$name(&Home::server()); })*
        }
    };
}

#[cfg(test)]
mod accounts;
#[cfg(test)]
mod area_speed;
#[cfg(test)]
mod areas;
#[cfg(test)]
mod audit;
#[cfg(test)]
mod clips;
#[cfg(test)]
mod cluster;
#[cfg(test)]
mod drafts;
#[cfg(test)]
mod events;
#[cfg(test)]
mod near_misses;
#[cfg(test)]
#[path = "../../../alerts/tests/it/scene.rs"]
mod scene;
#[cfg(test)]
mod sessions;
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
