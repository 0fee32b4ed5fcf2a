import assert from 'node:assert/strict';
import { afterEach, beforeEach, mock, test } from 'node:test';

import { Editor } from '../../static/js/editor.js';
import { Away, SignedOut } from '../../static/js/saving.js';
import { Writing } from '../../static/js/writing.js';

const [PAUSE, AGAIN] = [2000, 3000];
const settle = () => new Promise((done) => { setImmediate(done); });

globalThis.CSS = { supports: () => true };
globalThis.ResizeObserver = class { observe() {} disconnect() {} };
const network = new EventTarget();
for (const name of ['addEventListener', 'removeEventListener']) globalThis[name] = network[name].bind(network);

beforeEach(() => mock.timers.enable({ apis: ['setTimeout'] }));
afterEach(() => mock.timers.reset());

/** An element as far as a field needs one. */
function element(more = {}) {
  const events = new EventTarget();
  return {
    style: {}, dataset: {}, classList: { add() {}, remove() {} }, isConnected: true,
    append() {}, remove() {}, replaceChildren() {}, focus() {}, contains: () => false, closest: () => null,
    querySelector: () => element(), querySelectorAll: () => [],
    addEventListener: events.addEventListener.bind(events), dispatchEvent: events.dispatchEvent.bind(events), ...more,
  };
}

/** A paragraph in its field, its editor, and all that it sends. */
function paragraph(text = 'As it was.') {
  const found = { removed: [], sent: [], said: [], drafts: {} };
  const holding = () => (found.sent.at(-1) ? [article] : []);
  found.answers = () => ({ status: 200, answer: { edit: '1', holding } });
  const field = element({ value: text, selectionStart: 0, selectionEnd: 0 });
  const form = element({ elements: { namedItem: () => field } });
  const place = element({ textContent: text });
  const article = element({
    remove: () => found.removed.push('paragraph'),
    querySelector: () => place, querySelectorAll: () => [{ id: 's-a', dataset: { rev: '1' }, removeAttribute() {} }],
  });
  const editor = {
    querySelector: () => ({ content: { firstElementChild: { cloneNode: () => form } } }),
    text: { reader: { refresh() {}, spread() {} } },
    drafts: { keep: (key, draft) => { if (draft) found.drafts[key] = draft.text; else delete found.drafts[key]; } },
    server: { post: async (where, fields) => { found.sent.push(fields.text); return found.answers(); } },
    say: (words) => { if (words) found.said.push(words); },
    kept: () => found.said.push('Saved'),
  };
  const refuse = () => { found.answers = () => ({ status: 422, answer: { said: 'Too long.', holding: () => [] } }); };
  const writing = new Writing(article, editor, text);
  const type = (words) => {
    field.value = words;
    field.dispatchEvent(new Event('input'));
  };
  return Object.assign(found, { article, field, refuse, type, writing });
}

test('what was typed is sent after a pause, and kept here until then', async () => {
  const { drafts, sent, type } = paragraph();
  type('Otherwise.');
  assert.deepEqual([sent, drafts], [[], { a: 'Otherwise.' }]);
  mock.timers.tick(PAUSE);
  await settle();
  assert.deepEqual([sent, drafts], [['Otherwise.'], {}]);
});

test('what was typed and taken back leaves no draft', async () => {
  const { drafts, sent, type } = paragraph();
  type('Otherwise.');
  type('As it was.');
  mock.timers.tick(PAUSE);
  await settle();
  assert.deepEqual([sent, drafts], [[], {}]);
});

test('a field in which nothing was typed leaves the draft of an earlier visit', async () => {
  const { drafts, writing } = paragraph();
  drafts.a = 'Of an earlier visit.';
  assert.equal(await writing.save(), true);
  assert.deepEqual(drafts, { a: 'Of an earlier visit.' });
});

test('nothing can be typed while several things are on their way, and then again', async () => {
  const { field, writing } = paragraph();
  const ways = [];
  const way = () => writing.still(() => new Promise((done) => { ways.push(done); }));
  const both = [way(), way()];
  assert.equal(field.readOnly, true);
  ways[0]();
  await both[0];
  assert.equal(field.readOnly, true);
  ways[1]();
  await both[1];
  assert.equal(field.readOnly, false);
});

test('a field that is being closed takes no more letters; what was not saved can be typed on', async () => {
  const { field, refuse, type, writing } = paragraph();
  const editor = new Editor();
  editor.text = { reader: { refresh() {} } };
  Object.assign(globalThis, { document: { activeElement: null } });
  refuse();
  type('Otherwise.');
  editor.writing = writing;
  const closed = editor.close();
  assert.equal(field.readOnly, true);
  await closed;
  assert.deepEqual([field.readOnly, editor.writing], [false, null]);
});

test('an emptied field waits for other words; leaving it takes the paragraph out', async () => {
  const { drafts, removed, sent, type, writing } = paragraph();
  type('');
  mock.timers.tick(PAUSE);
  await settle();
  assert.equal(await writing.save(), true);
  assert.deepEqual([sent, drafts, removed], [[], {}, []]);
  assert.equal(await writing.save(true), true);
  assert.deepEqual([sent, removed], [[''], ['paragraph']]);
});

test('one try follows another, however often something was not saved', async () => {
  const tried = paragraph();
  tried.answers = () => { throw new Away(); };
  tried.type('Otherwise.');
  for (let time = 0; time < 5; time += 1) await tried.writing.save();
  assert.equal(tried.sent.length, 5);
  mock.timers.tick(AGAIN);
  await settle();
  assert.equal(tried.sent.length, 6);
  tried.writing.finish();
  mock.timers.tick(AGAIN);
  await settle();
  assert.equal(tried.sent.length, 6);
});

test('who is signed out is told so, and nothing is tried again by itself', async () => {
  const tried = paragraph();
  const { sent, drafts, said, type, writing } = tried;
  tried.answers = () => { throw new SignedOut(); };
  type('Otherwise.');
  assert.equal(await writing.save(), false);
  mock.timers.tick(AGAIN);
  await settle();
  assert.deepEqual([sent.length, drafts], [1, { a: 'Otherwise.' }]);
  assert.match(said.at(-1), /Load this page again to sign in/);
});
