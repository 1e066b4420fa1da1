// Chargers made of npm `ocpp-rpc`, in its strict mode: whatever the gateway says is checked against the library's own schemas,
// formats of times included. And the gateway's API beside them.
'use strict';

const assert = require('node:assert/strict');
const { setTimeout: pause } = require('node:timers/promises');
const { RPCClient, createValidator } = require('ocpp-rpc');

// In 2.2.1 the schemas of 2.1 have other names than the library looks for; and it warns of words with `additionalProperties`.
const named = require('ocpp-rpc/lib/schemas/ocpp2_1.json').map((schema) => {
    const $id = schema.$id.replace(/Request$/, '.req').replace(/Response$/, '.conf');
    const plain = (_, value) => (value?.type === 'string' ? { ...value, additionalProperties: undefined } : value);
    return { ...JSON.parse(JSON.stringify(schema), plain), $id };
});
const NEWEST = createValidator('ocpp2.1', named);

const PATIENCE = 20_000;
const PASSWORD = 'correct horse';

// The first answer of `look` that is something.
async function until(look, what) {
    const end = Date.now() + PATIENCE;
    for (;;) {
        const found = await look();
        if (found) return found;
        assert(Date.now() < end, `${what}: not within ${PATIENCE / 1000} s`);
        await pause(50);
    }
}

// The charger's clock in minutes from the beginning of a session, which was `ago` minutes before now.
const clock = (ago) => {
    const begin = Date.now() - ago * 60_000;
    return (minutes) => new Date(begin + minutes * 60_000).toISOString();
};

class Charger {
    constructor(desk, identity, version, answers) {
        Object.assign(this, { desk, identity, version, answers, heard: [], complaints: [] });
    }

    async connect(password = PASSWORD, protocols = [`ocpp${this.version}`]) {
        this.client = new RPCClient({
            endpoint: `${this.desk.url.replace('http', 'ws')}/ocpp`,
            identity: this.identity,
            password,
            protocols,
            strictMode: [`ocpp${this.version}`],
            strictModeValidators: [NEWEST],
            backoff: { initialDelay: 100, maxDelay: 1000, factor: 2, randomisationFactor: 0 },
        });
        this.client.on('strictValidationFailure', ({ method, params, result, error, outbound }) => {
            if (!outbound) this.complaints.push(`${method} ${JSON.stringify(result ?? params)}: ${error.message}`);
        });
        this.client.on('badMessage', ({ buffer, error }) => this.complaints.push(`${buffer}: ${error.message}`));
        this.client.handle(({ method, params }) => {
            this.heard.push([method, params]);
            if (!(method in this.answers)) this.complaints.push(`an unknown request: ${method}`);
            return this.answers[method];
        });
        await this.client.connect();
        return this;
    }

    say(method, params = {}) {
        return this.client.call(method, params, { callTimeoutMs: PATIENCE });
    }

    told(method) {
        return this.heard.filter(([heard]) => heard === method).map(([, params]) => params);
    }

    // The line breaks without a goodbye; the library comes again by itself.
    async lose() {
        const gone = new Promise((resolve) => this.client.once('disconnect', resolve));
        this.client._ws.terminate();
        await gone;
    }

    async leave() {
        await this.client?.close();
    }
}

class Desk {
    constructor(url, key) {
        Object.assign(this, { url, key });
    }

    async request(path, body) {
        const headers = { Authorization: `Bearer ${this.key}`, 'Content-Type': 'application/json' };
        const how = body ? { method: 'POST', headers, body: JSON.stringify(body) } : { headers };
        const response = await fetch(this.url + path, how);
        const found = await response.json();
        assert.equal(response.status, 200, JSON.stringify([path, body, found]));
        return found;
    }

    async order(charger, order) {
        return (await this.request(`/api/v1/chargers/${charger}/commands`, order)).outcome;
    }

    async sessions(charger) {
        return (await this.request(`/api/v1/sessions?charger=${charger}`)).reverse();
    }

    // The sessions of a charger once each has its bill.
    async billed(charger, count = 1) {
        let listed;
        const look = async () => {
            listed = await this.sessions(charger);
            return listed.length === count && listed.every((session) => session.bills.length === 1);
        };
        await until(look, `${count} bills of ${charger}`).catch((error) => {
            throw new Error(`${error.message}: ${JSON.stringify(listed)}`);
        });
        return listed;
    }
}

// A session's energy and the bill for it, to the cent.
function checkBill(session, energy, charges, total, net, vat) {
    const [bill] = session.bills;
    const found = Object.fromEntries(bill.charges.map(({ charge, amount }) => [charge, amount]));
    assert.deepEqual(
        [session.energy_kwh, found, bill.total, bill.net, bill.vat_total, bill.status],
        [energy, charges, total, net, vat, 'final'],
    );
    assert.deepEqual(session.flags, []);
}

module.exports = { Charger, Desk, checkBill, clock, until };
