//! The table as a Parquet file: columns with types, compressed, readable by any data tool.

use super::ExportError;
use super::row::{COLUMNS, Cell, Kind};
use parquet::basic::Compression;
use parquet::data_type::{ByteArray, ByteArrayType, DataType, Int64Type};
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;
use parquet::file::writer::{SerializedColumnWriter, SerializedFileWriter};
use parquet::schema::parser::parse_message_type;
use std::io::{BufWriter, Write};
use std::sync::Arc;

/// Rows that are compressed together; so many are in memory at once.
const GROUP: usize = 10_000;
/// Decimals of money in the file: as many as any currency has.
const DIGITS: u8 = 4;

/// A table that is being written.
pub(super) struct Table<W: Write + Send> {
    writer: SerializedFileWriter<BufWriter<W>>,
    rows: Vec<[Cell; COLUMNS.len()]>,
}

fn schema() -> String {
    let columns = COLUMNS.iter().map(|column| match column.kind {
        Kind::Text => format!("OPTIONAL BYTE_ARRAY {} (STRING);", column.name),
        Kind::Whole => format!("OPTIONAL INT64 {};", column.name),
        Kind::Time => format!("OPTIONAL INT64 {} (TIMESTAMP(MILLIS,true));", column.name),
        Kind::Energy => format!("OPTIONAL INT64 {} (DECIMAL(18,6));", column.name),
        Kind::Money => format!("OPTIONAL INT64 {} (DECIMAL(18,{DIGITS}));", column.name),
    });
    format!("message session {{ {} }}", columns.collect::<String>())
}

impl<W: Write + Send> Table<W> {
    /// An empty table.
    pub fn new(to: W) -> Result<Self, ExportError> {
        let schema = Arc::new(parse_message_type(&schema())?);
        let properties = WriterProperties::builder().set_compression(Compression::SNAPPY).build();
        let writer = SerializedFileWriter::new(BufWriter::new(to), schema, Arc::new(properties))?;
        Ok(Self { writer, rows: Vec::new() })
    }

    /// Adds a row.
    pub fn add(&mut self, row: [Cell; COLUMNS.len()]) -> Result<(), ExportError> {
        self.rows.push(row);
        if self.rows.len() >= GROUP { self.write() } else { Ok(()) }
    }

    /// Writes what is left, and the end of the file.
    pub fn finish(mut self) -> Result<(), ExportError> {
        if !self.rows.is_empty() {
            self.write()?;
        }
        let mut to = self.writer.into_inner()?;
        to.flush()?;
        Ok(())
    }

    fn write(&mut self) -> Result<(), ExportError> {
        let rows = std::mem::take(&mut self.rows);
        let mut group = self.writer.next_row_group()?;
        let mut index = 0;
        while let Some(mut column) = group.next_column()? {
            let cells = rows.iter().map(|row| row.get(index));
            if COLUMNS.get(index).is_some_and(|column| column.kind == Kind::Text) {
                put::<ByteArrayType>(&mut column, cells.map(|cell| Ok(cell.and_then(text))))?;
            } else {
                put::<Int64Type>(&mut column, cells.map(|cell| cell.map_or(Ok(None), number)))?;
            }
            column.close()?;
            index += 1;
        }
        group.close()?;
        Ok(())
    }
}

fn put<T: DataType>(
    column: &mut SerializedColumnWriter<'_>,
    cells: impl Iterator<Item = Result<Option<T::T>, ExportError>>,
) -> Result<(), ExportError> {
    let cells = cells.collect::<Result<Vec<_>, _>>()?;
    // 1 where there is a value, 0 where there is none.
    let levels: Vec<i16> = cells.iter().map(|cell| i16::from(cell.is_some())).collect();
    let values: Vec<T::T> = cells.into_iter().flatten().collect();
    column.typed::<T>().write_batch(&values, Some(&levels), None)?;
    Ok(())
}

fn text(cell: &Cell) -> Option<ByteArray> {
    match cell {
        Cell::Text(text) => text.as_deref().map(ByteArray::from),
        Cell::Whole(_) | Cell::Time(_) | Cell::Energy(_) | Cell::Money(_) => None,
    }
}

fn number(cell: &Cell) -> Result<Option<i64>, ExportError> {
    Ok(match cell {
        Cell::Text(_) => None,
        Cell::Whole(number) => *number,
        Cell::Time(at) => at.map(|at| at.0),
        Cell::Energy(energy) => energy.map(|energy| energy.0),
        Cell::Money(None) => None,
        Cell::Money(Some((minor, digits))) => {
            let up = DIGITS.checked_sub(*digits).and_then(|digits| 10_i64.checked_pow(u32::from(digits)));
            let sum = up.and_then(|up| minor.checked_mul(up));
            Some(sum.ok_or_else(|| ParquetError::General("a total is too large for the file".to_owned()))?)
        }
    })
}
