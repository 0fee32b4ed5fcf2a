/** The dialog that asks who speaks: Esc is no answer, whatever the last one was. */

import assert from 'node:assert/strict';
import { test } from 'node:test';

/** As browsers have it that leave `returnValue` alone when Esc closes a dialog. */
class Dialog extends EventTarget {
  returnValue = '';

  showModal() {}

  querySelector() {
    return { querySelectorAll: () => [], reset() {}, elements: { namedItem: () => ({ focus() {} }) } };
  }

  close(answer) {
    this.returnValue = answer ?? this.returnValue;
    this.dispatchEvent(new Event('close'));
  }
}

test('Esc changes no speaker after one was changed', async () => {
  const { Who } = await import('../../static/js/who.js');
  const [dialog, sent] = [new Dialog(), []];
  globalThis.FormData = class { get() { return 'Maya'; } };
  const article = { querySelector: () => null, querySelectorAll: () => [] };
  const who = new Who({ querySelector: () => dialog, choose() {}, send: async (where) => void sent.push(where) });
  who.ask(article);
  dialog.close('save');
  who.ask(article);
  dialog.close();
  assert.deepEqual(sent, ['speaker/']);
});
