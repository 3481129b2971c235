/// Why a file cannot be read as a table. Errors of a single row are in the row.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
#[expect(missing_docs, reason = "the messages say it")]
pub enum TableError {
    #[error("`{file}` is not a Parquet file, or truncated or damaged: {why}")]
    NotParquet { file: String, why: String },
    #[error(
        "`{file}` is Parquet but not GeoParquet: it has no `geo` metadata; write it with a GeoParquet writer (GeoPandas, GDAL, QGIS), or give a table without places as CSV"
    )]
    NotGeo { file: String },
    #[error("`{file}` has `geo` metadata that break GeoParquet's rules: {why}; write the file again")]
    Metadata { file: String, why: String },
    #[error("`{file}` has its places in `{column}` encoded as {encoding}; only WKB is read, write the file with WKB")]
    Encoding { file: String, column: String, encoding: String },
    #[error(
        "`{file}` has its column `{column}` compressed with {compression}, which is not supported; write the file with zstd or snappy compression (GeoPandas: to_parquet(path, compression=\"zstd\"); GDAL: -lco COMPRESSION=ZSTD)"
    )]
    Compression { file: String, column: String, compression: String },
    #[error("`{file}` {why}, as no table of addresses does; write it again from its source")]
    TooLarge { file: String, why: String },
    #[error("`{file}` is damaged at row {row}, column `{column}`: {why}")]
    Damaged { file: String, row: u64, column: String, why: String },
}
