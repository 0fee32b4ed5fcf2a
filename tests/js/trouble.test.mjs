import assert from 'node:assert/strict';
import { test } from 'node:test';
import { trouble } from '../../static/js/trouble.js';

const pressed = { type: 'click' };

test('a poll that fails says nothing', () => {
  for (const status of [0, 401, 404, 500]) assert.equal(trouble({ verb: 'get' }, status).words, '');
});

test('a deed that fails says that it is not saved, and what to do', () => {
  for (const request of [{ verb: 'post', triggeringEvent: pressed }, { verb: 'POST' }]) {
    assert.deepEqual(trouble(request, 0), { words: 'No answer: not saved. Try again.', link: '' });
    assert.deepEqual(trouble(request, 502), { words: 'No answer: not saved. Try again.', link: '' });
    assert.deepEqual(trouble(request, 401), { words: 'You are signed out: not saved.', link: 'Sign in again' });
    assert.match(trouble(request, 429).words, /not saved. Wait a moment/);
    assert.deepEqual(trouble(request, 403), { words: 'That did not work: not saved.', link: 'Load the page again' });
  }
});

test('what was asked for and does not come says so; nothing was to be saved', () => {
  const asked = { verb: 'get', triggeringEvent: pressed };
  for (const status of [0, 401, 404, 429, 500]) assert.doesNotMatch(trouble(asked, status).words, /saved|^$/);
  assert.equal(trouble(asked, 401).link, 'Sign in again');
});
