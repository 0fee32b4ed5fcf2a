import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Changed, SHEET, isSingle, meaning, shown, written } from '../../static/js/keymap.js';

const press = (key, held = {}) => ({ key, ctrlKey: false, metaKey: false, altKey: false, shiftKey: false, ...held });
const reading = { typing: false, singleKeys: true, changed: {} };

test('a press is written the same whichever command key is held', () => {
  assert.equal(written(press('P', { ctrlKey: true, shiftKey: true })), 'Mod+Shift+P');
  assert.equal(written(press('p', { metaKey: true, shiftKey: true })), 'Mod+Shift+P');
  assert.equal(written(press(' ')), 'Space');
  assert.equal(written(press('?', { shiftKey: true })), '?');
  assert.equal(written(press('ArrowLeft', { shiftKey: true })), 'Shift+ArrowLeft');
});

test('no two deeds share a key', () => {
  const keys = SHEET.flatMap(([, rows]) => rows.flatMap(([, , combinations]) => combinations));
  assert.equal(new Set(keys).size, keys.length);
});

test('single keys never fire in a field, nor where a person does not want them', () => {
  assert.equal(meaning(press('j'), reading), 'next');
  assert.equal(meaning(press('j'), { ...reading, typing: true }), '');
  assert.equal(meaning(press('j'), { ...reading, singleKeys: false }), '');
  assert.equal(meaning(press('s', { altKey: true }), { ...reading, typing: true, singleKeys: false }), 'speaker');
});

test('escape plays while one types, and only then', () => {
  assert.equal(meaning(press('Escape'), { ...reading, typing: true }), 'play');
  assert.equal(meaning(press('Escape'), reading), '');
  assert.equal(meaning(press('x'), reading), '');
});

test('a changed key takes the place of the old one, and of whoever had it', () => {
  const changed = new Changed();
  changed.set('next', 'K');
  const where = { ...reading, changed: changed.all };
  assert.equal(meaning(press('k'), where), 'next');
  assert.equal(meaning(press('j'), where), '');
  changed.reset();
  assert.equal(meaning(press('k'), { ...reading, changed: changed.all }), 'previous');
});

test('keys are shown in signs', () => {
  assert.equal(shown('Mod+Shift+P', 'Ctrl'), 'Ctrl ⇧ P');
  assert.equal(shown('Alt+-', 'Ctrl'), 'Alt -');
  assert.equal(shown('+', 'Ctrl'), '+');
  assert.ok(!isSingle('F1') && isSingle('J') && isSingle('?'));
});
