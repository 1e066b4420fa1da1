//! Prices and formulas.

use super::tariff::Generator;
use crate::oracle::model::{Expr, Kind, Per, Price, Rate};
use crate::oracle::number::Dec;

impl Generator<'_> {
    pub(super) fn price(&mut self, kind: Kind) -> Price {
        if self.chance(9) {
            return Price::Free;
        }
        let has = |name: &str| self.tariff.prices.iter().any(|(n, _)| n == name);
        if kind.is_time() && has("hourly-value") && self.rng.u32(0..10) < 4 {
            return Price::Is(Expr::Named("hourly-value".into()));
        }
        Price::Is(match kind {
            Kind::Energy | Kind::FeedIn | Kind::PayoutToSite if self.rng.u32(0..10) < 5 => self.formula(),
            _ if kind.is_time() && self.chance(10) => {
                let per = self.one(&[Per::Min, Per::Hour]);
                let (a, b) = (self.rate_per(per), self.rate_per(per));
                Expr::Rounded(
                    Box::new(Expr::Add(Box::new(a), Box::new(Expr::PercentOf(Dec::of("33"), Box::new(b))))),
                    Rate { number: Dec::of("0.01"), per, includes_vat: None },
                )
            }
            _ => self.plain(kind),
        })
    }

    pub(super) fn plain(&mut self, kind: Kind) -> Expr {
        let per = match kind {
            Kind::Energy | Kind::FeedIn | Kind::PayoutToSite => Per::Kwh,
            Kind::StartFee | Kind::FlatFee => Per::Session,
            Kind::PaymentFee => Per::Bill,
            Kind::ReservationFee => self.reserved_per,
            _ => self.one(&[Per::Min, Per::Hour]),
        };
        self.rate_per(per)
    }

    pub(super) fn rate_per(&mut self, per: Per) -> Expr {
        let number = match per {
            Per::Kwh if self.chance(3) => Dec::new(-self.rng.i128(1..20), 2),
            Per::Kwh => match self.rng.u32(0..3) {
                0 => Dec::new(self.rng.i128(1..90), 2),
                1 => Dec::new(self.rng.i128(1..900), 3),
                _ => Dec::new(self.rng.i128(1..9000), 4),
            },
            Per::Min => Dec::new(self.rng.i128(1..60), 2),
            Per::Hour => Dec::new(self.rng.i128(10..700), 2),
            Per::Session | Per::Bill => Dec::new(self.rng.i128(5..300), 2),
        };
        let own = Expr::Rate(Rate { number, per, includes_vat: None });
        if self.tariff.vat.is_empty() || !self.chance(6) {
            return own;
        }
        // Written in the other basis and converted.
        let includes_vat = Some(!self.tariff.includes_vat);
        let other = Box::new(Expr::Rate(Rate { number, per, includes_vat }));
        if self.tariff.includes_vat { Expr::PlusVat(other) } else { Expr::LessVat(other) }
    }

    pub(super) fn kwh(&mut self) -> Expr {
        self.rate_per(Per::Kwh)
    }

    /// Named prices that are money per kWh.
    pub(super) fn kwh_prices(&self) -> Vec<String> {
        let names = self.tariff.prices.iter().map(|(name, _)| name.clone());
        names.filter(|name| name != "hourly-value").collect()
    }

    /// Anything that is money per kWh.
    pub(super) fn source(&mut self) -> Expr {
        let named: Vec<Expr> = self.kwh_prices().into_iter().map(Expr::Named).collect();
        let money = format!("{}/kWh", self.tariff.currency);
        let own: Vec<String> =
            self.tariff.feeds.iter().filter(|f| f.unit == money).map(|f| f.name.clone()).collect();
        let rate = self.tariff.feeds.iter().find(|f| f.holds && f.name != "index").map(|f| f.name.clone());
        match self.rng.u32(0..10) {
            0..2 if !named.is_empty() => self.one(&named),
            2 if !own.is_empty() => Expr::Feed(self.one(&own)),
            3 | 4 if rate.is_some() => Expr::Mul(
                Box::new(Expr::Feed("exchange".into())),
                Box::new(Expr::Feed(rate.unwrap_or_default())),
            ),
            5 => Expr::Hourly("spot".into()),
            6 if self.chance(30) => Expr::CostPrice,
            6 if self.tariff.feeds.iter().any(|f| f.name == "index") => Expr::MonthMean("index".into()),
            _ => Expr::Feed("spot".into()),
        }
    }

    pub(super) fn formula(&mut self) -> Expr {
        let a = Box::new(self.source());
        let b = Box::new(self.kwh());
        match self.rng.u32(0..14) {
            0 => *a,
            1..4 => Expr::Add(a, b),
            4 => {
                let c = Box::new(self.source());
                if a == c { Expr::Add(a, b) } else { Expr::Add(Box::new(Expr::Add(a, c)), b) }
            }
            5 => {
                let factor = Box::new(Expr::Number(Dec::of(self.one(&["1.05", "2", "0.875"]))));
                Expr::Add(Box::new(Expr::Mul(factor, a)), b)
            }
            6 => Expr::Div(
                Box::new(Expr::Add(a, b)),
                Box::new(Expr::Number(Dec::of(self.one(&["3", "7", "1.2"])))),
            ),
            7 => Expr::PercentOf(Dec::of(self.one(&["90", "105", "33.3"])), Box::new(Expr::Sub(a, b))),
            8 => Expr::Higher(a, b),
            9 => Expr::Lower(Box::new(Expr::Add(a, b)), Box::new(self.kwh())),
            10 => Expr::AtLeast(Box::new(Expr::Sub(a, b)), Box::new(self.floor())),
            11 => {
                let cap = Box::new(self.kwh());
                Expr::AtMost(Box::new(Expr::AtLeast(a, Box::new(self.floor()))), cap)
            }
            12 => Expr::Rounded(Box::new(Expr::Add(a, b)), self.grid()),
            _ => {
                // A plain sum of names: the receipt shows its parts.
                let all = self.kwh_prices();
                let spot = Expr::Feed("spot".into());
                let sum = all
                    .into_iter()
                    .fold(spot, |sum, name| Expr::Add(Box::new(sum), Box::new(Expr::Named(name))));
                if self.chance(40) { Expr::Rounded(Box::new(sum), self.grid()) } else { sum }
            }
        }
    }

    pub(super) fn floor(&mut self) -> Expr {
        let number = if self.chance(40) { Dec::of("0.00") } else { Dec::new(self.rng.i128(1..30), 2) };
        Expr::Rate(Rate { number, per: Per::Kwh, includes_vat: None })
    }

    pub(super) fn grid(&mut self) -> Rate {
        let number = Dec::of(self.one(&["0.0001", "0.01", "0.05"]));
        Rate { number, per: Per::Kwh, includes_vat: None }
    }
}
