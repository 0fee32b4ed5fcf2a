import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Choices } from '../../static/js/choices.js';

const store = new Map();
globalThis.localStorage = { getItem: (key) => store.get(key) ?? null, setItem: (key, value) => store.set(key, value) };

/** A select as the server made it: the account's own choice is its default. */
function select(values, ours, settled) {
  const made = new EventTarget();
  const options = values.map((value) => ({ value, defaultSelected: value === ours }));
  return Object.assign(made, { options, value: ours ?? values[0], dataset: settled === undefined ? {} : { settled } });
}

function opened(settings, ours) {
  const choices = new Choices(settings);
  const language = select(['en', 'de', 'fr'], ours);
  choices.bind(language, 'language');
  return { choices, language };
}

function pick(made, value) {
  made.value = value;
  made.dispatchEvent(new Event('change'));
}

test('what is chosen here is kept while the account stays as it was', () => {
  store.clear();
  pick(opened({}, 'en').language, 'de');
  const again = opened({}, 'en');
  assert.equal(again.language.value, 'de');
  assert.equal(again.choices.all.language, 'de');
});

test('what is chosen in the settings later counts, also when it is chosen back', () => {
  store.clear();
  pick(opened({}, 'en').language, 'de');
  assert.equal(opened({}, 'fr').language.value, 'fr');
  const back = opened({}, 'en');
  assert.equal(back.language.value, 'en');
  assert.equal(back.choices.all.language, 'en');
});

test('single keys follow the settings once they are changed there', () => {
  store.clear();
  new Choices({ singleKeys: 'yes' }).keep('singleKeys', false);
  assert.equal(new Choices({ singleKeys: 'yes' }).all.singleKeys, false);
  assert.equal(new Choices({ singleKeys: 'no' }).all.singleKeys, false);
  assert.equal(new Choices({ singleKeys: 'yes' }).all.singleKeys, true);
});

test('a page that knows single keys only forgets nothing of the others', () => {
  store.clear();
  pick(opened({ singleKeys: 'yes' }, 'en').language, 'de');
  assert.equal(new Choices({ singleKeys: 'yes' }).all.singleKeys, true);
  assert.equal(opened({ singleKeys: 'yes' }, 'en').language.value, 'de');
});

test('a session that goes on shows its own, and the kept choice stays for the next', () => {
  store.clear();
  pick(opened({}, 'en').language, 'de');
  const going = select(['en', 'de', 'fr'], 'en', 'fr');
  const choices = new Choices({});
  choices.bind(going, 'language');
  assert.equal(going.value, 'fr');
  assert.equal(choices.all.language, 'fr');
  assert.equal(opened({}, 'en').language.value, 'de');
});

test('what an older page kept, or nobody can read, harms nothing', () => {
  for (const kept of ['{"language":"de","singleKeys":true,"device":null}', '[]', 'null', '"x"', '{']) {
    store.set('memweb.dictation', kept);
    const { choices, language } = opened({ singleKeys: 'no' }, 'en');
    assert.equal(language.value, 'en');
    assert.equal(choices.all.singleKeys, false);
    pick(language, 'fr');
    assert.equal(choices.all.language, 'fr');
  }
});
