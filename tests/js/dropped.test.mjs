import assert from 'node:assert/strict';
import { test } from 'node:test';
import { filesPasted } from '../../static/js/dropped.js';

/** What the page has of an element: whether it, or one it lies in, is a field. */
globalThis.Element = class {
  constructor(isField) {
    this.isField = isField;
  }

  closest(selector) {
    return selector.includes('textarea') && this.isField ? this : null;
  }
};

const picture = { name: 'image.png', type: 'image/png' };
const recording = { name: 'talk.wav', type: 'audio/wav' };
const paste = (isField, types, ...files) => ({ target: new Element(isField), clipboardData: { types, files } });

test('files that are pasted on the page are taken', () => {
  assert.deepEqual(filesPasted(paste(false, ['Files'], recording, recording)), [recording, recording]);
});

test('files are taken though their names lie beside them, as some systems have it', () => {
  assert.deepEqual(filesPasted(paste(false, ['text/plain', 'Files'], recording)), [recording]);
});

test('in a field text is pasted, and its picture is no file', () => {
  assert.deepEqual(filesPasted(paste(true, ['text/plain', 'text/html', 'Files'], picture)), []);
  assert.deepEqual(filesPasted(paste(true, ['text/plain', 'Files'], picture)), []);
});

test('a table or a document that is pasted beside all fields is no file either', () => {
  assert.deepEqual(filesPasted(paste(false, ['text/plain', 'text/html', 'Files'], picture)), []);
});

test('a clipboard without files, or none, gives none', () => {
  assert.deepEqual(filesPasted(paste(false, ['text/plain'])), []);
  assert.deepEqual(filesPasted({ target: null, clipboardData: null }), []);
});
