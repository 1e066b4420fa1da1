//! The mail server of a set-up: read, checked, its password looked up. Nothing is sent for it.

use super::files;
use super::load::Environment;
use super::merge::Raw;
use super::model::{Mail, MailSecurity};
use super::read::shown;
use super::report::{More as _, Report};
use super::secret::SecretPlace;
use crate::mail::{Security, Server};
use lettre::message::Mailbox;
use std::path::Path;
use std::sync::Arc;
use takst_plugins::secrets::Secret;

/// Of a password, and of certificates.
const LARGEST: usize = 256 * 1024;

/// The mail server, where there is one that can be used.
pub(crate) fn load(
    raw: &Raw,
    folder: &Path,
    environment: &Environment<'_>,
    report: &mut Report,
) -> Option<Arc<Server>> {
    let item = raw.mail.as_ref()?;
    let Mail { server, port, security, user, password, from, reply_to, roots, receipts } = &item.it;
    let mut wrong = |key: &str, message: String, help: &str| {
        report.error("S078", item.at(&[key]), message).advise(help.to_owned());
    };
    let host = server.trim();
    let is_host = |c: char| c.is_ascii_alphanumeric() || ".-:".contains(c);
    if host.is_empty() || !host.chars().all(is_host) {
        let message = format!("\"{}\" is no name of a server", shown(server));
        wrong("server", message, "write its name alone, as in \"smtp.example.com\"; its port is `port`");
    }
    let usual = match security {
        MailSecurity::Starttls => 587,
        MailSecurity::Tls => 465,
        MailSecurity::None => 25,
    };
    let port = u16::try_from(port.unwrap_or(usual)).ok().filter(|port| *port > 0);
    if port.is_none() {
        wrong("port", "this is no port".to_owned(), "write 1 to 65535, or leave it out");
    }
    let is_here = matches!(host, "localhost" | "127.0.0.1" | "::1");
    if *security == MailSecurity::None && !is_here {
        let message = format!("what is sent to {} could be read on the way", shown(host));
        let help = "write `security = \"starttls\"` or `\"tls\"`; `none` is for a server on this machine";
        wrong("security", message, help);
    }
    if user.is_some() != password.is_some() {
        let help =
            "write both, as in `user = \"takst\"` and `password = { env = \"SMTP_PASSWORD\" }`, or neither";
        wrong("user", "`user` and `password` go together".to_owned(), help);
    }
    let mut mailbox = |key: &str, text: &str| {
        let read = text.parse::<Mailbox>().ok().filter(|mailbox| mailbox.email.to_string().is_ascii());
        if read.is_none() {
            let message = format!("\"{}\" is no sender of mail", shown(text));
            wrong(
                key,
                message,
                "write an address, as in \"receipts@example.com\" or \"Takst <receipts@example.com>\"",
            );
        }
        read
    };
    let from = mailbox("from", from);
    let reply_to = reply_to.as_ref().map(|text| mailbox("reply_to", text));
    let mut file = |key: &str, path: &str| {
        let read = files::read(&folder.join(path), LARGEST);
        read.map_err(|error| {
            let message = format!("`{}` cannot be read: {}", shown(path), files::why(&error));
            report
                .error("S043", item.at(&[key]), message)
                .advise("check its name; it is relative to this file");
        })
        .ok()
    };
    let roots = match roots {
        Some(path) => Some(file("roots", path.as_str())?),
        None => None,
    };
    let password = match password {
        None => None,
        Some(SecretPlace::File(path)) => Some(Secret::new(&file("password", path)?)),
        Some(SecretPlace::Env(name)) => match (environment.variable)(name) {
            Some(bytes) => Some(Secret::new(&bytes)),
            None => {
                let message = format!("the environment variable `{}` is not set", shown(name));
                report
                    .error("S043", item.at(&["password"]), message)
                    .advise("set it where `takst serve` is started");
                None
            }
        },
    };
    Some(Arc::new(Server {
        host: host.to_owned(),
        port: port?,
        security: match security {
            MailSecurity::Starttls => Security::Starttls,
            MailSecurity::Tls => Security::Tls,
            MailSecurity::None => Security::None,
        },
        login: user.clone().zip(password),
        from: from?,
        reply_to: reply_to.flatten(),
        roots,
        receipts: *receipts,
    }))
}
