//! The ledger: accounts with what stands on them, entries with their lines, and what people write into it.

use super::access::Wish;
use super::paging::{Limit, Listed};
use super::{Api, Body, Caller, Named, Params, Problem, words};
use crate::clock::now;
use crate::ledger::{Checker, NotBalanced, Settled, payout, record, reverse, settlement};
use crate::store::{AccountKind, Balance, EntryKind, LedgerEntry, LedgerFilter, LedgerLine, OrgId, Reader};
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use takst_dsl::resolve::currency;
use takst_engine::units::Instant;
use utoipa::{IntoParams, ToSchema};

/// Rows in one answer at the most.
const MOST: i64 = 200;

/// Which accounts or entries.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct Wanted {
    /// In the books of this seller.
    pub seller: Option<String>,
    /// `receivable`, `revenue`, `refunds`, `vat`, `clearing`, `fees`, `payable`, `site-share`, `bank`.
    pub account: Option<String>,
    /// Of this owner, as in `driver:d-17`.
    pub owner: Option<String>,
    /// About this bill (entries only).
    pub bill: Option<String>,
    /// Rows in the answer, up to 200.
    pub limit: Option<i64>,
    /// The next page: what the last answer's header `Takst-Next` says.
    pub after: Option<String>,
}

impl Wanted {
    fn filter(&self) -> Result<LedgerFilter, Problem> {
        let account = match self.account.as_deref() {
            None => None,
            Some(word) => Some(AccountKind::from_word(word).ok_or_else(|| {
                Problem::bad(format!("`{word}` is no kind of account"))
                    .help("receivable, revenue, refunds, vat, clearing, fees, payable, site-share or bank")
            })?),
        };
        let (seller, owner, bill) = (self.seller.clone(), self.owner.clone(), self.bill.clone());
        Ok(LedgerFilter { seller, account, owner, bill })
    }
}

/// An amount with the digits of its currency.
pub(crate) fn money(minor: i64, code: &str) -> String {
    words::money(minor, currency::currency(code).map_or(2, |currency| currency.digits))
}

/// A plain decimal in minor units.
pub(super) fn minor(amount: &str, code: &str) -> Result<i64, Problem> {
    let known = currency::currency(code).ok_or_else(|| Problem::bad(format!("`{code}` is no currency")))?;
    let wrong = || Problem::bad(format!("`{amount}` is no amount in {code}"));
    let value = takst_engine::input::decimal(amount).map_err(|_| wrong())?;
    let scale = 10_i64.checked_pow(u32::from(known.digits)).ok_or_else(wrong)?;
    let micro =
        takst_engine::units::micro(value).and_then(|micro| micro.checked_mul(scale)).ok_or_else(wrong)?;
    if micro % 1_000_000 == 0 { Ok(micro / 1_000_000) } else { Err(wrong()) }
}

/// An account.
#[derive(Debug, Serialize, ToSchema)]
pub struct AccountDoc {
    /// In whose books.
    pub seller: String,
    /// What it holds.
    #[schema(value_type = String)]
    pub account: AccountKind,
    /// Whose or which one; empty where there is one only.
    pub owner: String,
    /// ISO 4217.
    pub currency: String,
    /// What stands on it; debit positive.
    pub balance: String,
    /// How many lines.
    pub lines: i64,
}

impl From<&Balance> for AccountDoc {
    fn from(row: &Balance) -> Self {
        let Balance { seller, account, owner, currency, amount, lines } = row.clone();
        Self { balance: money(amount, &currency), seller, account, owner, currency, lines }
    }
}

/// All accounts with what stands on them, in the order of their names.
#[utoipa::path(get, path = "/api/v1/ledger/accounts", tag = "money", params(Wanted),
    responses((status = 200, body = Vec<AccountDoc>, headers(("Takst-Next" = Option<String>, description = "what to send as `after` for the next piece; none at the end"))), (status = "4XX", body = Problem)))]
pub(super) async fn accounts(
    State(api): State<Api>,
    caller: Caller,
    Params(wanted): Params<Wanted>,
) -> Result<Listed<AccountDoc>, Problem> {
    caller.wants(Wish::SeeSessions)?;
    let (filter, limit) = (wanted.filter()?, Limit::of(wanted.limit, 50, MOST)?);
    let after = wanted.after.as_deref().map(account_cursor).transpose()?;
    let mut rows =
        api.store.read().await?.balances(&caller.org, &filter, after.as_ref(), limit.rows()).await?;
    let next = limit.cut(&mut rows, |last| {
        let Balance { seller, account, owner, currency, .. } = last;
        serde_json::to_string(&(seller, account.as_str(), owner, currency)).unwrap_or_default()
    });
    Ok(Listed { rows: rows.iter().map(AccountDoc::from).collect(), next })
}

fn account_cursor(text: &str) -> Result<Balance, Problem> {
    let wrong = || Problem::bad("`after` is not what an earlier answer gave");
    let (seller, account, owner, currency): (String, String, String, String) =
        serde_json::from_str(text).map_err(|_| wrong())?;
    let account = AccountKind::from_word(&account).ok_or_else(wrong)?;
    Ok(Balance { seller, account, owner, currency, amount: 0, lines: 0 })
}

/// An entry.
#[derive(Debug, Serialize, ToSchema)]
pub struct EntryDoc {
    /// Its id.
    pub id: String,
    /// What it records, as in `bill:ID`.
    pub source: String,
    /// `bill`, `correction`, `refund`, `payment`, `paid-back`, `settlement`, `payout`, `reversal`.
    #[schema(value_type = String)]
    pub kind: EntryKind,
    /// In whose books.
    pub seller: String,
    /// Who owes or paid.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub debtor: Option<String>,
    /// The bill it is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bill: Option<String>,
    /// The payment it is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub payment: Option<String>,
    /// The entry that it takes back.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reverses: Option<String>,
    /// The time that it is for (RFC 3339).
    pub at: String,
    /// When it was written.
    pub booked: String,
    /// What else is known of it.
    #[schema(value_type = Object)]
    pub about: Value,
    /// SHA-256 of what it says.
    pub hash: String,
    /// Its lines; they come to zero in every currency.
    pub lines: Vec<EntryLineDoc>,
}

/// A line of an entry.
#[derive(Debug, Serialize, ToSchema)]
pub struct EntryLineDoc {
    /// The kind of its account.
    #[schema(value_type = String)]
    pub account: AccountKind,
    /// Whose or which one.
    pub owner: String,
    /// ISO 4217.
    pub currency: String,
    /// Debit positive.
    pub amount: String,
}

fn entry(api: &Api, caller: &Caller, row: LedgerEntry, lines: Vec<LedgerLine>) -> EntryDoc {
    let line = |line: LedgerLine| EntryLineDoc {
        amount: money(line.amount, &line.currency),
        account: line.account,
        owner: line.owner,
        currency: line.currency,
    };
    EntryDoc {
        at: api.text(&caller.org, None, row.at),
        booked: api.text(&caller.org, None, row.booked_at),
        about: serde_json::from_str(&row.document).unwrap_or_default(),
        lines: lines.into_iter().map(line).collect(),
        id: row.id,
        source: row.source,
        kind: row.kind,
        seller: row.seller,
        debtor: row.debtor,
        bill: row.bill,
        payment: row.payment,
        reverses: row.reverses,
        hash: row.hash,
    }
}

/// The newest entries first.
#[utoipa::path(get, path = "/api/v1/ledger/entries", tag = "money", params(Wanted),
    responses((status = 200, body = Vec<EntryDoc>, headers(("Takst-Next" = Option<String>, description = "what to send as `after` for the next piece; none at the end"))), (status = "4XX", body = Problem)))]
pub(super) async fn entries(
    State(api): State<Api>,
    caller: Caller,
    Params(wanted): Params<Wanted>,
) -> Result<Listed<EntryDoc>, Problem> {
    caller.wants(Wish::SeeSessions)?;
    let (filter, limit) = (wanted.filter()?, Limit::of(wanted.limit, 50, MOST)?);
    let after = wanted.after.as_deref().map(super::payments::cursor).transpose()?;
    let after = after.as_ref().map(|(at, id)| (*at, id.as_str()));
    let mut reader = api.store.read().await?;
    let mut rows = reader.ledger_entries(&caller.org, &filter, after, limit.rows()).await?;
    let next = limit.cut(&mut rows, |last| super::payments::place(last.at, &last.id));
    let mut documents = Vec::with_capacity(rows.len());
    for row in rows {
        let lines = reader.ledger_lines(&caller.org, &row.id).await?;
        documents.push(entry(&api, &caller, row, lines));
    }
    Ok(Listed { rows: documents, next })
}

/// What a check of the whole ledger found.
#[derive(Debug, Serialize, ToSchema)]
pub struct CheckDoc {
    /// Entries that were worked out again.
    pub entries: u64,
    /// What is wrong; empty when the sum is zero in every currency and every entry is as it was written.
    pub faults: Vec<String>,
}

/// Checks the whole ledger now.
#[utoipa::path(post, path = "/api/v1/ledger/check", tag = "money",
    responses((status = 200, body = CheckDoc), (status = "4XX", body = Problem)))]
pub(super) async fn check(State(api): State<Api>, caller: Caller) -> Result<Json<CheckDoc>, Problem> {
    caller.wants(Wish::Decide)?;
    let checked = Checker::new(api.store.clone(), caller.org.clone()).look(Instant(0), now()).await?;
    Ok(Json(CheckDoc { entries: checked.entries, faults: checked.faults }))
}

/// Money that was found on a statement of a bank or provider.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewEntry {
    /// `settlement`: a provider handed money over; `payout`: money went to the property.
    pub kind: String,
    /// In whose books.
    pub seller: String,
    /// The plugin of a settlement, the site of a payout.
    pub owner: String,
    /// ISO 4217.
    pub currency: String,
    /// Before the fee, as in `300.00`.
    pub amount: String,
    /// What the provider kept of a settlement.
    pub fee: Option<String>,
    /// The statement's name for it: the same is booked once.
    pub reference: String,
    /// The day it is for (RFC 3339); now when left out.
    pub at: Option<String>,
}

// Whether there are lines of this account in the books of a seller: of who is not set up any more the books still know.
async fn is_booked(
    reader: &mut Reader,
    org: &OrgId,
    (seller, account, owner): (&str, Option<AccountKind>, Option<&str>),
) -> Result<bool, Problem> {
    let (seller, owner) = (Some(seller.to_owned()), owner.map(str::to_owned));
    let filter = LedgerFilter { seller, account, owner, bill: None };
    Ok(!reader.balances(org, &filter, None, 1).await?.is_empty())
}

fn named(names: &[String]) -> String {
    if names.is_empty() { "there is none yet".to_owned() } else { format!("there is {}", names.join(", ")) }
}

// A name that nobody knows would be an account that nobody looks at.
async fn known(api: &Api, org: &OrgId, new: &NewEntry) -> Result<(), Problem> {
    let NewEntry { kind, seller, owner, .. } = new;
    let sites = api.house.sites_of(org, seller);
    let mut reader = api.store.read().await?;
    if sites.is_none() && !is_booked(&mut reader, org, (seller, None, None)).await? {
        return Err(Problem::bad(format!("there is no seller `{seller}`"))
            .help("`seller` is the id of a `[[seller]]` of the set-up"));
    }
    if kind == "payout" {
        let sites = sites.unwrap_or_default();
        let account = (seller.as_str(), Some(AccountKind::Payable), Some(owner.as_str()));
        if !sites.contains(owner) && !is_booked(&mut reader, org, account).await? {
            return Err(Problem::bad(format!("`{owner}` is no site of `{seller}`"))
                .help(format!("`owner` of a payout is the id of a site: {}", named(&sites))));
        }
        return Ok(());
    }
    let mut through: Vec<String> =
        api.house.paying(org, Some(seller)).into_iter().map(|(name, _)| name).collect();
    through.extend(api.house.paid_through(org, seller).filter(|name| !through.contains(name)));
    let account = (seller.as_str(), Some(AccountKind::Clearing), Some(owner.as_str()));
    if !through.contains(owner) && !is_booked(&mut reader, org, account).await? {
        return Err(Problem::bad(format!("`{seller}` is not paid through `{owner}`")).help(format!(
            "`owner` of a settlement is the id of a plugin that takes payments: {}",
            named(&through)
        )));
    }
    Ok(())
}

/// Books a settlement of a provider or a payout to the property. 201 when it is new, 200 when it was booked before.
#[utoipa::path(post, path = "/api/v1/ledger/entries", tag = "money", request_body = NewEntry,
    responses((status = 201), (status = 200), (status = "4XX", body = Problem)))]
pub(super) async fn add(
    State(api): State<Api>,
    caller: Caller,
    Body(new): Body<NewEntry>,
) -> Result<StatusCode, Problem> {
    caller.wants(Wish::Decide)?;
    if new.reference.trim().is_empty() || new.seller.is_empty() || new.owner.is_empty() {
        return Err(Problem::bad("`seller`, `owner` and `reference` say whose and which money it is"));
    }
    let amount = minor(&new.amount, &new.currency)?;
    let fee = new.fee.as_deref().map_or(Ok(0), |fee| minor(fee, &new.currency))?;
    if amount <= 0 {
        return Err(Problem::bad(format!("`{}` is not more than nothing", new.amount))
            .help("what was booked wrongly is taken back with `/reverse`"));
    }
    if fee < 0 || fee > amount {
        let kept = new.fee.as_deref().unwrap_or_default();
        return Err(Problem::bad(format!("a `fee` of `{kept}` is not between nothing and the `amount`"))
            .help("`amount` is before the fee, and the fee is what the provider kept of it"));
    }
    if matches!(new.kind.as_str(), "settlement" | "payout") {
        known(&api, &caller.org, &new).await?;
    }
    let at = new.at.as_deref().map_or(Ok(now()), |text| words::read_time(text).map_err(Problem::bad))?;
    let NewEntry { kind, seller, owner, currency, reference, .. } = new;
    let about = Settled { seller, currency, reference, at, by: caller.who.clone() };
    let too_large = |error: NotBalanced| Problem::bad(error.to_string());
    let posting = match kind.as_str() {
        "settlement" => settlement(&about, &owner, amount, fee).map_err(too_large)?,
        "payout" if fee == 0 => payout(&about, &owner, amount).map_err(too_large)?,
        "payout" => return Err(Problem::bad("a payout has no `fee`")),
        other => {
            return Err(Problem::bad(format!("`{other}` is not booked by hand"))
                .help("`settlement` or `payout`; bills and payments are booked by themselves"));
        }
    };
    let new = record(&api.store, &caller.org, posting, now()).await?;
    Ok(if new { StatusCode::CREATED } else { StatusCode::OK })
}

/// Takes a settlement or payout back, by its counter-entry.
#[utoipa::path(post, path = "/api/v1/ledger/entries/{id}/reverse", tag = "money", params(("id" = String, Path)),
    request_body = super::sessions::Decision, responses((status = 204), (status = "4XX", body = Problem)))]
pub(super) async fn take_back(
    State(api): State<Api>,
    caller: Caller,
    Named(id): Named<String>,
    Body(decision): Body<super::sessions::Decision>,
) -> Result<StatusCode, Problem> {
    caller.wants(Wish::Decide)?;
    decision.check()?;
    reverse(&api.store, &caller.org, &id, (&decision.reason, &caller.who), now()).await?;
    Ok(StatusCode::NO_CONTENT)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_come_in_as_they_go_out() {
        for (text, code, wanted) in [("3.45", "EUR", 345), ("-0.50", "NOK", -50), ("120", "JPY", 120)] {
            assert_eq!(minor(text, code).unwrap(), wanted);
            assert_eq!(money(wanted, code), text);
        }
        for (text, code) in [("0.001", "EUR"), ("1.5", "JPY"), ("x", "EUR"), ("1", "XXQ")] {
            assert!(minor(text, code).is_err(), "{text} {code}");
        }
    }
}
