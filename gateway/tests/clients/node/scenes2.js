// What chargers of OCPP 2.0.1 and 2.1 live through.
'use strict';

const assert = require('node:assert/strict');
const { checkBill, clock } = require('./charger');

const ACCEPTED = { status: 'Accepted' };
const answers = () => ({
    CostUpdated: {},
    GetBaseReport: ACCEPTED,
    RequestStartTransaction: ACCEPTED,
    RequestStopTransaction: ACCEPTED,
    Reset: ACCEPTED,
    SendLocalList: ACCEPTED,
    SetChargingProfile: ACCEPTED,
    SetDefaultTariff: ACCEPTED,
    TriggerMessage: ACCEPTED,
    UnlockConnector: { status: 'Unlocked' },
});
const card = (idToken) => ({ idToken, type: 'ISO14443' });

const boot = async (charger) => {
    const chargingStation = { vendorName: 'Others', model: 'Js' };
    assert.equal((await charger.say('BootNotification', { reason: 'PowerUp', chargingStation })).status, 'Accepted');
};

const status = (charger, timestamp, connectorStatus, evseId = 1) =>
    charger.say('StatusNotification', { timestamp, connectorStatus, evseId, connectorId: 1 });

// A transaction; every event has the next number.
const transaction = (charger, at, transactionId, evse = 1, seqNo = 0) => {
    return (eventType, minutes, triggerReason, wh, more = {}) => {
        const event = { eventType, timestamp: at(minutes), triggerReason, seqNo, transactionInfo: { transactionId } };
        if (wh !== undefined) {
            const sampledValue = [{ value: wh, measurand: 'Energy.Active.Import.Register' }];
            event.meterValue = [{ timestamp: at(minutes), sampledValue }];
        }
        if (seqNo === 0) event.evse = { id: evse, connectorId: 1 };
        seqNo += 1;
        const { info, ...rest } = more;
        Object.assign(event.transactionInfo, info);
        return charger.say('TransactionEvent', { ...event, ...rest });
    };
};
const charges = { info: { chargingState: 'Charging' }, idToken: card('CARD-1') };

async function wholeSession(charger) {
    await charger.connect();
    await boot(charger);
    const at = clock(90);
    await charger.say('Heartbeat');
    await status(charger, at(0), 'Occupied');
    const say = transaction(charger, at, 'J-1');
    await say('Started', 0, 'CablePluggedIn', 1000, { info: { chargingState: 'EVConnected' } });
    const known = await charger.say('Authorize', { idToken: card('CARD-1') });
    assert.deepEqual(known.idTokenInfo.groupIdToken, { idToken: 'FLAT-1', type: 'Central' });
    await say('Updated', 1, 'Authorized', undefined, charges);
    await say('Updated', 15, 'MeterValuePeriodic', 7000);
    await say('Updated', 30, 'MeterValuePeriodic', 13345);
    await say('Updated', 30, 'ChargingStateChanged', undefined, { info: { chargingState: 'SuspendedEV' } });
    const last = await say('Ended', 60, 'EVDeparted', 13345, { info: { stoppedReason: 'EVDisconnected' } });
    assert.equal(last.totalCost, 7.44);
    await status(charger, at(60), 'Available');
    const [session] = await charger.desk.billed(charger.identity);
    // 12.345 kWh; 30 minutes at the plug after charging, ten of them free.
    checkBill(session, '12.345', { 'start fee': '0.50', energy: '4.94', 'idle fee': '2.00' }, '7.44', '5.93', '1.51');
}

// The line breaks; what happens meanwhile waits in the library and is said once it is there again.
async function offline(charger) {
    await charger.connect();
    await boot(charger);
    const at = clock(120);
    await charger.lose();
    const sides = [1, 2].map(async (evse) => {
        const say = transaction(charger, at, `J-${evse}`, evse);
        await say('Started', evse, 'Authorized', 0, { offline: true, ...charges });
        for (let step = 1; step < 5; step += 1) {
            await say('Updated', evse + 5 * step, 'MeterValuePeriodic', 2000 * step, { offline: true });
        }
        const info = { stoppedReason: 'EVDisconnected' };
        await say('Ended', evse + 30, 'EVDeparted', 10_000, { offline: true, info });
    });
    await Promise.all(sides);
    for (const session of await charger.desk.billed(charger.identity, 2)) {
        checkBill(session, '10', { 'start fee': '0.50', energy: '4.00' }, '4.50', '3.59', '0.91');
    }
}

// An event whose answer is lost with the line is said again, with another message id.
async function lostAnswer(charger) {
    await charger.connect();
    await boot(charger);
    const at = clock(60);
    const events = [
        ['Started', 0, 'Authorized', 0, charges],
        ['Ended', 20, 'EVDeparted', 5000, { info: { stoppedReason: 'EVDisconnected' } }],
    ];
    // Said again, an event has the number that it had.
    const say = (number) => transaction(charger, at, 'J-1', 1, number)(...events[number]);
    for (const number of [0, 1]) {
        const unheard = say(number);
        await charger.lose();
        await assert.rejects(unheard);
        await say(number);
        await say(number);
    }
    const [session] = await charger.desk.billed(charger.identity);
    checkBill(session, '5', { 'start fee': '0.50', energy: '2.00' }, '2.50', '1.99', '0.51');
}

async function remote(charger) {
    await charger.connect();
    await boot(charger);
    const give = async (order) => (await charger.desk.order(charger.identity, order)).status;
    assert.equal(await give({ do: 'remote-start', evse: 1, token: 'CARD-2' }), 'Accepted');
    const [order] = charger.told('RequestStartTransaction');
    assert.deepEqual([order.evseId, order.idToken], [1, card('CARD-2')]);
    const say = transaction(charger, clock(60), 'J-1');
    const info = { chargingState: 'Charging', remoteStartId: order.remoteStartId };
    await say('Started', 0, 'RemoteStart', 0, { info, idToken: order.idToken });
    await say('Updated', 30, 'MeterValuePeriodic', 9000);
    const [running] = await charger.desk.sessions(charger.identity);
    assert.equal(await give({ do: 'remote-stop', session: running.id }), 'Accepted');
    assert.deepEqual(charger.told('RequestStopTransaction'), [{ transactionId: 'J-1' }]);
    await say('Ended', 31, 'RemoteStop', 9000, { info: { stoppedReason: 'Remote' } });
    await status(charger, clock(29)(0), 'Available');
    const [session] = await charger.desk.billed(charger.identity);
    checkBill(session, '9', { 'start fee': '0.50', energy: '2.70' }, '3.20', '2.55', '0.65');
    const raw = (command) => give({ do: 'raw', command });
    assert.equal(await raw({ GetBaseReport: { request: 1, base: 'FullInventory' } }), 'Accepted');
    assert.equal(await give({ do: 'trigger', message: 'status', evse: 1 }), 'Accepted');
    assert.equal(await give({ do: 'unlock', evse: 1 }), 'Unlocked');
    assert.equal(await give({ do: 'reset', kind: 'when-idle' }), 'Accepted');
    assert.equal(await give({ do: 'send-local-list' }), 'Accepted');
    const periods = [{ start_s: 0, limit: '16.3' }, { start_s: 60, limit: '8.7' }];
    const schedules = [{ id: 1, duration_s: 600, unit: 'A', periods }];
    const profile = { id: 5, stack_level: 0, purpose: 'TxDefaultProfile', kind: 'Relative', schedules };
    assert.equal(await give({ do: 'set-charging-profile', evse: 1, profile }), 'Accepted');
    if (charger.version === '2.1') {
        const energy = { prices: [{ price: '0.3187' }], taxes: [{ kind: 'VAT', percent: '25.5' }] };
        const tariff = { id: 'day', description: [], currency: 'EUR', energy };
        assert.equal(await raw({ SetDefaultTariff: { evse: 0, tariff } }), 'Accepted');
        assert.equal(charger.told('SetDefaultTariff')[0].tariff.energy.prices[0].priceKwh, 0.3187);
    }
}

module.exports = { answers, boot, scenes: { wholeSession, offline, lostAnswer, remote } };
