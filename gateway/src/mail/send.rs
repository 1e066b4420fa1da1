//! One e-mail over SMTP (RFC 5321), step by step, so that it is known at each whether the server can have taken it.

use super::letters::Letter;
use super::{Security, Server};
use crate::outbox::provider::{Fault, Outcome};
use lettre::Message;
use lettre::message::{Mailbox, MultiPart};
use lettre::transport::smtp::authentication::{Credentials, Mechanism};
use lettre::transport::smtp::client::{AsyncSmtpConnection, Certificate, TlsParameters};
use lettre::transport::smtp::commands::{Data, Mail, Rcpt};
use lettre::transport::smtp::extension::ClientId;
use std::time::Duration;

/// For each step.
const PATIENCE: Duration = Duration::from_secs(8);

type SmtpError = lettre::transport::smtp::Error;

fn fault(outcome: Outcome, code: &str, why: &dyn std::fmt::Display) -> Fault {
    let text: String =
        why.to_string().chars().map(|c| if c.is_control() { ' ' } else { c }).take(300).collect();
    Fault::new(outcome, code, text)
}

// Nothing was handed over.
fn not_done(code: &'static str) -> impl Fn(SmtpError) -> Fault {
    move |error| fault(Outcome::NotDone, code, &error)
}

/// Sends it: its `Message-ID`, which follows from the key.
///
/// # Errors
/// Why the server did not take it, or that nobody knows.
pub(super) async fn send(server: &Server, key: &str, letter: &Letter) -> Result<String, Fault> {
    let id = format!("<{key}@{}>", server.from.email.domain());
    let written = written(server, &id, letter)?;
    let mut line = connect(server).await?;
    let mail = Mail::new(Some(server.from.email.clone()), Vec::new());
    line.command(mail).await.map_err(not_done("sender-refused"))?;
    // A server that does not know the recipient says so for good; 4xx is for later, as with greylisting.
    line.command(Rcpt::new(letter.to.clone(), Vec::new())).await.map_err(answered("recipient-refused"))?;
    line.command(Data).await.map_err(answered("refused"))?;
    let taken = line.message(&written).await;
    taken.map_err(|error| match error.status() {
        Some(_) => answered("refused")(error),
        None => fault(Outcome::Unknown, "lost", &error),
    })?;
    // It has it, whatever becomes of the goodbye.
    let _ = line.quit().await;
    Ok(id)
}

// What a server says about a message before it has all of it.
fn answered(code: &'static str) -> impl Fn(SmtpError) -> Fault {
    move |error| {
        let outcome = if error.is_permanent() { Outcome::Refused } else { Outcome::NotDone };
        fault(outcome, code, &error)
    }
}

fn written(server: &Server, id: &str, letter: &Letter) -> Result<Vec<u8>, Fault> {
    let Letter { to, subject, text, page } = letter;
    let mut message = Message::builder()
        .from(server.from.clone())
        .to(Mailbox::new(None, to.clone()))
        .subject(subject.clone())
        .message_id(Some(id.to_owned()))
        .date_now();
    if let Some(reply_to) = &server.reply_to {
        message = message.reply_to(reply_to.clone());
    }
    let body = MultiPart::alternative_plain_html(text.clone(), page.clone());
    let message = message.multipart(body);
    Ok(message.map_err(|error| fault(Outcome::Refused, "unwritable", &error))?.formatted())
}

async fn connect(server: &Server) -> Result<AsyncSmtpConnection, Fault> {
    let tls = match server.security {
        Security::None => None,
        Security::Tls | Security::Starttls => Some(parameters(server)?),
    };
    // What this machine is called is nobody's business; the domain of the sender is a name that there is.
    let hello = ClientId::Domain(server.from.email.domain().to_owned());
    let at_once = tls.clone().filter(|_| server.security == Security::Tls);
    let address = (server.host.as_str(), server.port);
    let line = AsyncSmtpConnection::connect_tokio1(address, Some(PATIENCE), &hello, at_once, None).await;
    let mut line = line.map_err(not_done("no-connection"))?;
    if let Some(tls) = tls.filter(|_| server.security == Security::Starttls) {
        if !line.can_starttls() {
            let why =
                "the server offers no STARTTLS: set `security = \"tls\"` and its port, or ask who runs it";
            return Err(fault(Outcome::NotDone, "no-tls", &why));
        }
        line.starttls(tls, &hello).await.map_err(not_done("no-tls"))?;
    }
    if let Some((user, password)) = &server.login {
        let password = String::from_utf8_lossy(password.expose()).into_owned();
        let credentials = Credentials::new(user.clone(), password);
        let logged_in = line.auth(&[Mechanism::Plain, Mechanism::Login], &credentials).await;
        logged_in.map_err(not_done("login"))?;
    }
    Ok(line)
}

fn parameters(server: &Server) -> Result<TlsParameters, Fault> {
    let mut builder = TlsParameters::builder(server.host.clone());
    if let Some(pem) = &server.roots {
        let root = Certificate::from_pem(pem);
        builder = builder.add_root_certificate(root.map_err(not_done("roots"))?);
    }
    builder.build_rustls().map_err(not_done("no-tls"))
}
