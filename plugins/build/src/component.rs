//! From core module to component.

use crate::BuildError;

/// Makes a component of a core module whose bindings carry their interface (as `wit-bindgen` leaves it in a custom section). The same module gives the same bytes.
///
/// # Errors
/// [`BuildError::Component`]: no WebAssembly, no interface in it, or exports that are missing.
pub fn component(module: &[u8]) -> Result<Vec<u8>, BuildError> {
    wit_component::ComponentEncoder::default()
        .module(module)
        .and_then(|encoder| encoder.validate(true).encode())
        .map_err(|error| BuildError::Component { said: format!("{error:#}") })
}
