//! `units.csv`: eleven million rows, so each is assembled from parts shared by its building's rows.

use std::path::Path;

use crate::error::SynthError;
use crate::table::{AddressRow, SOURCE, Table, Written, push_number, units_header};
use crate::unit::Rooms;

/// The table of units.
#[derive(Debug)]
pub(crate) struct Units {
    table: Table,
    /// Row numbers continue those of the buildings.
    next_id: u64,
    rows: Vec<u8>,
    text: Vec<u8>,
}

impl Units {
    pub(crate) fn create(folder: &Path, buildings: u64) -> Result<Self, SynthError> {
        let table = Table::create(folder, "units.csv", &units_header())?;
        Ok(Self { table, next_id: buildings + 1, rows: Vec::with_capacity(1 << 16), text: Vec::with_capacity(64) })
    }

    /// Writes all units of a building; `shop` is called with the code of shops whose name is known.
    pub(crate) fn building(
        &mut self,
        row: &AddressRow<'_>,
        count: u32,
        rooms: &Rooms,
        mut shop: impl FnMut(&str) -> Result<(), SynthError>,
    ) -> Result<(), SynthError> {
        let building = &row.code[..19];
        let [province, city, district, street, community] = row.areas;
        let fields = [province, city, district, street, community, row.road, row.road_num, row.village, row.building];
        let middle = format!(",{},", fields.join(","));
        let former = row.former_code.get(..19).unwrap_or_default();
        let dates = format!(",{},{},", row.valid_from, row.valid_to);
        let out = &mut self.rows;
        out.clear();
        for index in 0..count {
            let mut id = [0_u8; 20];
            let id = decimal(self.next_id, &mut id);
            self.next_id += 1;
            let room = room_digits(index + 1);
            self.text.clear();
            let kind = rooms.text(index, &mut self.text);
            for part in [id, b",", id, b",", building.as_bytes(), &room, b",", building.as_bytes(), b",", &room] {
                out.extend_from_slice(part);
            }
            out.extend_from_slice(middle.as_bytes());
            push_number(out, u64::from(kind.floor));
            out.push(b',');
            out.extend_from_slice(row.address.as_bytes());
            out.extend_from_slice(&self.text);
            out.extend_from_slice(dates.as_bytes());
            if !former.is_empty() {
                out.extend_from_slice(former.as_bytes());
                out.extend_from_slice(&room);
            }
            out.push(b',');
            out.extend_from_slice(SOURCE.as_bytes());
            out.push(b'\n');
            // Every ninth shop has a name.
            if kind.shop && self.next_id.is_multiple_of(9) {
                shop(&format!("{building}{:06}", index + 1))?;
            }
        }
        self.table.records(&self.rows, u64::from(count))
    }

    pub(crate) fn count(&self) -> u64 {
        self.table.rows()
    }

    pub(crate) fn finish(self) -> Result<Written, SynthError> {
        self.table.finish()
    }
}

fn decimal(mut number: u64, digits: &mut [u8; 20]) -> &[u8] {
    let mut start = digits.len();
    loop {
        start -= 1;
        digits[start] = b'0' + (number % 10) as u8;
        number /= 10;
        if number == 0 {
            return &digits[start..];
        }
    }
}

/// Positions 20 to 25 of a code.
fn room_digits(mut number: u32) -> [u8; 6] {
    let mut digits = [b'0'; 6];
    for digit in digits.iter_mut().rev() {
        *digit = b'0' + (number % 10) as u8;
        number /= 10;
    }
    digits
}
