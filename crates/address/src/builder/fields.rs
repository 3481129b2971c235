/// Known columns, properties and attributes of a table; others are ignored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Field {
    Code,
    BuildingId,
    Province,
    City,
    District,
    Street,
    Community,
    Road,
    RoadNum,
    Village,
    Building,
    Address,
    Gridcode,
    Workcode,
    FormerCode,
    Changed,
    ValidFrom,
    ValidTo,
    Kind,
    Text,
    Workgrid,
    Name,
    Source,
    Wkt,
    Lon,
    Lat,
    RemovedCode,
}

const COUNT: usize = Field::RemovedCode as usize + 1;

/// Lower-case names, in the order of the fields.
const NAMES: [&str; COUNT] = [
    "code",
    "building_id",
    "province",
    "city",
    "district",
    "street",
    "community",
    "road",
    "road_num",
    "village",
    "building",
    "address",
    "gridcode",
    "workcode",
    "former_code",
    "changed",
    "valid_from",
    "valid_to",
    "kind",
    "text",
    "workgrid",
    "name",
    "source",
    "wkt",
    "lon",
    "lat",
    "removed_code",
];

/// Other names of fields.
const ALIASES: [(&str, Field); 3] = [("longitude", Field::Lon), ("lng", Field::Lon), ("latitude", Field::Lat)];

impl Field {
    pub(super) fn name(self) -> &'static str {
        NAMES[self as usize]
    }

    /// The name of a field by its number.
    pub(super) fn name_of(field: usize) -> &'static str {
        NAMES.get(field).copied().unwrap_or_default()
    }

    /// The field of a column of this name, whatever its case and the spaces around it.
    pub(super) fn of(name: &str) -> Option<usize> {
        let name = trimmed(name);
        let is = |known: &str| known.eq_ignore_ascii_case(name);
        NAMES
            .iter()
            .position(|known| is(known))
            .or_else(|| ALIASES.iter().find(|(alias, _)| is(alias)).map(|(_, field)| *field as usize))
    }

    /// Whether full-width characters in its values stand for plain ones: in codes, numbers, dates and words, not in names.
    pub(super) fn is_plain(field: usize) -> bool {
        use Field::{
            BuildingId, Changed, Code, FormerCode, Gridcode, Kind, Lat, Lon, RemovedCode, Source, ValidFrom, ValidTo,
            Wkt,
        };
        const PLAIN: [Field; 13] = [
            Code,
            BuildingId,
            Gridcode,
            FormerCode,
            Changed,
            ValidFrom,
            ValidTo,
            Kind,
            Source,
            Wkt,
            Lon,
            Lat,
            RemovedCode,
        ];
        PLAIN.iter().any(|plain| *plain as usize == field)
    }
}

/// Without spaces of any kind around it, visible or not.
pub(super) fn trimmed(value: &str) -> &str {
    value.trim_matches(|character: char| {
        character.is_whitespace() || matches!(character, '\u{feff}' | '\u{200b}' | '\u{200e}' | '\u{200f}')
    })
}

/// The fields of a record, empty where absent.
#[derive(Debug, Clone, Copy)]
pub(super) struct Row<'a>([&'a str; COUNT]);

impl<'a> Row<'a> {
    pub(super) const EMPTY: Self = Self([""; COUNT]);

    pub(super) fn set(&mut self, field: usize, value: &'a str) {
        self.0[field] = trimmed(value);
    }

    #[inline]
    pub(super) fn get(&self, field: Field) -> &'a str {
        self.0[field as usize]
    }

    pub(super) fn synthetic(&self) -> bool {
        self.get(Field::Source) == "synthetic"
    }

    /// The identifier of the record in refusals: its code, or its road.
    pub(super) fn subject(&self) -> &'a str {
        [Field::Gridcode, Field::Code, Field::BuildingId, Field::Road]
            .map(|field| self.get(field))
            .into_iter()
            .find(|value| !value.is_empty())
            .unwrap_or_default()
    }

    /// Province, city, district, street, community.
    pub(super) fn path(&self) -> [&'a str; 5] {
        [Field::Province, Field::City, Field::District, Field::Street, Field::Community].map(|field| self.get(field))
    }
}

/// The kind of a table's records.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Addresses,
    Grids,
    Names,
    Formers,
    Roads,
    WorkGrids,
    Removals,
}

/// Which of the fields a table has.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Has([bool; COUNT]);

impl Has {
    pub(super) fn add(&mut self, field: usize) {
        self.0[field] = true;
    }

    pub(super) fn has(&self, field: Field) -> bool {
        self.0[field as usize]
    }

    /// The kind of its records; addresses when no other fits. `geometry`: each record has its own geometry.
    pub(super) fn kind(&self, geometry: bool) -> Kind {
        let any_code = self.has(Field::Code) || self.has(Field::BuildingId);
        if self.has(Field::RemovedCode) {
            Kind::Removals
        } else if self.has(Field::Workgrid) {
            Kind::WorkGrids
        } else if self.has(Field::Gridcode) {
            Kind::Grids
        } else if self.has(Field::FormerCode) && any_code && !self.has(Field::Address) {
            Kind::Formers
        } else if self.has(Field::Kind) && self.has(Field::Text) {
            Kind::Names
        } else if self.has(Field::Road) && !any_code && (geometry || self.has(Field::Wkt)) {
            Kind::Roads
        } else {
            Kind::Addresses
        }
    }

    /// Names of the fields that are missing for this kind.
    pub(super) fn missing(&self, kind: Kind, geometry: bool) -> Vec<String> {
        let wanted: &[Field] = match kind {
            Kind::Addresses => &[
                Field::Code,
                Field::BuildingId,
                Field::Province,
                Field::City,
                Field::District,
                Field::Street,
                Field::Community,
                Field::Road,
                Field::RoadNum,
                Field::Building,
                Field::Address,
            ],
            Kind::Grids => &[Field::Gridcode, Field::Workcode],
            Kind::Names => &[Field::Code, Field::Kind, Field::Text],
            Kind::Formers => &[Field::FormerCode, Field::Code, Field::Changed],
            Kind::Roads => &[Field::Road],
            Kind::Removals => &[Field::RemovedCode],
            Kind::WorkGrids => &[Field::Kind, Field::Workgrid, Field::Name, Field::Gridcode],
        };
        let mut missing: Vec<Field> = wanted.iter().copied().filter(|field| !self.has(*field)).collect();
        match (self.has(Field::Lon), self.has(Field::Lat)) {
            (true, false) => missing.push(Field::Lat),
            (false, true) => missing.push(Field::Lon),
            _ => {}
        }
        if matches!(kind, Kind::Grids | Kind::Roads) && !geometry && !self.has(Field::Wkt) {
            missing.push(Field::Wkt);
        }
        missing.into_iter().map(|field| field.name().to_owned()).collect()
    }
}
