// @ts-check
/** Text onto the clipboard, also where a browser does not trust the page: plain http on a local network. */

/** @param {string} text @returns {Promise<boolean>} whether it is there */
export async function put(text) {
  try {
    if (!navigator.clipboard) return putBySelection(text);
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return false;
  }
}

/** What is behind an open dialog cannot be selected. @param {string} text */
function putBySelection(text) {
  const area = document.createElement('textarea');
  area.value = text;
  (document.querySelector('dialog[open]') ?? document.body).append(area);
  area.select();
  const done = document.execCommand('copy');
  area.remove();
  return done;
}

const SAID_MS = 2000;

/** Say for a moment, on the button that was pressed, what came of it. @param {Element} button @param {string} words */
export function say(button, words) {
  const label = button.querySelector('span');
  if (!label) return;
  label.dataset.before ??= label.textContent ?? '';
  label.textContent = words;
  setTimeout(() => { label.textContent = label.dataset.before ?? ''; }, SAID_MS);
}
