use std::sync::Arc;

use vedette_address::AddressBase;
use vedette_analysis::{Setups, Site};
use vedette_core::{CameraId, Timestamp};

use crate::address_book::AddressBook;
use crate::registry::Registry;

/// The cameras, policies and address bases of a running product, or of files.
pub struct KnownSite {
    /// Cameras and policies, by capture time.
    pub registry: Registry,
    /// Address bases, by capture time.
    pub addresses: AddressBook,
}

impl Site for KnownSite {
    fn setups(&self, id: &CameraId) -> Option<Arc<Setups>> {
        self.registry.entry(id).map(|entry| entry.setups)
    }

    fn base(&self, at: Timestamp) -> Option<Arc<AddressBase>> {
        self.addresses.at(at)
    }
}
