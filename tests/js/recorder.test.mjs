/** A session that goes on: nothing is recorded before the server's greeting, and one can always give it up. */

import assert from 'node:assert/strict';
import { afterEach, beforeEach, mock, test } from 'node:test';

import { Microphone } from '../../static/js/microphone.js';
import { Recorder } from '../../static/js/recorder.js';
import { NoStore } from '../../static/js/store.js';

const moment = () => new Promise((resolve) => setImmediate(resolve));
const lines = [];
const heard = [];

class Line {
  constructor() {
    lines.push(this);
  }

  send() {}

  close() {
    this.closed = true;
  }

  greet() {
    this.onmessage({ data: JSON.stringify({ t: 'resume', next: 40, safe_ms: 4000 }) });
  }
}

globalThis.WebSocket = Line;
Object.defineProperty(globalThis, 'navigator', { value: {} });
globalThis.location = { origin: 'http://memweb.test' };
Object.assign(Microphone.prototype, {
  async open() {},
  begin: (...place) => heard.push(place),
  async end() {},
  close: () => heard.push('closed'),
});

function recorder({ settled = async () => {} } = {}) {
  const on = { change() {}, level() {}, message() {}, ended() {} };
  const choices = () => ({ language: 'en', provider: '' });
  return new Recorder({ store: new NoStore(), worklet: '', choices, sid: 'a', samples: 64_000, settled, on });
}

beforeEach(() => {
  lines.length = heard.length = 0;
  mock.timers.enable({ apis: ['setTimeout'] });
});
afterEach(() => mock.timers.reset());

test('it is recorded from the greeting on, and a pause asked for before it pauses nothing', async () => {
  const made = recorder();
  const started = made.start();
  await moment();
  assert.equal(made.facts.phase, 'opening');
  made.togglePause();
  assert.equal(made.mark(), -1);
  lines[0].greet();
  await started;
  await moment();
  assert.equal(made.facts.phase, 'recording');
  assert.deepEqual(heard, [[40, 64_000]]);
});

for (const [waiting, settled] of [['the server', async () => {}], ['what is handed over', () => new Promise(() => {})]]) {
  test(`waiting for ${waiting} is told once it takes long, and can be given up and begun anew`, async () => {
    const made = recorder({ settled });
    const started = made.start();
    await moment();
    assert.equal(made.facts.late, false);
    mock.timers.tick(3000);
    assert.deepEqual([made.facts.phase, made.facts.late], ['opening', true]);
    await Promise.all([made.finish(), started]);
    assert.deepEqual([made.facts.phase, made.facts.problem, made.session], ['idle', null, null]);
    assert.deepEqual(heard, ['closed']);
    assert.ok(lines.every((line) => line.closed));
    made.settled = async () => {};
    const again = made.start();
    await moment();
    lines.at(-1).greet();
    await again;
    assert.equal(made.facts.phase, 'recording');
  });
}

test('a refusal before the greeting is told, and lets go of the session', async () => {
  const made = recorder();
  const started = made.start();
  await moment();
  lines[0].onclose({ code: 4409 });
  await started;
  assert.deepEqual([made.facts.phase, made.facts.problem, made.session], ['idle', { code: 'taken' }, null]);
});
