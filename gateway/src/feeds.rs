//! Price feeds on their way in: files and texts of every known format become steps in the storage. Absent: any guess; a
//! price that has not come is missing, and an alert.
//!
//! ```text
//! a file in a folder, a text by the API ──▶ read ──▶ compared with what stands ──▶ kept, pending bills woken
//!                                                    └─ prices of billed sessions changed ──▶ alert, bills to correct
//! ```

mod areas;
mod asked;
mod books;
pub(crate) mod cost;
mod folder;
mod intake;
mod late;
mod needs;

pub use areas::clock_of;
pub use asked::{Asked, Currencies, Holds};
pub use books::Books;
pub use folder::{Folder, Taken};
pub use intake::{FeedError, Offered, Received, SeriesReceived, receive, receive_asked};
pub(crate) use intake::{changed, publish};
pub use late::{Expected, check_late, tell};
pub use needs::{LoadError, Loaded, Need, Publication, add_to, is_in_use, load, needs};
