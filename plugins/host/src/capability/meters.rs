//! `meters`: meter values of metering points, in and out.

use super::capability;
use crate::model::meters::{File, Series, Span};

capability! {
    /// A plugin as a reader and writer of meter values.
    Meters "meters" {
        /// What is wrong with a metering point's number; nothing if it is right.
        sure fn check_point "check-point" (point: String) -> Option<String>;
        /// Reads a file of this kind.
        ask fn read "read" (file: File) -> Vec<Series>;
        /// Writes values in the named form.
        ask fn write "write" (form: String, series: Vec<Series>) -> File;
        /// The names of the forms that `write` knows.
        bare fn forms "forms" () -> Vec<String>;
        /// Values from the other system.
        ask fn fetch "fetch" (span: Span) -> Vec<Series>;
        /// Values to the other system: its name for what was sent.
        once fn send "send" (series: Vec<Series>) -> String;
    }
}
