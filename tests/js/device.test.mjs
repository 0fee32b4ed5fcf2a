/** The screen stays on while somebody records, as far as the device lets it. */

import assert from 'node:assert/strict';
import { test } from 'node:test';

const moment = () => new Promise((resolve) => setImmediate(resolve));
const page = Object.assign(new EventTarget(), { hidden: false });
const wakeLock = { asked: [] };
globalThis.document = page;
Object.defineProperty(globalThis, 'navigator', { value: { wakeLock } });
const { keepAwake } = await import('../../static/js/device.js');

class Lock extends EventTarget {
  isHeld = true;

  async release() {
    this.isHeld = false;
    this.dispatchEvent(new Event('release'));
  }
}

/** What the device answers from now on; gives the locks it gave. @param {() => Lock | Promise<Lock>} answer */
function device(answer = () => new Lock()) {
  const given = [];
  wakeLock.asked = [];
  wakeLock.request = async (kind) => {
    wakeLock.asked.push(kind);
    given.push(await answer());
    return given.at(-1);
  };
  return given;
}

/** The system takes the lock of a page that nobody sees. */
async function hide(lock) {
  page.hidden = true;
  await lock?.release();
  page.dispatchEvent(new Event('visibilitychange'));
}

function show() {
  page.hidden = false;
  page.dispatchEvent(new Event('visibilitychange'));
}

test('it is asked for once, and let go when recording ends', async () => {
  const given = device();
  keepAwake(true);
  await moment();
  keepAwake(true);
  await moment();
  assert.deepEqual(wakeLock.asked, ['screen']);
  assert.equal(given[0].isHeld, true);
  keepAwake(false);
  await moment();
  assert.equal(given[0].isHeld, false);
});

test('what the system took from a hidden page is asked for again when it is seen, while recording goes on', async () => {
  const given = device();
  keepAwake(true);
  await moment();
  await hide(given[0]);
  await moment();
  assert.equal(wakeLock.asked.length, 1);
  show();
  await moment();
  assert.equal(given[1].isHeld, true);
  keepAwake(false);
  await hide();
  show();
  await moment();
  assert.equal(wakeLock.asked.length, 2);
});

test('a hidden page asks when it is seen', async () => {
  const given = device();
  await hide();
  keepAwake(true);
  await moment();
  assert.deepEqual(wakeLock.asked, []);
  show();
  await moment();
  assert.equal(given.length, 1);
  keepAwake(false);
  await moment();
});

test('a lock that comes when recording is over is let go of', async () => {
  let answer;
  const given = device(() => new Promise((resolve) => (answer = resolve)));
  keepAwake(true);
  keepAwake(false);
  answer(new Lock());
  await moment();
  assert.deepEqual(given.map((lock) => lock.isHeld), [false]);
});

test('a refusal is no failure, and the next recording asks again', async () => {
  device(() => Promise.reject(new Error('low battery')));
  keepAwake(true);
  await moment();
  keepAwake(false);
  const given = device();
  keepAwake(true);
  await moment();
  assert.equal(given[0].isHeld, true);
  keepAwake(false);
  await moment();
});
