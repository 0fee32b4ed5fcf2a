import assert from 'node:assert/strict';
import { test } from 'node:test';

import { placeBefore } from '../../static/js/paragraphs.js';

const BEFORE = 'The last ferry leaves at six.';
/** A text with its caret as `|`: the place in BEFORE. @param {string} text */
const place = (text) => placeBefore(BEFORE, text.replace('|', ''), text.indexOf('|'));

test('a place in what was not touched is the same word', () => {
  assert.equal(place('The last |ferry leaves at six.'), BEFORE.indexOf('ferry'));
  assert.equal(place('The very last |ferry leaves at six.'), BEFORE.indexOf('ferry'));
  assert.equal(place('The last |ferry leaves at seven tonight.'), BEFORE.indexOf('ferry'));
  assert.equal(place('|The last ferry leaves at six.'), 0);
  assert.equal(place('The last ferry leaves at six.|'), BEFORE.length);
});

test('a place within what was written is where that begins', () => {
  assert.equal(place('The last steam|er leaves at six.'), BEFORE.indexOf('ferry'));
  assert.equal(place('All| of it otherwise'), 0);
});

test('a place is never before what was left untouched', () => {
  assert.equal(placeBefore('aa', 'aaa', 2), 2);
  assert.equal(placeBefore('', 'abc', 2), 0);
  assert.equal(placeBefore('abc', '', 0), 0);
});
