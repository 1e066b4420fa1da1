// What chargers of OCPP 1.6 live through.
'use strict';

const assert = require('node:assert/strict');
const { checkBill, clock } = require('./charger');

const ACCEPTED = { status: 'Accepted' };
const answers = () => ({
    ChangeConfiguration: ACCEPTED,
    DataTransfer: ACCEPTED,
    GetConfiguration: { configurationKey: [{ key: 'HeartbeatInterval', readonly: false, value: '300' }] },
    RemoteStartTransaction: ACCEPTED,
    RemoteStopTransaction: ACCEPTED,
    Reset: ACCEPTED,
    SendLocalList: ACCEPTED,
    SetChargingProfile: ACCEPTED,
    TriggerMessage: ACCEPTED,
    UnlockConnector: { status: 'Unlocked' },
});

const boot = async (charger) => {
    const booted = await charger.say('BootNotification', { chargePointVendor: 'Others', chargePointModel: 'Js' });
    assert.equal(booted.status, 'Accepted');
};

const status = (charger, timestamp, word, connectorId = 1) =>
    charger.say('StatusNotification', { connectorId, errorCode: 'NoError', status: word, timestamp });

const start = async (charger, timestamp, meterStart, connectorId = 1, idTag = 'CARD-1') => {
    const begun = await charger.say('StartTransaction', { connectorId, idTag, meterStart, timestamp });
    assert.equal(begun.idTagInfo.status, 'Accepted');
    return begun.transactionId;
};

const meter = (charger, timestamp, wh, transactionId, connectorId = 1) => {
    const sampledValue = [{ value: `${wh}`, measurand: 'Energy.Active.Import.Register', unit: 'Wh' }];
    return charger.say('MeterValues', { connectorId, transactionId, meterValue: [{ timestamp, sampledValue }] });
};

const stop = (charger, timestamp, meterStop, transactionId, reason = 'Local') =>
    charger.say('StopTransaction', { transactionId, meterStop, timestamp, reason });

async function wholeSession(charger) {
    await charger.connect();
    await boot(charger);
    const at = clock(90);
    await charger.say('Heartbeat');
    await status(charger, at(0), 'Preparing');
    const known = await charger.say('Authorize', { idTag: 'CARD-1' });
    assert.deepEqual(known.idTagInfo, { status: 'Accepted', parentIdTag: 'FLAT-1' });
    const transaction = await start(charger, at(1), 1000);
    await status(charger, at(1), 'Charging');
    await meter(charger, at(15), 7000, transaction);
    await meter(charger, at(30), 13345, transaction);
    await status(charger, at(30), 'SuspendedEV');
    await stop(charger, at(45), 13345, transaction);
    await status(charger, at(45), 'Finishing');
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
    const sides = [1, 2].map(async (connector) => {
        const transaction = await start(charger, at(connector), 0, connector);
        for (let step = 1; step < 5; step += 1) {
            await meter(charger, at(connector + 5 * step), 2000 * step, transaction, connector);
        }
        await stop(charger, at(connector + 30), 10_000, transaction);
        await status(charger, at(connector + 30), 'Available', connector);
    });
    await Promise.all(sides);
    for (const session of await charger.desk.billed(charger.identity, 2)) {
        checkBill(session, '10', { 'start fee': '0.50', energy: '4.00' }, '4.50', '3.59', '0.91');
    }
}

// A start whose answer is lost with the line is said again, with another message id.
async function lostAnswer(charger) {
    await charger.connect();
    await boot(charger);
    const at = clock(60);
    const unheard = start(charger, at(0), 0);
    await charger.lose();
    await assert.rejects(unheard);
    const transaction = await start(charger, at(0), 0);
    assert.equal(await start(charger, at(0), 0), transaction);
    await stop(charger, at(20), 5000, transaction);
    await stop(charger, at(20), 5000, transaction);
    await status(charger, at(20), 'Available');
    const [session] = await charger.desk.billed(charger.identity);
    checkBill(session, '5', { 'start fee': '0.50', energy: '2.00' }, '2.50', '1.99', '0.51');
}

async function remote(charger) {
    await charger.connect();
    await boot(charger);
    const at = clock(60);
    const give = async (order) => (await charger.desk.order(charger.identity, order)).status;
    assert.equal(await give({ do: 'remote-start', evse: 1, token: 'CARD-2' }), 'Accepted');
    assert.deepEqual(charger.told('RemoteStartTransaction'), [{ connectorId: 1, idTag: 'CARD-2' }]);
    const transaction = await start(charger, at(0), 0, 1, 'CARD-2');
    await meter(charger, at(30), 9000, transaction);
    const [running] = await charger.desk.sessions(charger.identity);
    assert.equal(await give({ do: 'remote-stop', session: running.id }), 'Accepted');
    assert.deepEqual(charger.told('RemoteStopTransaction'), [{ transactionId: transaction }]);
    await stop(charger, at(31), 9000, transaction, 'Remote');
    await status(charger, at(31), 'Available');
    const [session] = await charger.desk.billed(charger.identity);
    checkBill(session, '9', { 'start fee': '0.50', energy: '2.70' }, '3.20', '2.55', '0.65');
    assert.equal(await give({ do: 'get-configuration' }), 'Accepted');
    assert.equal(await give({ do: 'set-configuration', key: 'HeartbeatInterval', value: '60' }), 'Accepted');
    assert.equal(await give({ do: 'trigger', message: 'status', evse: 1 }), 'Accepted');
    assert.equal(await give({ do: 'unlock', evse: 1 }), 'Unlocked');
    assert.equal(await give({ do: 'reset', kind: 'graceful' }), 'Accepted');
    assert.equal(await give({ do: 'send-local-list' }), 'Accepted');
    // The limit has a multiple of 0.1 for its schema.
    const periods = [{ start_s: 0, limit: '16.3' }, { start_s: 60, limit: '8.7' }];
    const schedules = [{ id: 1, duration_s: 600, unit: 'A', periods }];
    const profile = { id: 5, stack_level: 0, purpose: 'TxDefaultProfile', kind: 'Relative', schedules };
    assert.equal(await give({ do: 'set-charging-profile', evse: 1, profile }), 'Accepted');
    assert.equal(charger.told('SetChargingProfile')[0].csChargingProfiles.chargingProfileId, 5);
}

module.exports = { answers, boot, scenes: { wholeSession, offline, lostAnswer, remote } };
