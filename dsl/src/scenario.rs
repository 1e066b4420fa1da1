//! Tests in tariff files.
