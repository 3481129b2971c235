//! GeoParquet files, from outside.

#[cfg(test)]
mod geoparquet;
