/** The list of what was not finished: what goes on in another tab is not in it. */

import assert from 'node:assert/strict';
import { test } from 'node:test';

const LOCK = 'memweb.session.';
let held = [];
const locks = {
  query: async () => ({ held: held.map((name) => ({ name })) }),
  request: (name, options, work) => {
    held.push(name);
    return work({ name });
  },
};
Object.defineProperty(globalThis, 'navigator', { value: { locks } });
const { holdSession } = await import('../../static/js/line.js');
const { Unfinished } = await import('../../static/js/unfinished.js');

/** A page with these sessions in its list. @param {string[]} sids */
function page(...sids) {
  const rows = new Set(sids);
  const section = {
    hidden: false,
    querySelector: (selector) => {
      const sid = selector === 'li' ? [...rows][0] : /^\[data-sid="(.+)"\]$/.exec(selector)[1];
      return rows.has(sid) ? { remove: () => rows.delete(sid) } : null;
    },
  };
  globalThis.document = { querySelectorAll: () => [], getElementById: () => section };
  const unfinished = new Unfinished({ addEventListener() {} }, { recovery: {}, store: {} });
  return { rows, section, unfinished };
}

test('a session of another tab is hidden, and its own and those of nobody stay', async () => {
  held = [`${LOCK}elsewhere`, `${LOCK}not-listed`, 'another lock'];
  await holdSession('own');
  const { rows, section, unfinished } = page('elsewhere', 'own', 'left');
  await unfinished.hideLive();
  assert.deepEqual([...rows], ['own', 'left']);
  assert.equal(section.hidden, false);
});

test('a list with nothing left in it is not shown', async () => {
  held = [`${LOCK}elsewhere`];
  const { rows, section, unfinished } = page('elsewhere');
  await unfinished.hideLive();
  assert.deepEqual([...rows], []);
  assert.equal(section.hidden, true);
});
