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
  stalled: false, gap: null, unsafeMs: 0, restFrames: 0, restsInMs: null, restedMs: 0, voicedMs: 0, voicedFrom: 0,
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

test('what has no words, though there was sound, is not said to be transcribed', () => {
  const view = new View(() => {});
  view.render({ ...facts, transcribedMs: 40_000, voicedMs: 14_000, voicedFrom: 20_000 });
  assert.match(place('clocks').textContent, /transcribed 0:40/);
  view.render({ ...facts, transcribedMs: 40_000, voicedMs: 18_000, voicedFrom: 20_000 });
  assert.match(place('clocks').textContent, /no words since 0:20/);
  assert.doesNotMatch(place('clocks').textContent, /transcribed/);
});
