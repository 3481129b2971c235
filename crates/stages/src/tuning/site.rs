use std::sync::Arc;

use vedette_address::AddressBase;
use vedette_analysis::{Setups, Site};
use vedette_core::{CameraId, Timestamp};

use crate::address_book::AddressBook;
use crate::registry::Registry;

/// The cameras, policies and address bases of the running product.
pub(super) struct LiveSite {
    pub(super) registry: Registry,
    pub(super) addresses: AddressBook,
}

impl Site for LiveSite {
    fn setups(&self, id: &CameraId) -> Option<Arc<Setups>> {
        self.registry.entry(id).map(|entry| entry.setups)
    }

    fn base(&self, at: Timestamp) -> Option<Arc<AddressBase>> {
        self.addresses.at(at)
    }
}
