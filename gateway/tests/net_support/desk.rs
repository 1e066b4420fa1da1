//! A desk without billing: it lets in whom the test allows, keeps what it hears, and answers as it is told.

use std::collections::{HashMap, HashSet};
use std::sync::Mutex;
use std::time::Duration;
use takst_gateway::chargers::model::{
    Answer, AuthorizeAnswer, Registration, Report, TokenInfo, TokenStatus, TransactionAnswer,
    TransactionPhase,
};
use takst_gateway::link::{Admission, Desk, Knock, Link, Received, Reply, Welcome};
use takst_gateway::ocpp::{Dialect, Habits};

/// How one charger is dealt with.
#[derive(Clone)]
pub struct Rule {
    pub password: Option<Vec<u8>>,
    /// The name of the certificate that it must show.
    pub certificate: Option<String>,
    pub encrypted: bool,
    /// What is spoken when it offers nothing; none: it is refused.
    pub assume: Option<Dialect>,
    pub dialects: Vec<Dialect>,
    pub habits: Habits,
    pub ping_s: Option<u64>,
    pub booted: bool,
    pub registration: Registration,
    pub interval_s: i64,
    /// How long a report takes to be kept.
    pub takes: Duration,
    /// So many reports cannot be kept.
    pub fails: usize,
    pub panics: bool,
    /// How long its admission takes.
    pub thinks: Duration,
    pub frames_kept: i64,
}

impl Default for Rule {
    fn default() -> Self {
        Self {
            password: None,
            certificate: None,
            encrypted: false,
            assume: None,
            dialects: vec![Dialect::V16, Dialect::V201, Dialect::V21],
            habits: Habits::default(),
            ping_s: Some(30),
            booted: false,
            registration: Registration::Accepted,
            interval_s: 300,
            takes: Duration::ZERO,
            fails: 0,
            panics: false,
            thinks: Duration::ZERO,
            frames_kept: 0,
        }
    }
}

/// What was heard.
#[derive(Clone)]
pub struct Heard {
    pub charger: String,
    pub connection: String,
    pub received: Received,
}

#[derive(Default)]
pub struct Memory {
    pub rules: Mutex<HashMap<String, Rule>>,
    pub knocks: Mutex<Vec<Knock>>,
    pub heard: Mutex<Vec<Heard>>,
    /// `+connection` and `-connection`, in order.
    pub links: Mutex<Vec<String>>,
    busy: Mutex<HashSet<String>>,
    transactions: Mutex<i64>,
}

impl Memory {
    /// The actions a charger has been heard with.
    pub fn actions(&self, charger: &str) -> Vec<String> {
        self.of(charger).into_iter().map(|heard| heard.received.action).collect()
    }

    pub fn of(&self, charger: &str) -> Vec<Heard> {
        self.heard.lock().unwrap().iter().filter(|heard| heard.charger == charger).cloned().collect()
    }

    fn rule(&self, charger: &str) -> Option<Rule> {
        self.rules.lock().unwrap().get(charger).cloned()
    }

    fn decide(&self, knock: &Knock) -> Result<Welcome, (u16, &'static str)> {
        let rule = self.rule(&knock.identity).ok_or((404, "there is no charger of that name"))?;
        if rule.encrypted && !knock.encrypted {
            return Err((403, "this charger must come over TLS"));
        }
        if rule.certificate.is_some() && knock.certificate != rule.certificate {
            return Err((403, "this charger must show its certificate"));
        }
        if rule.password.is_some()
            && knock.basic.as_ref().map(|(_, password)| password) != rule.password.as_ref()
        {
            return Err((401, "wrong name or password"));
        }
        let offered = rule.dialects.iter().find_map(|dialect| {
            let name = knock.offers.iter().find(|name| Dialect::of_subprotocol(name) == Some(*dialect))?;
            Some((*dialect, Some(name.clone())))
        });
        let assumed = rule.assume.filter(|_| knock.offers.is_empty()).map(|dialect| (dialect, None));
        let (dialect, subprotocol) = offered.or(assumed).ok_or((400, "no version of OCPP in common"))?;
        Ok(Welcome {
            org: super::org(),
            charger: knock.identity.clone(),
            dialect,
            subprotocol,
            habits: rule.habits,
            ping_s: rule.ping_s,
            booted: rule.booted,
            frames_kept: rule.frames_kept,
        })
    }

    fn answer(&self, rule: &Rule, received: &Received) -> Reply {
        let accepted = rule.registration == Registration::Accepted;
        Reply::Answer(match &received.report {
            Report::Boot(_) => Answer::Boot {
                status: rule.registration,
                now: received.at,
                interval_s: rule.interval_s,
                info: None,
            },
            report if !accepted && !report.is_transaction() => return Reply::NotYet,
            Report::Authorize(_) => {
                Answer::Authorize(Box::new(AuthorizeAnswer::from(TokenInfo::of(TokenStatus::Accepted))))
            }
            Report::Transaction(report) => {
                let mut next = self.transactions.lock().unwrap();
                if report.phase == TransactionPhase::Started {
                    *next += 1;
                }
                Answer::Transaction(Box::new(TransactionAnswer {
                    id: Some(*next),
                    ..TransactionAnswer::default()
                }))
            }
            report => report.default_answer(received.at).unwrap(),
        })
    }
}

impl Desk for Memory {
    async fn admit(&self, knock: Knock) -> Admission {
        let thinks = self.rule(&knock.identity).map_or(Duration::ZERO, |rule| rule.thinks);
        tokio::time::sleep(thinks).await;
        let decision = self.decide(&knock);
        self.knocks.lock().unwrap().push(knock);
        match decision {
            Ok(welcome) => Admission::Welcome(welcome),
            Err((status, why)) => Admission::Refused { status, why: why.to_owned() },
        }
    }

    async fn connected(&self, link: &Link) {
        self.links.lock().unwrap().push(format!("+{}", link.connection));
    }

    async fn report(&self, link: &Link, received: Received) -> Reply {
        assert!(
            self.busy.lock().unwrap().insert(link.charger.clone()),
            "two reports of {} at once",
            link.charger
        );
        let rule = self.rule(&link.charger).unwrap();
        tokio::time::sleep(rule.takes).await;
        assert!(self.busy.lock().unwrap().remove(&link.charger));
        assert!(!rule.panics, "the test wants a panic");
        if rule.fails > 0 {
            self.rules.lock().unwrap().get_mut(&link.charger).unwrap().fails -= 1;
            return Reply::Failed;
        }
        let reply = self.answer(&rule, &received);
        let heard = Heard { charger: link.charger.clone(), connection: link.connection.clone(), received };
        self.heard.lock().unwrap().push(heard);
        reply
    }

    async fn disconnected(&self, link: &Link) {
        self.links.lock().unwrap().push(format!("-{}", link.connection));
    }
}
