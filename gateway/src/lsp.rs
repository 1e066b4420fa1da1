//! `takst lsp`: what an editor asks about tariff files, over standard input and output. Each file is checked as a whole after
//! each change; what it is based on comes from the editor where it is open there, and from the disk else.

mod actions;
mod convert;
mod rename;
mod server;
mod workspace;

use server::Backend;
use std::io;
use tower_lsp_server::{LspService, Server};

/// Answers an editor until it says goodbye.
///
/// # Errors
/// When the system gives no threads.
pub fn run() -> io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let (service, socket) = LspService::new(Backend::new);
        // One message after the other: an answer is always about the text that the editor had when it asked.
        let server = Server::new(tokio::io::stdin(), tokio::io::stdout(), socket).concurrency_level(1);
        server.serve(service).await;
    });
    // Standard input is read by a thread that would wait for more.
    runtime.shutdown_background();
    Ok(())
}
