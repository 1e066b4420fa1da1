//! `configuration`: exported by every plugin.

use super::capability;
use crate::model::Finding;

capability! {
    /// A plugin's look at its settings.
    Configuration "configuration" {
        /// What the operator should know of the settings. Nothing is sent.
        sure fn check "check" () -> Vec<Finding>;
    }
}
