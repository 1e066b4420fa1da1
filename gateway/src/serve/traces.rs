//! Traces for an OpenTelemetry collector: what became of one message, one request, one bill. Off unless an address is given.

use axum::extract::{MatchedPath, Request};
use axum::http::{HeaderMap, HeaderName, Uri};
use axum::middleware::Next;
use axum::response::Response;
use opentelemetry::trace::TracerProvider as _;
use opentelemetry::{KeyValue, propagation::Extractor};
use opentelemetry_otlp::{Protocol, SpanExporter, WithExportConfig as _};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::propagation::TraceContextPropagator;
use opentelemetry_sdk::trace::{Sampler, SdkTracer, SdkTracerProvider};
use std::time::Duration;
use tracing::Instrument as _;
use tracing::field::Empty;
use tracing_opentelemetry::OpenTelemetrySpanExt as _;

/// The target of all spans: they go to the collector alone, and cost nothing where nobody asked for them.
pub const TARGET: &str = "takst::trace";

/// Where traces go, and how many.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// The collector's address for OTLP over HTTP: `http://127.0.0.1:4318`.
    pub to: String,
    /// Of so many traces one is kept. At least 1.
    pub one_in: u32,
}

/// Traces on their way. What is not sent yet is sent by [`Traces::end`].
#[derive(Debug)]
pub struct Traces {
    provider: SdkTracerProvider,
}

impl Traces {
    /// Prepares the way to the collector. Nothing is sent yet, and a collector that is down is no error: its traces are lost, nothing else.
    ///
    /// # Errors
    /// In words: an address that is none, or one with https.
    pub fn begin(options: &Options) -> Result<Self, String> {
        let address = options.to.trim_end_matches('/');
        let wrong = |why: &str| {
            Err(format!("traces cannot go to `{address}`: {why}; write it as http://127.0.0.1:4318"))
        };
        match address.parse::<Uri>() {
            Ok(uri) if uri.scheme_str() == Some("https") => {
                return wrong(
                    "they are sent without TLS, to a collector on this machine or network that sends them on",
                );
            }
            Ok(uri) if uri.scheme_str() == Some("http") && uri.host().is_some() => {}
            _ => return wrong("that is no address"),
        }
        // As the standard has it: the base address, and below it the path of traces.
        let endpoint =
            if address.ends_with("/v1/traces") { address.to_owned() } else { format!("{address}/v1/traces") };
        let exporter = SpanExporter::builder()
            .with_http()
            .with_protocol(Protocol::HttpBinary)
            .with_endpoint(endpoint)
            .with_timeout(Duration::from_secs(10))
            .build()
            .map_err(|error| format!("traces cannot go to `{address}`: {error}"))?;
        let resource = Resource::builder()
            .with_service_name("takst")
            .with_attribute(KeyValue::new("service.version", env!("CARGO_PKG_VERSION")))
            .build();
        let sampler = match options.one_in {
            0 | 1 => Sampler::AlwaysOn,
            many => Sampler::TraceIdRatioBased(f64::from(many).recip()),
        };
        let provider = SdkTracerProvider::builder()
            // Who called us with a trace of his own has decided already.
            .with_sampler(Sampler::ParentBased(Box::new(sampler)))
            .with_resource(resource)
            .with_batch_exporter(exporter)
            .build();
        opentelemetry::global::set_text_map_propagator(TraceContextPropagator::new());
        Ok(Self { provider })
    }

    /// What spans are handed to.
    pub(super) fn tracer(&self) -> SdkTracer {
        self.provider.tracer("takst")
    }

    /// Sends what is left, for a few seconds at most.
    pub fn end(self) {
        if let Err(error) = self.provider.shutdown_with_timeout(Duration::from_secs(3)) {
            tracing::warn!(%error, "the last traces were not sent");
        }
    }
}

/// A span per request, named as its address is in the documentation.
pub async fn traced(request: Request, next: Next) -> Response {
    let route = request.extensions().get::<MatchedPath>().map_or("", MatchedPath::as_str);
    let span = tracing::info_span!(
        target: TARGET,
        "request",
        otel.name = format!("{} {route}", request.method()),
        otel.kind = "server",
        http.request.method = %request.method(),
        http.route = route,
        http.response.status_code = Empty,
    );
    follow(&span, request.headers());
    let response = next.run(request).instrument(span.clone()).await;
    span.record("http.response.status_code", response.status().as_u16());
    response
}

/// Makes the caller's span (`traceparent`, W3C Trace Context) the parent of this one.
fn follow(span: &tracing::Span, headers: &HeaderMap) {
    if span.is_disabled() {
        return;
    }
    let parent = opentelemetry::global::get_text_map_propagator(|way| way.extract(&Headers(headers)));
    // A span that is no longer there has no parent to be told of.
    let _ = span.set_parent(parent);
}

struct Headers<'a>(&'a axum::http::HeaderMap);

impl Extractor for Headers<'_> {
    fn get(&self, key: &str) -> Option<&str> {
        self.0.get(key).and_then(|value| value.to_str().ok())
    }

    fn keys(&self) -> Vec<&str> {
        self.0.keys().map(HeaderName::as_str).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_that_cannot_be_is_said() {
        for (to, why) in
            [("https://collector:4318", "without TLS"), ("collector", "no address"), ("", "no address")]
        {
            let error = Traces::begin(&Options { to: to.to_owned(), one_in: 1 }).unwrap_err();
            assert!(error.contains(why) && error.contains("http://127.0.0.1:4318"), "{error}");
        }
    }
}
