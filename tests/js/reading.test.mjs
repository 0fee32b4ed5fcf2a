import assert from 'node:assert/strict';
import { test } from 'node:test';

import { lastAtOrBefore, pieces } from '../../static/js/reading.js';
import { asked, otherRate, spoken } from '../../static/js/sound.js';
import { bars } from '../../static/js/waveform.js';

test('words have the places they were packed with, and join to the text', () => {
  const text = 'Hello, dear 🛶 world.';
  const found = pieces(text, '0.6.0 1.4.300? 1.1.600 1.6.900');
  assert.equal(found.map((piece) => piece.text).join(''), text);
  assert.deepEqual(found.filter(({ start }) => start !== null).map(({ text: word, start, unsure }) => [word, start, unsure]), [
    ['Hello,', 0, false], ['dear', 300, true], ['🛶', 600, false], ['world.', 900, false],
  ]);
});

test('a segment without word times is one word, and an empty one none', () => {
  assert.deepEqual(pieces('All of it.', ''), [{ text: 'All of it.', start: 0, unsure: false }]);
  assert.deepEqual(pieces('', ''), []);
});

test('what no word covers stays in the text', () => {
  const found = pieces('“So, no.”', '1.2.0 2.2.500');
  assert.equal(found.map((piece) => piece.text).join(''), '“So, no.”');
  assert.deepEqual(found.map(({ start }) => start), [null, 0, null, 500, null]);
});

test('the last start that is not after a moment is found at every edge', () => {
  const starts = [0, 10, 10, 25];
  const slow = (value) => starts.reduce((last, start, i) => (start <= value ? i : last), -1);
  for (let value = -2; value < 30; value++) assert.equal(lastAtOrBefore(starts, value), slow(value));
  assert.equal(lastAtOrBefore([], 5), -1);
});

test('a position is said in words', () => {
  assert.equal(spoken(797.6), '13 minutes 17 seconds');
  assert.equal(spoken(3661), '1 hour 1 minute 1 second');
  assert.equal(spoken(0.4), '0 seconds');
});

test('a fragment says a moment or nothing', () => {
  assert.equal(asked('#t=767'), 767);
  assert.equal(asked('#t=12:47'), 767);
  assert.equal(asked('#t=1:02:15.5'), 3735.5);
  for (const hash of ['', '#t=', '#t=x', '#title', '#t=1:2:3:4', '#t=-5']) assert.equal(asked(hash), null);
});

test('speeds go step by step and stop at the ends', () => {
  assert.equal(otherRate(1, 1), 1.25);
  assert.equal(otherRate(3, 1), 3);
  assert.equal(otherRate(0.5, -1), 0.5);
  assert.equal(otherRate(1.1, 1), 1.25);
});

test('bars show the loudest of their stretch, for any length of recording', () => {
  assert.deepEqual(bars(Uint8Array.from([0, 255, 0, 0]), 2), [1, 0]);
  assert.deepEqual(bars(new Uint8Array(), 3), [0, 0, 0]);
  assert.equal(bars(Uint8Array.from([10]), 5).length, 5);
  assert.ok(bars(Uint8Array.from([4, 4]), 2).every((level) => level <= 0.25));
  assert.equal(Math.max(...bars(new Uint8Array(1_000_000).fill(9), 100)), 9 / 16);
});
