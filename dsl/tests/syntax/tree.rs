//! What the tree says, construct by construct; that nothing else is lost shows the formatted file of all constructs.

use super::parse;
use takst_dsl::ast::*;

fn one(text: &str) -> Statement {
    let parsed = parse(text, 0);
    assert_eq!(parsed.diagnostics, [], "{text}");
    assert_eq!(parsed.file.statements.len(), 1);
    parsed.file.statements[0].it.clone()
}

fn case(line: &str) -> Case<PriceOrFree> {
    let Statement::Charge(charge) = one(&format!("energy: {line}")) else { panic!("{line}") };
    assert!(charge.cases.inline);
    charge.cases.lines[0].it.clone()
}

fn formula(text: &str) -> Expr {
    let PriceOrFree::Price(formula) = case(text).what.it else { panic!("{text}") };
    formula
}

fn clause(text: &str) -> Clause {
    case(&format!("1 EUR/kWh {text}")).clauses[0].it.clone()
}

fn limit(text: &str) -> Limit {
    let Statement::Charge(charge) = one(&format!("idle fee {text}: free")) else { panic!("{text}") };
    assert_eq!(charge.limits.len(), 1);
    charge.limits[0].it.clone()
}

fn part(text: &str) -> WindowPart {
    let Statement::Period(period) = one(&format!("period p: {text}")) else { panic!("{text}") };
    assert_eq!(period.windows[0].it.parts.len(), 1);
    period.windows[0].it.parts[0].it.clone()
}

fn step(text: &str) -> Step {
    let Statement::Test(test) = one(&format!("test \"t\"\n  {text}")) else { panic!("{text}") };
    test.steps[0].it.clone()
}

fn setting(text: &str) -> Setting {
    let Statement::Tariff(head) = one(&format!("tariff \"t\"\n  {text}")) else { panic!("{text}") };
    head.settings[0].it.clone()
}

/// The formula with every operation in brackets.
fn shape(it: &Expr) -> String {
    let two = |op: &str, a: &At<Expr>, b: &At<Expr>| format!("({} {op} {})", shape(&a.it), shape(&b.it));
    match it {
        Expr::Name(name) => name.clone(),
        Expr::Number(number) => number.to_string(),
        Expr::Percent(number) => format!("{number}%"),
        Expr::Rate(rate) => format!("{}{}", rate.number, rate.money.it),
        Expr::Quantity(quantity) => format!("{}{:?}", quantity.number, quantity.unit),
        Expr::Binary { op, left, right } => two(&format!("{:?}", op.it), left, right),
        Expr::Parens(inner) => format!("[{}]", shape(&inner.it)),
        Expr::Negative(inner) => format!("-{}", shape(&inner.it)),
        Expr::HigherOf(a, b) => two("higher", a, b),
        Expr::LowerOf(a, b) => two("lower", a, b),
        Expr::AtLeast(a, b) => two("floor", a, b),
        Expr::AtMost(a, b) => two("cap", a, b),
        Expr::RoundedTo(a, step) => format!("round({}, {})", shape(&a.it), step.it.number),
        Expr::PlusVat(inner) => format!("plus({})", shape(&inner.it)),
        Expr::LessVat(inner) => format!("less({})", shape(&inner.it)),
        Expr::Hourly(feed) => format!("hourly({})", feed.it),
        Expr::MonthMean(feed) => format!("month({})", feed.it),
        Expr::EnergyPrice => "energy price".to_owned(),
        Expr::AveragePower => "average power".to_owned(),
        Expr::CostPrice => "cost price".to_owned(),
    }
}

#[test]
fn formulas() {
    for (text, expected) in [
        ("a + b - c", "((a Add b) Sub c)"),
        ("a + b * c", "(a Add (b Mul c))"),
        ("a − b × c", "(a Sub (b Mul c))"),
        ("a / b / c", "((a Div b) Div c)"),
        ("50% of energy price * average-power", "((50% Of energy price) Mul average power)"),
        (
            "90% of (hourly spot - 0.77 NOK/kWh at least 0 NOK/kWh)",
            "(90% Of [((hourly(spot) Sub 0.77NOK) floor 0NOK)])",
        ),
        ("a + b at most c", "((a Add b) cap c)"),
        ("a at least b + c at most d rounded to 0.01 cent/kWh", "round(((a floor (b Add c)) cap d), 0.01)"),
        ("higher of a + b and c + d at most e", "(((a Add b) higher (c Add d)) cap e)"),
        ("lower of a and higher of b and c", "(a lower (b higher c))"),
        ("month mean of spot plus VAT", "plus(month(spot))"),
        ("cost price less VAT", "less(cost price)"),
        ("-0.05 EUR/kWh", "-0.05EUR"),
        ("a - -0.05 EUR/kWh", "(a Sub -0.05EUR)"),
        ("-(a + b)", "-[(a Add b)]"),
        ("spot-margin", "spot-margin"),
        ("cost + 25 øre/kWh", "(cost Add 25øre)"),
        ("5.00 EUR / 3", "(5.00EUR Div 3)"),
        ("30 min", "30Min"),
    ] {
        assert_eq!(shape(&formula(text)), expected, "{text}");
    }
    let Expr::Rate(rate) = formula("5.00 EUR/charger/month excluding VAT") else { panic!() };
    let per: Vec<_> = rate.per.into_iter().map(|per| per.it).collect();
    assert_eq!(per, [PerWord::Unit(Unit::Charger), PerWord::Unit(Unit::Month)]);
    assert_eq!((rate.number.to_string(), rate.includes_vat), ("5.00".to_owned(), Some(false)));
    let Expr::Rate(rate) = formula("11.80 NOK/EUR including VAT") else { panic!() };
    assert_eq!((rate.per[0].it.clone(), rate.includes_vat), (PerWord::Money("EUR".to_owned()), Some(true)));
}

#[test]
fn conditions() {
    assert!(matches!(clause("for A, B"), Clause::For(names) if names.len() == 2 && names[1].it == "B"));
    assert!(matches!(clause("on AC, CCS"), Clause::On(plugs) if plugs[1].it == "CCS"));
    assert!(matches!(clause("at harbour"), Clause::At(places) if places[0].it == "harbour"));
    assert!(
        matches!(clause("with 50 kW or more"), Clause::Rated { or_more: true, power } if power.it.unit == Unit::Kw)
    );
    assert!(matches!(clause("with less than 50 kW"), Clause::Rated { or_more: false, .. }));
    assert!(matches!(clause("via ad-hoc, contract, roaming, roaming \"X\""), Clause::Via(ways)
        if matches!(&ways[..], [At { it: Via::AdHoc, .. }, At { it: Via::Contract, .. }, At { it: Via::Roaming(None), .. },
            At { it: Via::Roaming(Some(issuer)), .. }] if issuer == "X")));
    assert!(matches!(clause("paid with \"Visa\""), Clause::PaidWith(brands) if brands[0].it == "Visa"));
    assert!(matches!(clause("during Mon, Tue"), Clause::During(windows) if windows.len() == 2));
    assert!(
        matches!(clause("from 2025-04-01"), Clause::From(date, None) if date.it.to_string() == "2025-04-01")
    );
    assert!(
        matches!(clause("until 2025-04-01 12:30"), Clause::Until(_, Some(time)) if time.it.to_string() == "12:30:00")
    );
    let Clause::SoFar { beyond: false, of: None, per: Some(per), who: Some(who), .. } =
        clause("up to 50 kWh per month per driver")
    else {
        panic!()
    };
    assert_eq!((per.it, who.it), (Every::Month, Who::Driver));
    let Clause::SoFar { beyond: true, of: Some(of), per: Some(per), who: Some(who), .. } =
        clause("beyond 60 min of idle time per day per site")
    else {
        panic!()
    };
    assert_eq!((of.it, per.it, who.it), (MeasureWord::IdleTime, Every::Day, Who::Site));
    assert!(
        matches!(clause("whole month from 200 kWh per driver"), Clause::WholeMonth { who, .. } if who.it == Who::Driver)
    );
    assert!(
        matches!(clause("below 16 A"), Clause::Drawn { or_more: false, quantity } if quantity.it.unit == Unit::Ampere)
    );
    assert!(matches!(clause("11 kW or more"), Clause::Drawn { or_more: true, .. }));
    assert!(matches!(clause("while site 50% occupied or more"), Clause::Occupied { or_more: true, .. }));
    assert!(matches!(clause("while site less than 50% occupied"), Clause::Occupied { or_more: false, .. }));
    assert_eq!(clause("when expired"), Clause::WhenExpired);
    assert!(matches!(clause("with plan monthly"), Clause::Plan(plan) if plan.it == "monthly"));
    assert_eq!(clause("otherwise"), Clause::Otherwise);
    assert_eq!(case("free for A on DC").clauses.len(), 2);
    assert_eq!(case("free for A").what.it, PriceOrFree::Free);
}

#[test]
fn limits() {
    assert!(matches!(limit("after 30 min in a row"), Limit::After { in_a_row: true, .. }));
    assert!(
        matches!(limit("after grace"), Limit::AfterNamed { in_a_row: false, name } if name.it == "grace")
    );
    let Limit::Bound { floor: true, amount, who: None, after: Some(after) } =
        limit("at least 2.00 EUR/session after 1 kWh")
    else {
        panic!()
    };
    assert_eq!((amount.it.per[0].it.clone(), after.it.unit), (PerWord::Unit(Unit::Session), Unit::KWh));
    let Limit::Bound { floor: false, who: Some(who), after: None, .. } =
        limit("at most 15.00 EUR/day per driver")
    else {
        panic!()
    };
    assert_eq!(who.it, Who::Driver);
    assert!(matches!(limit("in steps of 15 min"), Limit::Steps(quantity) if quantity.it.unit == Unit::Min));
    assert_eq!(limit("paid by site"), Limit::PaidBySite);
    assert!(matches!(limit(", first 5000 kWh per month"), Limit::First(_)));
    assert!(matches!(limit("from highest hour"), Limit::Peaks { count: At { it: 1, .. }, daily: false }));
    assert!(matches!(
        limit("from mean of 3 highest hours"),
        Limit::Peaks { count: At { it: 3, .. }, daily: false }
    ));
    assert!(matches!(
        limit("from mean of 3 highest daily peaks"),
        Limit::Peaks { count: At { it: 3, .. }, daily: true }
    ));
    let Statement::Charge(charge) = one("idle fee at most 2 EUR/session after 1 kWh, after 5 min: free")
    else {
        panic!()
    };
    assert_eq!(charge.limits.len(), 2);
}

#[test]
fn windows() {
    assert_eq!(part("Jan-Mar"), WindowPart::Months(1, 3));
    assert_eq!(part("Dec"), WindowPart::Months(12, 12));
    assert_eq!(part("Sat-Mon"), WindowPart::Weekdays(5, 0));
    assert_eq!(part("24 Dec – 2 Jan"), WindowPart::Yearly((12, 24), (1, 2)));
    assert_eq!(part("29 Feb"), WindowPart::Yearly((2, 29), (2, 29)));
    assert_eq!(part("second Fri of month"), WindowPart::NthWeekday(2, 4));
    assert_eq!(part("last Sun of month"), WindowPart::NthWeekday(5, 6));
    assert_eq!(part("public holidays"), WindowPart::PublicHolidays);
    assert_eq!(part("every day"), WindowPart::EveryDay);
    assert_eq!(part("06:00–22:30"), WindowPart::Hours(360, 1350));
    assert_eq!(part("22:00-00:00"), WindowPart::Hours(1320, 1440));
    assert_eq!(part("22:00-06:00"), WindowPart::Hours(1320, 360));
    assert_eq!(part("work"), WindowPart::Period("work".to_owned()));
    for range in ["2025-06-01 to 2025-08-31", "2025-06-01 – 2025-08-31", "2025-06-01-2025-08-31"] {
        let WindowPart::Dates(first, last) = part(range) else { panic!("{range}") };
        assert_eq!((first.to_string(), last.to_string()), ("2025-06-01".to_owned(), "2025-08-31".to_owned()));
    }
    let Statement::Period(period) = one("period p: Jan Mon-Fri 06:00-22:00 except Fri 12:00-13:00, Sun")
    else {
        panic!()
    };
    assert_eq!((period.windows.len(), period.windows[0].it.parts.len()), (2, 3));
    assert_eq!(period.windows[0].it.except.as_ref().unwrap().it.parts.len(), 2);
}

#[test]
fn statements() {
    for (text, kind) in [
        ("energy", Kind::Energy),
        ("charging time", Kind::ChargingTime),
        ("connected time", Kind::ConnectedTime),
        ("parking time", Kind::ParkingTime),
        ("idle fee", Kind::IdleFee),
        ("start fee", Kind::StartFee),
        ("reservation fee", Kind::ReservationFee),
        ("feed-in", Kind::FeedIn),
        ("payment fee", Kind::PaymentFee),
        ("monthly fee", Kind::MonthlyFee),
        ("one-off fee", Kind::OneOffFee),
        ("power fee", Kind::PowerFee),
        ("site credit", Kind::SiteCredit),
        ("payout to site", Kind::PayoutToSite),
        ("flat fee", Kind::FlatFee),
    ] {
        let Statement::Charge(charge) = one(&format!("{text} \"L\": free")) else { panic!("{text}") };
        assert_eq!((charge.head.kind.it, charge.head.label.unwrap().it.as_str()), (kind, "L"));
        assert!(
            matches!(one(&format!("remove {text}")), Statement::Remove(Remove::Charge(it)) if it.kind.it == kind)
        );
    }
    let Statement::Vat(vat) =
        one("VAT on feed-in:\n  exempt \"why\"\n  none\n  outside scope\n  25.5%  from 2025-01-01")
    else {
        panic!()
    };
    assert_eq!(vat.on.unwrap().kind.it, Kind::FeedIn);
    let rates: Vec<_> = vat.cases.lines.iter().map(|line| line.it.what.it.clone()).collect();
    assert_eq!(rates[..3], [VatRate::Exempt("why".to_owned()), VatRate::None, VatRate::OutsideScope]);
    assert!(matches!(&rates[3], VatRate::Percent(rate) if rate.to_string() == "25.5"));
    let Statement::Tax(tax) = one("tax \"City\" on top of State, \"My tax\": 2%") else { panic!() };
    assert_eq!(tax.on_top_of.iter().map(|name| name.it.as_str()).collect::<Vec<_>>(), ["State", "My tax"]);
    assert!(
        matches!(one("groups: everyone else X"), Statement::Groups(it) if it.names.is_empty() && it.default.is_some())
    );
    assert!(
        matches!(one("groups: everyone, B"), Statement::Groups(it) if it.names.len() == 2 && it.default.is_none())
    );
    assert!(matches!(one("sites s: \"a\", \"b\""), Statement::Place(it) if it.sites && it.ids[1].it == "b"));
    let Statement::Feed(feed) = one("feed g: EUR/kWh excluding VAT, holds until next") else { panic!() };
    assert_eq!(
        (feed.unit.it, feed.includes_vat, feed.holds),
        (("EUR".to_owned(), "kWh".to_owned()), Some(false), true)
    );
    assert!(matches!(one("price p: set by each list"), Statement::Price(it) if it.cases.is_none()));
    assert!(
        matches!(one("value p:\n  30 min on AC\n  1 h"), Statement::Value(it) if it.cases.as_ref().unwrap().lines.len() == 2)
    );
    assert!(matches!(one("set kwh: 0.50 EUR/kWh"), Statement::Set(it) if it.cases.as_ref().unwrap().inline));
    assert!(matches!(one("total: at most 5 EUR/month per site"), Statement::Total(it) if it.len() == 1));
    assert!(
        matches!(one("coupon applies to: energy, start fee"), Statement::CouponScope(it) if it.len() == 2)
    );
    let Statement::Coupon(coupon) =
        one("coupon \"S\": 20% of energy, start fee until 2025-08-31, 3 times per driver")
    else {
        panic!()
    };
    assert!(matches!(&coupon.amount.it, RebateAmount::Percent(_, of) if of.len() == 2));
    assert!(matches!(&coupon.clauses[1].it, Clause::TimesPerDriver(times) if times.it == 3));
    let Statement::Discount(discount) = one("discount for A, not with coupon: 1.00 EUR via ad-hoc") else {
        panic!()
    };
    assert_eq!((discount.before_colon, discount.clauses.len(), discount.name), (2, 3, None));
    assert_eq!(discount.clauses[1].it, Clause::NotWithCoupon);
    assert!(
        matches!(one("coupon \"T\": 10 kWh free"), Statement::Coupon(it) if matches!(it.amount.it, RebateAmount::FreeEnergy(_)))
    );
    let Statement::Change(changed) = one("change idle fee \"A\" after 5 min:\n  free") else { panic!() };
    assert!(matches!(changed.it, Statement::Charge(it) if it.cases.lines.len() == 1 && it.limits.len() == 1));
    assert!(matches!(one("remove price p"), Statement::Remove(Remove::Price(_))));
    assert!(matches!(one("remove coupon \"C\""), Statement::Remove(Remove::Coupon(_))));
    assert!(matches!(one("remove discount"), Statement::Remove(Remove::Discount(None))));
    assert!(matches!(one("remove total"), Statement::Remove(Remove::Total)));
}

#[test]
fn settings() {
    assert!(matches!(setting("currency: NOK"), Setting::Currency(it) if it.it == "NOK"));
    assert!(
        matches!(setting("time  zone: America/Argentina/Buenos_Aires"), Setting::TimeZone(it) if it.it.ends_with("Buenos_Aires"))
    );
    assert!(matches!(setting("spot area: NO1"), Setting::SpotArea(_)));
    assert!(matches!(setting("prices: including VAT"), Setting::PricesIncludeVat(it) if it.it));
    assert!(matches!(setting("prices: excluding VAT"), Setting::PricesIncludeVat(it) if !it.it));
    assert!(matches!(setting("valid from: 2025-01-01 06:00"), Setting::ValidFrom(_, Some(_))));
    assert!(matches!(setting("valid until: 2025-12-31"), Setting::ValidUntil(_, None)));
    assert!(matches!(setting("valid until: 2025-12-31 06:00"), Setting::ValidUntil(_, Some(_))));
    assert!(matches!(setting("based on: \"a b.tariff\""), Setting::BasedOn(it) if it.it == "a b.tariff"));
    assert!(
        matches!(setting("running sessions: change prices"), Setting::RunningSessionsChange(it) if it.it)
    );
    assert!(matches!(setting("running sessions: keep prices"), Setting::RunningSessionsChange(it) if !it.it));
    assert!(matches!(setting("bills: every month"), Setting::BillsMonthly(it) if it.it));
    assert!(matches!(setting("bills: every session"), Setting::BillsMonthly(it) if !it.it));
    assert!(matches!(setting("hold: 50.00 EUR"), Setting::Hold(_)));
    assert!(matches!(setting("public holidays: DE-BY"), Setting::PublicHolidays(it) if it.it == "DE-BY"));
    for (text, minutes) in
        [("every hour", Some(60)), ("every 15 min", Some(15)), ("every price change", None)]
    {
        assert!(
            matches!(setting(&format!("receipt lines: {text}")), Setting::ReceiptLines(it) if it.it == minutes)
        );
    }
    assert!(
        matches!(setting("website: \"u#v\""), Setting::Note(key, text) if key.it == "website" && text.it == "u#v")
    );
}

#[test]
fn tests() {
    let minute = |moment: &At<Moment>| (moment.it.date.is_some(), moment.it.minute);
    assert!(matches!(step("driver in A, B"), Step::DriverIn(groups) if groups.len() == 2));
    assert!(
        matches!(step("feed f 1 NOK/EUR from 2025-01-01 10:00"), Step::Feed { name, from: Some(from), .. }
        if name.it == "f" && minute(&from) == (true, 600))
    );
    assert!(matches!(step("spot 1 NOK/kWh"), Step::Feed { name, from: None, .. } if name.it == "spot"));
    assert!(matches!(step("charge 10 kWh on AC with 50 kW from 2025-01-01 10:00 to 24:00"),
        Step::Charge { on: Some(_), rated: Some(_), from: Some(from), to, .. } if minute(&from) == (true, 600) && minute(&to) == (false, 1440)));
    assert!(matches!(
        step("charge 5 kWh until 19:00"),
        Step::Charge { on: None, rated: None, from: None, .. }
    ));
    assert!(matches!(step("feed in 5 kWh until 19:00"), Step::FeedIn(..)));
    assert!(matches!(step("coupon 20%"), Step::CouponPercent(_)));
    assert!(matches!(step("coupon 5 EUR"), Step::CouponMoney(_)));
    assert!(matches!(step("coupon \"S\""), Step::Coupon(_)));
    assert!(matches!(step("reserved from 10:00 to 11:00, expired"), Step::Reserved { expired: true, .. }));
    assert!(matches!(step("used 4 kWh today"), Step::Used(_, every) if every.it == Every::Day));
    assert!(
        matches!(step("invoice 2025-03 for 2 chargers"), Step::Invoice { month, chargers, new: false, plan: None } if month.it == (2025, 3) && chargers.it == 2)
    );
    assert!(
        matches!(step("invoice 2025-03 for 1 new charger with plan one-off"), Step::Invoice { new: true, plan: Some(plan), .. } if plan.it == "one-off")
    );
    assert!(matches!(step("expect VAT 1 EUR"), Step::Expect(Expect::Vat(_))));
    assert!(
        matches!(step("expect coupon -1 EUR"), Step::Expect(Expect::Coupon(it)) if it.it.number.is_sign_negative())
    );
    assert!(
        matches!(step("expect feed-in \"L\" 1 EUR"), Step::Expect(Expect::Charge(it, _)) if it.kind.it == Kind::FeedIn && it.label.is_some())
    );
    assert_eq!(step("expect pending"), Step::Expect(Expect::Pending));
}

#[test]
fn places_are_exact() {
    let text = "# ø\nenergy \"L\":\n  0.5 EUR/kWh + spot   for VIP   # why\n";
    let parsed = parse(text, 0);
    let at = |span: Span| &text[span.start as usize..span.end as usize];
    assert_eq!(at(parsed.comments[0].span), "# ø");
    assert_eq!(at(parsed.comments[1].span), "# why");
    assert_eq!(at(parsed.file.statements[0].span), "energy \"L\":");
    let Statement::Charge(charge) = &parsed.file.statements[0].it else { panic!() };
    assert_eq!(at(charge.head.kind.span), "energy");
    assert_eq!(at(charge.head.label.as_ref().unwrap().span), "\"L\"");
    let case = &charge.cases.lines[0];
    assert_eq!(at(case.span), "0.5 EUR/kWh + spot   for VIP");
    assert_eq!(at(case.it.what.span), "0.5 EUR/kWh + spot");
    assert_eq!(at(case.it.clauses[0].span), "for VIP");
    let PriceOrFree::Price(Expr::Binary { op, left, right }) = &case.it.what.it else { panic!() };
    assert_eq!((at(op.span), at(left.span), at(right.span)), ("+", "0.5 EUR/kWh", "spot"));
}
