// Takes messages of a generic SMS service as they come in: POST with {"id", "from", "text"}, signed by HMAC-SHA256 in `x-signature` (hex).
import { hmacEquals } from 'takst:plugin/host-crypto@1.0.0';
import { write } from 'takst:plugin/host-log@1.0.0';

// QuickJS is the language alone: there is no TextDecoder, no fetch, no console.
const text = (bytes) =>
  decodeURIComponent(Array.from(bytes, (byte) => '%' + byte.toString(16).padStart(2, '0')).join(''));

function fail(code, detail) {
  // What is thrown is the error of the interface. It was not done, and asking again would not help.
  throw { code, outcome: 'refused', detail, retryAfter: undefined };
}

function fromHex(hex) {
  if (!/^([0-9a-f]{2})+$/i.test(hex)) fail('bad-signature', 'the header x-signature is no hex');
  return new Uint8Array(hex.match(/../g).map((pair) => Number.parseInt(pair, 16)));
}

export const configuration = {
  check(_settings) {
    return [];
  },
};

export const calls = {
  receive(_settings, call) {
    if (call.method !== 'POST') fail('wrong-method', `${call.method} is no POST`);
    const signature = call.headers.find(([name]) => name === 'x-signature');
    if (!signature) fail('no-signature', 'the header x-signature is missing');
    if (!hmacEquals('sha256', 'webhook_key', call.body, fromHex(signature[1]))) {
      fail('bad-signature', 'the signature is not right');
    }
    let message;
    try {
      message = JSON.parse(text(call.body));
    } catch (error) {
      fail('no-json', `the body is no JSON: ${error.message}`);
    }
    for (const field of ['id', 'from', 'text']) {
      if (typeof message[field] !== 'string') fail('bad-message', `the field ${field} is missing or no text`);
    }
    write('debug', `message ${message.id}`);
    return {
      status: 204,
      headers: [],
      body: new Uint8Array(),
      events: [{ kind: 'message-in', subject: message.from, id: message.id, more: [['text', message.text]] }],
    };
  },
};
