//! Options that say for whom and where a price is asked.

use super::failure::Failure;
use clap::{Args, ValueEnum};
use rust_decimal::Decimal;
use takst_engine::session::{Connector, Facts, Plug, Token};
use takst_engine::tariff::{Contract, Tariff};
use takst_engine::units::{Day, micro};

/// For whom, and where.
#[derive(Args, Debug)]
pub struct Whom {
    /// The driver's group; without it the default group
    #[arg(long)]
    group: Option<String>,
    /// AC or DC
    #[arg(long, ignore_case = true, value_enum)]
    plug: Option<PlugWord>,
    /// The connector's rated power in kW, taken as the power that the car draws
    #[arg(long, value_name = "KW", value_parser = power)]
    power: Option<i64>,
    /// The connector's type, as in CCS
    #[arg(long, value_name = "TYPE")]
    connector: Option<String>,
    /// The charger's id
    #[arg(long, value_name = "ID")]
    charger: Option<String>,
    /// The site's id
    #[arg(long, value_name = "ID")]
    site: Option<String>,
    /// How the driver comes
    #[arg(long, value_enum)]
    contract: Option<ContractWord>,
    /// Who issued the driver's token (roaming)
    #[arg(long, value_name = "NAME")]
    issuer: Option<String>,
    /// Brand of the payment card
    #[arg(long, value_name = "BRAND")]
    paid_with: Option<String>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum PlugWord {
    #[value(name = "AC")]
    Ac,
    #[value(name = "DC")]
    Dc,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum ContractWord {
    Direct,
    Roaming,
    AdHoc,
}

/// A day of the command line.
pub fn date(text: &str) -> Result<Day, String> {
    let parts: Vec<&str> = text.split('-').collect();
    let [year, month, day] = parts.as_slice() else { return Err("write it as in 2025-03-10".into()) };
    let fixed =
        |part: &str, digits: usize| part.len() == digits && part.bytes().all(|byte| byte.is_ascii_digit());
    let day = (fixed(year, 4) && fixed(month, 2) && fixed(day, 2))
        .then(|| takst_engine::calendar::date(year.parse().ok()?, month.parse().ok()?, day.parse().ok()?))
        .flatten();
    day.ok_or_else(|| "there is no such day; write it as in 2025-03-10".into())
}

/// A power of the command line, in millionths of a kW.
pub fn power(text: &str) -> Result<i64, String> {
    let value = takst_engine::input::decimal(text)?;
    let power = if value > Decimal::ZERO { micro(value) } else { None };
    power.ok_or_else(|| "a power in kW such as 22 or 3.7".into())
}

impl Whom {
    /// The group that was named.
    pub fn group(&self) -> Option<&String> {
        self.group.as_ref()
    }

    /// AC or DC.
    pub fn plug(&self) -> Option<&'static str> {
        self.plug.map(|plug| match plug {
            PlugWord::Ac => "AC",
            PlugWord::Dc => "DC",
        })
    }

    /// The charger's id.
    pub fn charger(&self) -> Option<&String> {
        self.charger.as_ref()
    }

    /// The connector's rated power, millionths of a kW.
    pub fn power(&self) -> Option<i64> {
        self.power
    }

    /// What is known, in the words of the engine.
    ///
    /// # Errors
    /// When the tariff has no such group.
    pub fn facts(&self, tariff: &Tariff) -> Result<Facts, Failure> {
        if let Some(group) = &self.group
            && !tariff.groups.contains(group)
        {
            let near = takst_engine::input::nearest(group, tariff.groups.iter().map(String::as_str));
            let hint = match near {
                Some(near) => format!("did you mean `{near}`?"),
                None if tariff.groups.is_empty() => "it has no groups".to_owned(),
                None => format!("it has {}", tariff.groups.join(", ")),
            };
            return Err(Failure::Usage(format!("--group: the tariff has no group `{group}`; {hint}")));
        }
        Ok(Facts {
            site: self.site.clone(),
            charger: self.charger.clone(),
            groups: self.group.clone().into_iter().collect(),
            connector: Some(Connector {
                plug: self.plug.map(|plug| match plug {
                    PlugWord::Ac => Plug::Ac,
                    PlugWord::Dc => Plug::Dc,
                }),
                kind: self.connector.clone(),
                max_power: self.power,
                ..Connector::default()
            }),
            token: self.issuer.clone().map(|issuer| Token { issuer: Some(issuer), ..Token::default() }),
            contract: self.contract.map(|contract| match contract {
                ContractWord::Direct => Contract::Direct,
                ContractWord::Roaming => Contract::Roaming,
                ContractWord::AdHoc => Contract::AdHoc,
            }),
            payment_brand: self.paid_with.clone(),
            ..Facts::default()
        })
    }
}
