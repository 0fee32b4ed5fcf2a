// @ts-check
/** A button that copies what another element says (`data-link`: its id): a link's field, a key that is shown once. */
import { put, say } from './clipboard.js';

document.addEventListener('click', async (event) => {
  const button = /** @type {HTMLElement | null} */ (/** @type {Element} */ (event.target).closest('[data-link]'));
  const said = button && document.getElementById(button.dataset.link ?? '');
  if (!button || !said) return;
  const copied = await put(said instanceof HTMLInputElement ? said.value : said.textContent ?? '');
  if (!copied) select(said);
  say(button, copied ? 'Copied' : 'Press Ctrl+C');
});

/** So that it can be copied by hand. @param {HTMLElement} said */
function select(said) {
  if (said instanceof HTMLInputElement) said.select();
  else getSelection()?.selectAllChildren(said);
}
