//! The whole product: its stages on a simulated bus, itself within this process, its binary beside it.

#[cfg(test)]
mod accounts;
#[cfg(test)]
mod address_change;
#[cfg(test)]
mod address_tables;
#[cfg(test)]
mod adopt_simulation;
#[cfg(test)]
mod anywhere;
#[cfg(test)]
mod apply;
#[cfg(test)]
mod bad_input;
#[cfg(test)]
mod blind;
#[cfg(test)]
#[path = "../../../bus/tests/it/broker.rs"]
mod broker;
#[cfg(test)]
mod camera_probe;
#[cfg(test)]
mod cameras;
#[cfg(test)]
mod changes;
#[cfg(test)]
mod circles;
#[cfg(test)]
mod clips;
#[cfg(test)]
#[path = "../../../alert-store/tests/it/cluster.rs"]
mod cluster;
#[cfg(test)]
mod dead_letters;
#[cfg(test)]
mod encoding;
#[cfg(test)]
mod end_to_end;
#[cfg(test)]
mod eval;
#[cfg(test)]
mod every_mistake;
#[cfg(test)]
mod figures;
#[cfg(test)]
mod figures_apply;
#[cfg(test)]
mod figures_what_if;
#[cfg(test)]
mod glewlwyd;
#[cfg(test)]
mod growth;
#[cfg(test)]
mod hostile;
#[cfg(test)]
mod kafka;
#[cfg(test)]
mod keycloak;
#[cfg(test)]
mod lost_data;
#[cfg(test)]
mod metadata;
#[cfg(test)]
mod metrics;
#[cfg(test)]
mod near_misses;
#[cfg(test)]
mod offline_restart;
#[cfg(test)]
mod one_event;
#[cfg(test)]
mod operations;
#[cfg(test)]
mod order;
#[cfg(test)]
mod postgres;
#[cfg(test)]
mod preflight;
#[cfg(test)]
mod producer;
#[cfg(test)]
mod product;
#[cfg(test)]
mod replay;
#[cfg(test)]
#[path = "../../../alerts/tests/it/scene.rs"]
mod scene;
#[cfg(test)]
mod sealed;
#[cfg(test)]
mod secrets;
#[cfg(test)]
mod sign_on;
#[cfg(test)]
mod simulation;
#[cfg(test)]
mod snapshots;
#[cfg(test)]
mod support;
#[cfg(test)]
mod tune;
#[cfg(test)]
mod upgrade;
#[cfg(test)]
mod webhook;
#[cfg(test)]
#[path = "../../../media/tests/it/webm.rs"]
mod webm;
#[cfg(test)]
mod what_if;
