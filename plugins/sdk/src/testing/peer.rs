//! Requests to a program on this machine.

use super::{Failure, SendError, Sent};
use crate::http::Response;
use std::time::Duration;
use ureq::http;

/// Who answers.
pub struct Peer {
    address: String,
    agent: ureq::Agent,
}

impl Peer {
    /// `http://127.0.0.1:25001`.
    pub fn new(address: &str) -> Self {
        let config = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .timeout_global(Some(Duration::from_secs(10)));
        Self { address: address.trim_end_matches('/').to_owned(), agent: config.build().new_agent() }
    }

    /// Sends it there instead of where it says, and waits for the whole answer.
    pub fn send(&self, request: &Sent) -> Result<Response, SendError> {
        let denied =
            |error: &dyn std::fmt::Display| SendError { failure: Failure::Denied, detail: error.to_string() };
        let mut builder = http::Request::builder().method(request.method.as_str()).uri(format!(
            "{}{}",
            self.address,
            request.path()
        ));
        for (name, value) in &request.headers {
            builder = builder.header(name, value);
        }
        let request = builder.body(request.body.clone()).map_err(|e| denied(&e))?;
        let mut response = self.agent.run(request).map_err(|error| {
            let failure = match error {
                ureq::Error::ConnectionFailed | ureq::Error::HostNotFound => Failure::NoConnection,
                ureq::Error::Io(ref e) if e.kind() == std::io::ErrorKind::ConnectionRefused => {
                    Failure::NoConnection
                }
                _ => Failure::Lost,
            };
            SendError { failure, detail: error.to_string() }
        })?;
        let headers = response
            .headers()
            .iter()
            .map(|(name, value)| (name.to_string(), String::from_utf8_lossy(value.as_bytes()).into_owned()))
            .collect();
        let status = response.status().as_u16();
        let body = response
            .body_mut()
            .read_to_vec()
            .map_err(|e| SendError { failure: Failure::Lost, detail: e.to_string() })?;
        Ok(Response { status, headers, body })
    }
}
