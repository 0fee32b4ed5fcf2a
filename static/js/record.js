// @ts-check
/** Around a record's text: rename in place, copy all. */
import { put, say } from './clipboard.js';

document.addEventListener('dblclick', (event) => {
  const details = /** @type {Element} */ (event.target).closest('.titled')?.querySelector('details');
  if (details) details.open = true;
});

document.addEventListener('toggle', (event) => {
  const details = /** @type {HTMLDetailsElement} */ (event.target);
  if (details.matches('.renaming') && details.open) details.querySelector('input')?.select();
}, { capture: true });

document.addEventListener('keydown', (event) => {
  const details = /** @type {Element} */ (event.target).closest('details.renaming[open]');
  if (event.key !== 'Escape' || event.isComposing || !details) return;
  details.removeAttribute('open');
  details.querySelector('form')?.reset();
  details.querySelector('summary')?.focus();
});

document.addEventListener('htmx:afterSettle', (event) => {
  if (/** @type {Element} */ (event.target).id === 'titled') document.getElementById('title')?.focus();
});

document.addEventListener('click', async (event) => {
  const button = /** @type {HTMLElement | null} */ (/** @type {Element} */ (event.target).closest('[data-copy]'));
  if (!button) return;
  const copied = await copy(button.dataset.copy ?? '');
  say(button, copied ? 'Copied' : 'Not copied. Export it as text.');
});

/** Put what this address answers on the clipboard. @param {string} address @returns {Promise<boolean>} */
async function copy(address) {
  try {
    const answer = await fetch(address);
    return answer.ok && put(await answer.text());
  } catch {
    return false;
  }
}
