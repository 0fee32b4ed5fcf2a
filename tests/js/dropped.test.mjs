import assert from 'node:assert/strict';
import { test } from 'node:test';
import { filesIn, filesPasted } from '../../static/js/dropped.js';

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

const entry = (name) => ({ isFile: true, isDirectory: false, file: (take) => take({ name, type: '' }) });
const folder = (...inside) => ({
  isFile: false,
  isDirectory: true,
  createReader: () => ({ readEntries: (take) => take(inside.splice(0, 100)) }),
});
const dropped = (...entries) => ({ items: entries.map((one) => ({ webkitGetAsEntry: () => one })), files: [recording] });

test('of a folder what is read is taken, with what lies in folders of it, and the rest is counted', async () => {
  const inner = folder(entry('b.vtt'), entry('cover.jpg'), entry('.DS_Store'));
  const { files, left } = await filesIn(dropped(folder(entry('a.wav'), inner, entry('notes.docx')), entry('chosen.xyz')));
  assert.deepEqual([files.map(({ name }) => name), left], [['chosen.xyz', 'a.wav', 'b.vtt'], 2]);
});

test('without a folder everything that was dropped is taken', async () => {
  assert.deepEqual(await filesIn(dropped(entry('chosen.xyz'))), { files: [recording], left: 0 });
});
