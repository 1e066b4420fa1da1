use super::*;
use takst_engine::units::Instant;

fn all(samples: Vec<Sample>) -> (Vec<Reading>, Vec<String>) {
    with(samples, MeterRules::default())
}

fn with(samples: Vec<Sample>, rules: MeterRules) -> (Vec<Reading>, Vec<String>) {
    let mut notes = Vec::new();
    let at = StationTime { at: Instant(0), sent: None, flaw: None };
    (readings(&at, samples, &rules, |note| notes.push(note)), notes)
}

fn on(mut sample: Sample, phase: Phase) -> Sample {
    sample.phase = Some(phase);
    sample
}

fn of(measurand: &str, value: &str, unit: &str) -> Sample {
    Sample { unit: Some(unit.to_owned()), ..sample(Some(measurand), value) }
}

#[test]
fn case_13_registers_by_phase_are_summed_when_no_total_came() {
    let phases = [("1000", Phase::L1), ("2000.5", Phase::L2N), ("3000", Phase::L3)];
    let samples = phases.iter().map(|(value, phase)| on(sample(None, value), phase.clone())).collect();
    let (readings, notes) = all(samples);
    assert_eq!((readings[0].import, readings[0].summed, notes), (Some(Energy(6_000_500)), true, vec![]));
}

#[test]
fn case_13_a_total_beats_its_phases() {
    let (readings, _) = all(vec![on(sample(None, "1000"), Phase::L1), sample(None, "2500")]);
    assert_eq!((readings[0].import, readings[0].summed), (Some(Energy(2_500_000)), false));
}

#[test]
fn case_14_a_batch_without_energy_has_no_register_not_a_zero() {
    let (readings, _) = all(vec![of("SoC", "55.5", "Percent")]);
    assert_eq!((readings[0].import, readings[0].soc), (None, Some(55_500_000)));
    let mut clock = sample(None, "10");
    clock.context = Context::Clock;
    let (readings, _) = all(vec![clock]);
    assert_eq!((readings[0].context.clone(), readings[0].import), (Context::Clock, Some(Energy(10_000))));
}

#[test]
fn case_12_units_and_multipliers_and_an_override_for_a_wrong_unit() {
    let import = "Energy.Active.Import.Register";
    for (value, unit, multiplier, wanted) in [
        ("12.345", "kWh", 0, 12_345_000),
        ("12345", "Wh", 0, 12_345_000),
        ("12345", "wh", 0, 12_345_000),
        ("12345", "", 0, 12_345_000),
        ("12,345", "kWh", 0, 12_345_000),
        ("1.2345e1", "kWh", 0, 12_345_000),
        ("12.345", "Wh", 3, 12_345_000),
        ("12345000", "Wh", -3, 12_345_000),
        ("0.0005", "Wh", 0, 0),
        ("0.0015", "Wh", 0, 2),
        ("-3", "Wh", 0, -3_000),
    ] {
        let (readings, notes) = all(vec![Sample { multiplier, ..of(import, value, unit) }]);
        assert_eq!(
            (readings[0].import, notes),
            (Some(Energy(wanted)), vec![]),
            "{value} {unit} {multiplier}"
        );
    }
    let (readings, _) = with(vec![of(import, "12.345", "Wh")], MeterRules { wh_is_kwh: true });
    assert_eq!(readings[0].import, Some(Energy(12_345_000)));
}

#[test]
fn case_21_unknown_measurands_and_units_are_kept_as_they_came() {
    let (readings, notes) = all(vec![of("Request.Energy", "7", "Hz"), of("Power.Active.Import", "7", "hp")]);
    assert_eq!((readings[0].other.len(), readings[0].power, notes.len()), (2, None, 1));
    assert_eq!(readings[0].other[0].measurand, Measurand::Other("Request.Energy".into()));
}

#[test]
fn what_is_no_number_is_kept_and_said() {
    for value in ["", "NaN", "1e400", "twelve", "99999999999999999999", &"9".repeat(500)] {
        let (readings, notes) = all(vec![of("Energy.Active.Import.Register", value, "kWh")]);
        assert_eq!((readings[0].import, readings[0].other.len(), notes.len()), (None, 1, 1), "{value}");
    }
}

#[test]
fn power_and_current_by_phase() {
    let amps = [("16", Phase::L1), ("15.9", Phase::L2), ("16.1", Phase::L3), ("0.2", Phase::N)];
    let mut samples: Vec<Sample> =
        amps.iter().map(|(value, phase)| on(of("Current.Import", value, "A"), phase.clone())).collect();
    samples.push(of("Power.Active.Import", "11.04", "kW"));
    samples.push(on(of("Voltage", "229", "V"), Phase::L1N));
    samples.push(on(of("Voltage", "231", "V"), Phase::L2N));
    let (readings, _) = all(samples);
    let reading = &readings[0];
    let phases = [Some(16_000_000), Some(15_900_000), Some(16_100_000)];
    assert_eq!(reading.current, Some(Phased { total: 48_000_000, unphased: false, phases }));
    assert_eq!(reading.power, Some(Phased { total: 11_040_000, unphased: true, phases: [None; 3] }));
    assert_eq!(reading.voltage.map(|voltage| voltage.total), Some(230_000_000));
    assert_eq!(reading.other.len(), 1);
}

#[test]
fn the_outlet_counts_before_the_inlet() {
    let inlet = Sample { location: Some(Location::Inlet), ..sample(None, "5100") };
    let (readings, _) = all(vec![inlet.clone(), sample(None, "5000")]);
    assert_eq!((readings[0].import, readings[0].other.len()), (Some(Energy(5_000_000)), 1));
    let (readings, _) = all(vec![inlet]);
    assert_eq!(readings[0].import, Some(Energy(5_100_000)));
}

#[test]
fn contexts_of_one_batch_are_told_apart() {
    let begin = Sample { context: Context::Begin, ..sample(None, "1") };
    let end = Sample { context: Context::End, ..sample(None, "2") };
    let (readings, _) = all(vec![begin, end]);
    assert_eq!(
        readings.iter().map(|reading| reading.import).collect::<Vec<_>>(),
        [Some(Energy(1_000)), Some(Energy(2_000))]
    );
}

#[test]
fn contexts_without_end_are_bounded_and_nothing_is_lost() {
    let each = |number: usize| Sample { context: Context::Other(number.to_string()), ..sample(None, "1") };
    let (readings, notes) = all((0..20_000).map(each).collect());
    let other: usize = readings.iter().map(|reading| reading.other.len()).sum();
    assert_eq!((readings.len(), other, notes.len()), (16, 20_000 - 16, 20_000 - 16));
}

#[test]
fn signed_values_are_kept_apart() {
    let ocmf = "OCMF|{\"FV\":\"1.0\"}|{\"SD\":\"30\"}";
    let wrapped = serde_json::json!({"signedMeterData": "QUJD", "signingMethod": "", "encodingMethod": "EDL", "publicKey": "k"});
    let signed = |value: &str| Sample { is_signed: true, context: Context::End, ..sample(None, value) };
    let (readings, notes) = all(vec![signed(ocmf), signed(&wrapped.to_string()), signed("30AF")]);
    let told: Vec<_> = readings[0]
        .signed
        .iter()
        .map(|signed| (signed.data.as_str(), signed.encoding.as_deref(), signed.public_key.as_deref()))
        .collect();
    assert_eq!(told, [(ocmf, Some("OCMF"), None), ("QUJD", Some("EDL"), Some("k")), ("30AF", None, None)]);
    assert_eq!((readings[0].import, notes.len()), (None, 0));
}
