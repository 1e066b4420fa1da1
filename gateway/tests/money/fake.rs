//! A payment provider with a memory of its own, which outlives every gateway: what it did is the truth. It does a thing once for
//! each key, and goes wrong in every way that it is told to.

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;
use takst_gateway::outbox::provider::*;
use takst_gateway::store::OrgId;
use tokio::sync::Notify;

/// How a call goes wrong.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Mode {
    /// It does not.
    Fine,
    /// The payer's bank says no.
    Decline,
    /// Nothing was sent.
    NoConnection,
    /// 429 with Retry-After.
    Busy,
    /// Done, and the answer is lost.
    LostAnswer,
    /// The plugin breaks off before it asks.
    Trap,
    /// The plugin breaks off when it has the answer.
    TrapAfter,
    /// No answer, and nothing done.
    Hang,
    /// No answer, though it was done.
    HangAfter,
    /// It is done some time after everybody has stopped waiting.
    Late,
    /// The gateway dies before anything was sent.
    Crash,
    /// The gateway dies when it was done.
    CrashAfter,
    /// The provider takes its time: it is done at a later look.
    Slow,
    /// It is set aside first.
    Reserve,
    /// It answers, and takes as long as it may for it.
    Long,
    /// A refund is refused for good.
    Refuse,
}

pub const MODES: [Mode; 14] = [
    Mode::Fine,
    Mode::Decline,
    Mode::NoConnection,
    Mode::Busy,
    Mode::LostAnswer,
    Mode::Trap,
    Mode::TrapAfter,
    Mode::Hang,
    Mode::HangAfter,
    Mode::Late,
    Mode::Crash,
    Mode::CrashAfter,
    Mode::Slow,
    Mode::Reserve,
];

/// A payment at the provider.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Kept {
    pub theirs: String,
    pub payer: String,
    pub amount: i64,
    pub currency: String,
    pub status: Status,
    pub captured: i64,
    pub refunded: i64,
    /// How many times money was taken.
    pub takings: u32,
}

#[derive(Clone, Default)]
pub struct Truth {
    /// By our reference.
    pub payments: BTreeMap<String, Kept>,
    /// What was done under which key: on which payment.
    pub done: HashMap<String, String>,
    /// The keys of each payer in the order in which they were first asked with.
    pub asked: BTreeMap<String, Vec<String>>,
    /// Keys whose outcome the gateway cannot know; looked up, it can.
    pub unsure: HashSet<String>,
    /// What must not be.
    pub faults: Vec<String>,
    pub calls: u64,
    /// What each further call does; then `rng` decides, if there is one.
    pub script: VecDeque<Mode>,
    pub rng: Option<fastrand::Rng>,
    pub instruments: BTreeMap<String, ProviderInstrument>,
    /// What is open stays open.
    pub refuses_cancels: bool,
    /// How long a call may take, where it says so.
    pub lasts: Duration,
    /// Refunds by their key: of which payment, and how much.
    pub refunds: BTreeMap<String, (String, i64)>,
    /// Keys do not hold for ever: what is asked again is done again. Looked up, it is found.
    pub forgets: bool,
    /// An answer about a payment waits on its way: `0` says that it is under way, `1` lets it go on.
    pub gate: Option<Arc<(Notify, Notify)>>,
}

/// The provider.
#[derive(Default)]
pub struct Fake {
    truth: Mutex<Truth>,
    /// Somebody is to die.
    pub crash: Notify,
}

fn money(minor: i64, currency: &str) -> Money {
    Money { minor, currency: currency.to_owned() }
}

impl Truth {
    fn mode(&mut self, look: bool) -> Mode {
        self.calls += 1;
        if let Some(mode) = self.script.pop_front() {
            return mode;
        }
        let Some(rng) = &mut self.rng else { return Mode::Fine };
        if rng.u8(0..100) < 35 {
            return Mode::Fine;
        }
        let mode = MODES[rng.usize(0..MODES.len())];
        let call_only = matches!(mode, Mode::Decline | Mode::Slow | Mode::Reserve | Mode::Late);
        if look && call_only { Mode::Fine } else { mode }
    }

    fn answer(&self, ours: &str) -> ProviderPayment {
        let kept = &self.payments[ours];
        let failure = (kept.status == Status::Failed)
            .then(|| Fault::new(Outcome::Refused, "card-declined", "the bank said no"));
        ProviderPayment {
            reference: kept.theirs.clone(),
            status: kept.status,
            captured: money(kept.captured, &kept.currency),
            refunded: money(kept.refunded, &kept.currency),
            next: (kept.status == Status::ActionNeeded).then(|| "https://pay.example/3ds".to_owned()),
            failure,
        }
    }

    fn ours(&self, theirs: &str) -> Option<String> {
        self.payments.iter().find(|(_, kept)| kept.theirs == theirs).map(|(ours, _)| ours.clone())
    }

    /// Asks for a thing: once for each key.
    pub fn act(&mut self, key: &str, act: &Act, mode: Mode) -> String {
        if let Some(ours) = self.done.get(key).filter(|_| !self.forgets) {
            return ours.clone();
        }
        let ours = match act {
            Act::Charge(request) => {
                let Money { minor, currency } = request.amount.clone();
                let status = match mode {
                    Mode::Decline => Status::Failed,
                    Mode::Slow => Status::Pending,
                    Mode::Reserve => Status::Authorized,
                    _ if request.instrument.is_none() => Status::ActionNeeded,
                    _ => Status::Paid,
                };
                let paid = status == Status::Paid;
                let kept = self.payments.entry(request.reference.clone()).or_insert_with(|| Kept {
                    theirs: format!("pi-{}", request.reference),
                    payer: request.payer.clone(),
                    amount: minor,
                    currency,
                    status,
                    captured: 0,
                    refunded: 0,
                    takings: 0,
                });
                if paid {
                    kept.captured += minor;
                    kept.takings += 1;
                }
                kept.status = status;
                request.reference.clone()
            }
            Act::Capture(theirs, amount) => {
                let ours = self.ours(theirs).unwrap();
                let kept = self.payments.get_mut(&ours).unwrap();
                kept.captured += amount.minor;
                kept.takings += 1;
                kept.status = Status::Paid;
                ours
            }
            Act::Refund(theirs, amount) => {
                let ours = self.ours(theirs).unwrap();
                let kept = self.payments.get_mut(&ours).unwrap();
                kept.refunded += amount.minor;
                if kept.refunded > kept.captured {
                    self.faults.push(format!("{ours}: more given back than taken"));
                }
                ours
            }
            Act::Cancel(theirs) => {
                let ours = self.ours(theirs).unwrap();
                let kept = self.payments.get_mut(&ours).unwrap();
                if kept.captured == 0 {
                    kept.status = Status::Cancelled;
                }
                ours
            }
        };
        self.done.insert(key.to_owned(), ours.clone());
        ours
    }

    /// What takes its time is done now; what the payer must do, he has done.
    pub fn proceed(&mut self, ours: &str) {
        let kept = self.payments.get_mut(ours).unwrap();
        if matches!(kept.status, Status::Pending | Status::ActionNeeded) {
            kept.status = Status::Paid;
            kept.captured = kept.amount;
            kept.takings += 1;
        }
    }
}

/// What is asked for.
#[derive(Clone, Debug)]
pub enum Act {
    Charge(ChargeRequest),
    Capture(String, Money),
    Refund(String, Money),
    Cancel(String),
}

impl Fake {
    pub fn truth(&self) -> MutexGuard<'_, Truth> {
        self.truth.lock().unwrap()
    }

    /// With random troubles.
    pub fn random(seed: u64) -> Arc<Self> {
        let fake = Self::default();
        fake.truth().rng = Some(fastrand::Rng::with_seed(seed));
        Arc::new(fake)
    }

    /// With these troubles, one for each call.
    pub fn scripted(modes: &[Mode]) -> Arc<Self> {
        let fake = Self::default();
        fake.truth().script = modes.iter().copied().collect();
        Arc::new(fake)
    }

    async fn die(&self) -> ! {
        self.crash.notify_one();
        std::future::pending::<()>().await;
        panic!("the gateway should be dead")
    }

    async fn go(self: &Arc<Self>, key: &str, act: Act) -> Result<ProviderPayment, Fault> {
        let mode = {
            let mut truth = self.truth();
            if key.is_empty() {
                truth.faults.push(format!("asked without a key: {act:?}"));
            }
            if truth.unsure.contains(key) {
                truth.faults.push(format!("{key}: asked again without a look-up"));
            }
            let payer = match &act {
                Act::Charge(request) => request.payer.clone(),
                Act::Capture(theirs, _) | Act::Refund(theirs, _) | Act::Cancel(theirs) => {
                    let ours = truth.ours(theirs).unwrap();
                    truth.payments[&ours].payer.clone()
                }
            };
            let asked = truth.asked.entry(payer).or_default();
            if !asked.iter().any(|known| known == key) {
                asked.push(key.to_owned());
            }
            if let Act::Refund(theirs, amount) = &act {
                let ours = truth.ours(theirs).unwrap();
                truth.refunds.insert(key.to_owned(), (ours, amount.minor));
            }
            truth.mode(false)
        };
        let unsure = || self.truth().unsure.insert(key.to_owned());
        let done = || {
            let mut truth = self.truth();
            let ours = truth.act(key, &act, mode);
            truth.answer(&ours)
        };
        match mode {
            Mode::NoConnection => Err(Fault::new(Outcome::NotDone, "no-connection", "no connection")),
            Mode::Busy => Err(Fault {
                retry_after: Some(120),
                ..Fault::new(Outcome::NotDone, "too-many", "429 Too Many Requests")
            }),
            Mode::LostAnswer => {
                unsure();
                done();
                Err(Fault::new(Outcome::Unknown, "lost", "the answer was lost"))
            }
            Mode::Trap => {
                unsure();
                panic!("trap")
            }
            Mode::TrapAfter => {
                unsure();
                done();
                panic!("trap")
            }
            Mode::Hang => {
                unsure();
                std::future::pending().await
            }
            Mode::HangAfter => {
                unsure();
                done();
                std::future::pending().await
            }
            Mode::Late => {
                unsure();
                let (fake, key, act) = (Arc::clone(self), key.to_owned(), act.clone());
                tokio::spawn(async move {
                    tokio::time::sleep(Duration::from_millis(12)).await;
                    fake.truth().act(&key, &act, Mode::Fine);
                });
                std::future::pending().await
            }
            Mode::Crash => {
                unsure();
                self.die().await
            }
            Mode::CrashAfter => {
                unsure();
                done();
                self.die().await
            }
            Mode::Decline if matches!(act, Act::Charge(_)) => {
                let told = done();
                // Some say it as an answer, some as a fault.
                match told.status {
                    Status::Failed if self.truth().calls.is_multiple_of(2) => {
                        Err(Fault::new(Outcome::Refused, "card-declined", "the bank said no"))
                    }
                    _ => Ok(told),
                }
            }
            Mode::Long => {
                tokio::time::sleep(Duration::from_millis(60)).await;
                Ok(done())
            }
            Mode::Refuse if matches!(act, Act::Refund(..)) => {
                Err(Fault::new(Outcome::Refused, "card-closed", "the card is closed"))
            }
            Mode::Fine | Mode::Decline | Mode::Slow | Mode::Reserve | Mode::Refuse => Ok(done()),
        }
    }

    async fn look(&self) -> Result<(), Fault> {
        let mode = self.truth().mode(true);
        match mode {
            Mode::Fine
            | Mode::Decline
            | Mode::Late
            | Mode::Slow
            | Mode::Reserve
            | Mode::Refuse
            | Mode::Long => Ok(()),
            Mode::NoConnection | Mode::Busy => {
                Err(Fault::new(Outcome::NotDone, "no-connection", "no connection"))
            }
            Mode::LostAnswer => Err(Fault::new(Outcome::Unknown, "lost", "the answer was lost")),
            Mode::Trap | Mode::TrapAfter => panic!("trap"),
            Mode::Hang | Mode::HangAfter => std::future::pending().await,
            Mode::Crash | Mode::CrashAfter => self.die().await,
        }
    }
}

/// The provider as the gateway knows it.
pub struct Shared(pub Arc<Fake>);

impl PaymentProvider for Shared {
    fn lasts(&self) -> Duration {
        self.0.truth().lasts
    }

    fn save<'a>(&'a self, _: &'a str, request: &'a SaveRequest) -> Answer<'a, ProviderInstrument> {
        Box::pin(async move {
            self.0.look().await?;
            let saved = ProviderInstrument {
                reference: format!("card-{}", request.payer),
                ready: false,
                label: "Visa 4242".to_owned(),
                next: Some("https://pay.example/save".to_owned()),
                failure: None,
            };
            let mut truth = self.0.truth();
            Ok(truth.instruments.entry(saved.reference.clone()).or_insert(saved).clone())
        })
    }

    fn saved<'a>(&'a self, reference: &'a str) -> Answer<'a, ProviderInstrument> {
        Box::pin(async move {
            self.0.look().await?;
            Ok(self.0.truth().instruments[reference].clone())
        })
    }

    fn charge<'a>(&'a self, key: &'a str, request: &'a ChargeRequest) -> Answer<'a, ProviderPayment> {
        Box::pin(self.0.go(key, Act::Charge(request.clone())))
    }

    fn capture<'a>(
        &'a self,
        key: &'a str,
        reference: &'a str,
        amount: &'a Money,
    ) -> Answer<'a, ProviderPayment> {
        Box::pin(self.0.go(key, Act::Capture(reference.to_owned(), amount.clone())))
    }

    fn refund<'a>(
        &'a self,
        key: &'a str,
        reference: &'a str,
        amount: &'a Money,
        _: &'a str,
    ) -> Answer<'a, ProviderPayment> {
        Box::pin(self.0.go(key, Act::Refund(reference.to_owned(), amount.clone())))
    }

    fn cancel<'a>(&'a self, key: &'a str, reference: &'a str) -> Answer<'a, ProviderPayment> {
        Box::pin(async move {
            if self.0.truth().refuses_cancels {
                return Err(Fault::new(Outcome::Refused, "no-cancel", "this is not cancelled any more"));
            }
            self.0.go(key, Act::Cancel(reference.to_owned())).await
        })
    }

    fn status<'a>(&'a self, reference: &'a str) -> Answer<'a, ProviderPayment> {
        Box::pin(async move {
            self.0.look().await?;
            let (answer, gate) = {
                let mut truth = self.0.truth();
                let ours = truth.ours(reference).unwrap();
                if truth.rng.as_mut().is_some_and(|rng| rng.bool()) {
                    truth.proceed(&ours);
                }
                (truth.answer(&ours), truth.gate.clone())
            };
            if let Some(gate) = gate {
                gate.0.notify_one();
                gate.1.notified().await;
            }
            Ok(answer)
        })
    }

    fn lookup<'a>(
        &'a self,
        key: &'a str,
        operation: Operation,
        ours: &'a str,
        _: Option<&'a str>,
    ) -> Answer<'a, Option<ProviderPayment>> {
        Box::pin(async move {
            self.0.look().await?;
            let mut truth = self.0.truth();
            truth.unsure.remove(key);
            let known = truth.done.get(key).cloned();
            if operation == Operation::Charge && known.as_deref().is_some_and(|known| known != ours) {
                truth.faults.push(format!("{key}: looked up under another reference"));
            }
            Ok(known.map(|ours| truth.answer(&ours)))
        })
    }
}

/// The one plugin that is installed, in one version.
pub struct Installed {
    pub provider: Arc<dyn PaymentProvider>,
    pub version: String,
}

pub const PLUGIN: &str = "fake";

impl Installed {
    pub fn of(fake: &Arc<Fake>) -> Arc<Self> {
        Arc::new(Self { provider: Arc::new(Shared(Arc::clone(fake))), version: "1.0.0".to_owned() })
    }

    fn pin(&self) -> Pin {
        Pin {
            plugin: PLUGIN.to_owned(),
            version: self.version.clone(),
            sha256: format!("sha256:{}", self.version),
        }
    }
}

impl Providers for Installed {
    fn current(&self, _: &OrgId, plugin: &str) -> Option<(Pin, Arc<dyn PaymentProvider>)> {
        (plugin == PLUGIN).then(|| (self.pin(), Arc::clone(&self.provider)))
    }

    fn pinned(&self, _: &OrgId, pin: &Pin) -> Option<Arc<dyn PaymentProvider>> {
        (*pin == self.pin()).then(|| Arc::clone(&self.provider))
    }
}
