/** The facts of a recording, as they are put into the page. */

import assert from 'node:assert/strict';
import { test } from 'node:test';

const places = new Map();

function place(id) {
  const element = { textContent: '', lang: '', value: '', hidden: false, dataset: {}, childElementCount: 0, addEventListener() {}, setAttribute() {} };
  if (!places.has(id)) places.set(id, element);
  return places.get(id);
}

globalThis.document = { getElementById: place, body: { dataset: {} } };
globalThis.addEventListener = () => {};
const { View } = await import('../../static/js/view.js');

const facts = {
  phase: 'recording', problem: null, trouble: null, device: 'Desk', line: true, everUp: true, server: 'listening', note: '', engine: 'moonshine',
  awaits: '', late: false, cost: null, capturedMs: 1000, safeMs: 0, transcribedMs: 0, lagMs: 0, quietFrames: 0, heard: true, unsent: 10, keeps: true,
};

test('a browser that keeps nothing says so', () => {
  const view = new View(() => {});
  view.render(facts);
  assert.doesNotMatch(place('clocks').textContent, /keeps/);
  view.render({ ...facts, keeps: false });
  assert.match(place('clocks').textContent, /this browser keeps nothing$/);
});

test('the words have the language that is listened for, and none that is yet to be found', () => {
  const view = new View(() => {});
  for (const code of ['de', '']) {
    place('language').value = code;
    view.render(facts);
    assert.deepEqual([place('log').lang, place('interim').lang], [code, code]);
  }
});
