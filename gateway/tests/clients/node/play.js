// Plays scenes against a gateway, all at once, each with a charger of its own. Arguments: version, URL, names of scenes.
'use strict';

const assert = require('node:assert/strict');
const { Charger, Desk } = require('./charger');

const [version, url, ...names] = process.argv.slice(2);
const book = require(version === '1.6' ? './scenes16' : './scenes2');
const desk = new Desk(url, process.env.TAKST_KEY);

// The password is looked at; of several versions the first one that both know is spoken.
async function door(charger) {
    await assert.rejects(charger.connect('wrong horse'), { code: 401 });
    await charger.connect(undefined, ['ocpp9.9', `ocpp${version}`]);
    assert.equal(charger.client.protocol, `ocpp${version}`);
    await book.boot(charger);
    await charger.leave();
    const others = ['ocpp1.6', 'ocpp2.0.1', 'ocpp2.1'].filter((name) => name !== `ocpp${version}`);
    await charger.connect(undefined, [`ocpp${version}`, ...others]);
    assert.equal(charger.client.protocol, `ocpp${version}`);
    await charger.say('Heartbeat');
}

async function play(name, scene) {
    const charger = new Charger(desk, name, version, book.answers());
    try {
        await scene(charger);
        assert.deepEqual(charger.complaints, []);
        return true;
    } catch (error) {
        console.error(`${name}: ${error.stack}\n${charger.complaints.join('\n')}`);
        return false;
    } finally {
        await charger.leave();
    }
}

async function main() {
    const all = Object.entries({ ...book.scenes, door });
    const scenes = Object.fromEntries(all.map(([name, scene]) => [name.replace(/[A-Z]/g, (at) => `-${at.toLowerCase()}`), scene]));
    assert.deepEqual(Object.keys(scenes).sort(), [...names].sort(), 'scenes and names differ');
    const played = await Promise.all(names.map((name) => play(name, scenes[name])));
    names.forEach((name, place) => console.log(name, played[place] ? 'fine' : 'failed'));
    process.exit(played.every(Boolean) ? 0 : 1);
}

main();
