import assert from 'node:assert/strict';
import { beforeEach, test } from 'node:test';

import { Away, Server, SignedOut } from '../../static/js/saving.js';

beforeEach(() => { globalThis.document = { body: { getAttribute: () => null } }; });

const ASKS = {
  post: (server) => server.post('text/', { text: 'Words.' }),
  reload: (server) => server.reload('replacement/', { find: 'words' }),
  find: (server) => server.find('words'),
};
const answers = (more) => async () => ({ ok: true, status: 200, redirected: false, text: async () => '<p>A page</p>', ...more });

for (const [name, ask] of Object.entries(ASKS)) {
  test(`${name}: no network is no answer`, async () => {
    globalThis.fetch = async () => { throw new TypeError('Failed to fetch'); };
    await assert.rejects(ask(new Server('/transcripts/1/', '2')), (error) => error instanceof Away && !error.message);
  });

  test(`${name}: an answer that breaks off is none`, async () => {
    globalThis.fetch = answers({ text: async () => { throw new TypeError('network error'); } });
    await assert.rejects(ask(new Server('/transcripts/1/', '2')), Away);
  });

  test(`${name}: a server in trouble is no answer`, async () => {
    globalThis.fetch = answers({ ok: false, status: 502 });
    await assert.rejects(ask(new Server('/transcripts/1/', '2')), (error) => error instanceof Away && !error.message);
  });

  for (const [what, more] of [['the sign-in', { redirected: true }], ['a refusal', { ok: false, status: 403 }]]) {
    test(`${name}: ${what} says to sign in`, async () => {
      globalThis.fetch = answers(more);
      await assert.rejects(ask(new Server('/transcripts/1/', '2')), SignedOut);
    });
  }
}

test('where words stand is told', async () => {
  globalThis.fetch = answers({ text: async () => '{"places": [["a", 10]], "more": false}' });
  assert.deepEqual(await new Server('/transcripts/1/', '2').find('words'), { places: [['a', 10]], more: false });
});
