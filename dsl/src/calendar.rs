//! Windows to sets of local days and minutes.
