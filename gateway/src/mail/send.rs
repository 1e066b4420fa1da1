//! One e-mail over SMTP (RFC 5321), step by step, so that it is known at each whether the server can have taken it.

use super::letters::Letter;
use super::{Security, Server};
use crate::outbox::provider::{Fault, Outcome};
use lettre::message::{Mailbox, MultiPart};
use lettre::transport::smtp::authentication::{Credentials, Mechanism};
use lettre::transport::smtp::client::{AsyncSmtpConnection, Certificate, TlsParameters};
use lettre::transport::smtp::commands::{Data, Mail, Rcpt};
use lettre::transport::smtp::extension::ClientId;
use lettre::{Address, Message};
use std::error::Error as _;
use std::time::Duration;
use tokio::time::{Instant, timeout, timeout_at};

/// For each step before the content, of which nothing can come.
const PATIENCE: Duration = Duration::from_secs(8);
/// For all of these, so that the content has the longer half of the time that the outbox gives a call (`Rules::call_ms`).
const BEFORE: Duration = Duration::from_secs(13);
/// For all but the goodbye: what is broken off from outside is not known, and goes out again.
const WHOLE: Duration = Duration::from_secs(28);
/// For the goodbye.
const GOODBYE: Duration = Duration::from_secs(1);
/// Characters of what a server said.
const LONGEST: usize = 300;
/// A part of an address that is shorter is hidden only where it is a word of its own.
const SHORT: usize = 3;

type SmtpError = lettre::transport::smtp::Error;

fn fault(outcome: Outcome, code: &str, why: &dyn std::fmt::Display) -> Fault {
    Fault::new(outcome, code, why.to_string())
}

// What a server said, for people who may not know whom it is about: it stays when the address has long been erased.
fn shown(text: &str, to: &Address) -> String {
    let user = to.user().trim_matches('"');
    let text = without(&without(text, to.as_ref()), user);
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(LONGEST).collect()
}

fn without(text: &str, secret: &str) -> String {
    // In ASCII both cases are as long, so places in one text are places in the other.
    let (lower, secret) = (text.to_ascii_lowercase(), secret.to_ascii_lowercase());
    if secret.is_empty() {
        return text.to_owned();
    }
    let within = |c: Option<char>| c.is_some_and(char::is_alphanumeric);
    let (mut shown, mut from) = (String::new(), 0);
    for (at, found) in lower.match_indices(&secret) {
        let end = at.saturating_add(found.len());
        let before = lower.get(..at).and_then(|text| text.chars().next_back());
        let after = lower.get(end..).and_then(|text| text.chars().next());
        if secret.len() < SHORT && (within(before) || within(after)) {
            continue;
        }
        shown.push_str(text.get(from..at).unwrap_or_default());
        shown.push_str("***");
        from = end;
    }
    shown.push_str(text.get(from..).unwrap_or_default());
    shown
}

// One step before the content is handed over: without an answer, nothing was taken.
async fn step<T>(
    until: Instant,
    code: &str,
    doing: impl Future<Output = Result<T, SmtpError>>,
    judged: impl Fn(SmtpError) -> Fault,
) -> Result<T, Fault> {
    match timeout_at(until.min(Instant::now() + PATIENCE), doing).await {
        Ok(done) => done.map_err(judged),
        Err(_) => Err(fault(Outcome::NotDone, code, &"the mail server did not answer in time")),
    }
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
    let sent = deliver(server, key, letter).await;
    sent.map_err(|fault| Fault { detail: shown(&fault.detail, &letter.to), ..fault })
}

async fn deliver(server: &Server, key: &str, letter: &Letter) -> Result<String, Fault> {
    let begun = Instant::now();
    let until = begun + BEFORE;
    let id = format!("<{key}@{}>", server.from.email.domain());
    let written = written(server, &id, letter)?;
    let mut line = connect(server, until).await?;
    let mail = Mail::new(Some(server.from.email.clone()), Vec::new());
    step(until, "no-answer", line.command(mail), not_done("sender-refused")).await?;
    // A server that does not know the recipient says so for good; 4xx is for later, as with greylisting.
    step(until, "no-answer", line.command(Rcpt::new(letter.to.clone(), Vec::new())), recipient).await?;
    step(until, "no-answer", line.command(Data), answered("refused")).await?;
    let taken = timeout_at(begun + WHOLE, line.message(&written)).await;
    let late = "the mail server was handed the message and did not answer in time";
    let taken = taken.map_err(|_| fault(Outcome::Unknown, "lost", &late))?;
    taken.map_err(|error| match error.status() {
        Some(_) => answered("refused")(error),
        None => fault(Outcome::Unknown, "lost", &error),
    })?;
    // It has it, whatever becomes of the goodbye.
    let _ = timeout(GOODBYE, line.quit()).await;
    Ok(id)
}

// What a server says about a recipient for good, unless it is about whoever sends: that can be put right here, and then it goes out.
fn recipient(error: SmtpError) -> Fault {
    let code = error.status().map_or(0, u16::from);
    let said = error.source().map(ToString::to_string).unwrap_or_default();
    if error.is_permanent() && is_ours(code, &said) {
        let why = format!(
            "the mail server does not take mail for others from here; look at `user`, `password` and `from` of [mail], or ask who runs it: {error}"
        );
        return fault(Outcome::NotDone, "not-allowed", &why);
    }
    answered("recipient-refused")(error)
}

// RFC 3463: 5.7 is about what is allowed, 5.1 about addresses. RFC 4954: 530 and 535 want a login; 554 is what relays say.
fn is_ours(code: u16, said: &str) -> bool {
    let said = said.trim_start();
    said.starts_with("5.7.") || (matches!(code, 530 | 535 | 554) && !said.starts_with("5.1."))
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

async fn connect(server: &Server, until: Instant) -> Result<AsyncSmtpConnection, Fault> {
    let tls = match server.security {
        Security::None => None,
        Security::Tls | Security::Starttls => Some(parameters(server)?),
    };
    // What this machine is called is nobody's business; the domain of the sender is a name that there is.
    let hello = ClientId::Domain(server.from.email.domain().to_owned());
    let at_once = tls.clone().filter(|_| server.security == Security::Tls);
    let address = (server.host.as_str(), server.port);
    // The library's own time-out is for the connection only, not for the greeting.
    let connecting = AsyncSmtpConnection::connect_tokio1(address, Some(PATIENCE), &hello, at_once, None);
    let mut line = step(until, "no-connection", connecting, not_done("no-connection")).await?;
    if let Some(tls) = tls.filter(|_| server.security == Security::Starttls) {
        if !line.can_starttls() {
            let why =
                "the server offers no STARTTLS: set `security = \"tls\"` and its port, or ask who runs it";
            return Err(fault(Outcome::NotDone, "no-tls", &why));
        }
        step(until, "no-tls", line.starttls(tls, &hello), not_done("no-tls")).await?;
    }
    if let Some((user, password)) = &server.login {
        let password = String::from_utf8_lossy(password.expose()).into_owned();
        let credentials = Credentials::new(user.clone(), password);
        let mechanisms = [Mechanism::Plain, Mechanism::Login];
        step(until, "login", line.auth(&mechanisms, &credentials), not_done("login")).await?;
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

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
    use tokio::net::TcpListener;

    // A mail server for one message, which says this of its recipient and nothing to QUIT.
    async fn server(of_recipient: &'static str) -> Server {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        tokio::spawn(async move {
            let (stream, _) = listener.accept().await.unwrap();
            let (read, mut write) = stream.into_split();
            let mut lines = BufReader::new(read).lines();
            write.write_all(b"220 mail\r\n").await.unwrap();
            let mut content = false;
            while let Ok(Some(line)) = lines.next_line().await {
                let answer = match line.split(' ').next().unwrap() {
                    "." if content => {
                        content = false;
                        "250 taken"
                    }
                    _ if content => continue,
                    "RCPT" => of_recipient,
                    "DATA" => {
                        content = true;
                        "354 go on"
                    }
                    "QUIT" => continue,
                    _ => "250 fine",
                };
                write.write_all(format!("{answer}\r\n").as_bytes()).await.unwrap();
            }
        });
        Server {
            host: "127.0.0.1".to_owned(),
            port,
            security: Security::None,
            login: None,
            from: "Takst <receipts@takst.example>".parse().unwrap(),
            reply_to: None,
            roots: None,
            receipts: true,
        }
    }

    fn letter() -> Letter {
        let (subject, text, page) = ("Receipt".to_owned(), "20.00".to_owned(), "<p>20.00</p>".to_owned());
        Letter { to: "Kari.N@example.org".parse().unwrap(), subject, text, page }
    }

    #[tokio::test]
    async fn a_server_that_has_the_message_need_not_say_goodbye() {
        let server = server("250 fine").await;
        let begun = Instant::now();
        assert_eq!(send(&server, "key", &letter()).await.unwrap(), "<key@takst.example>");
        assert!(begun.elapsed() < PATIENCE, "{:?}", begun.elapsed());
    }

    #[tokio::test]
    async fn what_is_said_of_a_recipient_is_his_or_ours_and_does_not_name_him() {
        for (said, outcome, code) in [
            ("550 5.1.1 <kari.n@EXAMPLE.org>: unknown", Outcome::Refused, "recipient-refused"),
            ("550 no mailbox KARI.N here", Outcome::Refused, "recipient-refused"),
            ("553 5.1.3 kari.n@example.org is no address", Outcome::Refused, "recipient-refused"),
            ("554 5.1.1 kari.n: unknown", Outcome::Refused, "recipient-refused"),
            ("451 4.7.1 kari.n@example.org: come again", Outcome::NotDone, "recipient-refused"),
            ("550 5.7.1 <Kari.N@example.org>: relaying denied", Outcome::NotDone, "not-allowed"),
            ("554 <kari.n@example.org>: relay access denied", Outcome::NotDone, "not-allowed"),
            ("530 log in first", Outcome::NotDone, "not-allowed"),
            ("535 5.7.8 log in first", Outcome::NotDone, "not-allowed"),
        ] {
            let fault = send(&server(said).await, "key", &letter()).await.unwrap_err();
            assert_eq!((fault.outcome, fault.code.as_str()), (outcome, code), "{said}: {fault:?}");
            assert!(!fault.detail.to_lowercase().contains("kari"), "{fault:?}");
            let last = said.rsplit(' ').next().unwrap();
            assert!(fault.detail.ends_with(last), "what is said is kept: {fault:?}");
        }
    }

    #[test]
    fn a_short_name_leaves_the_other_words() {
        let to = "no@example.org".parse().unwrap();
        assert_eq!(shown("nobody is No, <NO@example.org>", &to), "nobody is ***, <***>");
        let to = "kari@example.org".parse().unwrap();
        // Nothing of it is left where the text is cut.
        let long = format!("{}kari@example.org", "x".repeat(LONGEST - 2));
        assert!(!shown(&long, &to).contains('k'));
    }

    #[tokio::test]
    async fn a_step_without_an_answer_was_not_done() {
        let soon = Instant::now() + Duration::from_millis(20);
        let never = std::future::pending::<Result<(), SmtpError>>();
        let fault = step(soon, "no-answer", never, not_done("other")).await.unwrap_err();
        assert_eq!((fault.outcome, fault.code.as_str()), (Outcome::NotDone, "no-answer"));
    }
}
