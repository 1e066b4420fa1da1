//! The operator's settings.

use crate::{Error, Finding, Options};

/// The settings of a call, by name.
#[derive(Debug, Clone, Copy)]
pub struct Settings<'a>(pub &'a Options);

impl<'a> Settings<'a> {
    /// A setting's value; nothing if it is missing or empty.
    pub fn get(&self, name: &str) -> Option<&'a str> {
        self.0
            .iter()
            .find(|(n, _)| n == name)
            .map(|(_, value)| value.trim())
            .filter(|value| !value.is_empty())
    }

    /// A setting's value, or else this.
    pub fn get_or(&self, name: &str, default: &'a str) -> &'a str {
        self.get(name).unwrap_or(default)
    }

    /// A setting that must be there.
    ///
    /// # Errors
    /// `not-done`, naming the setting.
    pub fn need(&self, name: &str) -> Result<&'a str, Error> {
        self.get(name)
            .ok_or_else(|| Error::not_done("setting-missing", format!("the setting `{name}` is missing")))
    }

    /// A finding for each of these that is missing.
    pub fn missing(&self, names: &[(&str, &str)]) -> Vec<Finding> {
        names
            .iter()
            .filter(|(name, _)| self.get(name).is_none())
            .map(|(name, what)| Finding {
                setting: (*name).to_owned(),
                text: format!("is missing: {what}"),
                error: true,
            })
            .collect()
    }
}
