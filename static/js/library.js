// @ts-check
/** The library's small conveniences: `/` finds, menus close. */

const field = () => /** @type {HTMLInputElement | null} */ (document.querySelector('.search input'));

document.addEventListener('keydown', (event) => {
  const element = /** @type {Element} */ (event.target);
  const writing = element.matches('input, textarea, select, [contenteditable]');
  if (event.key === '/' && !writing && !event.ctrlKey && !event.metaKey && !event.altKey) {
    event.preventDefault();
    field()?.select();
  }
  const menu = element.closest('details.acts[open]');
  if (event.key === 'Escape' && menu) {
    menu.removeAttribute('open');
    menu.querySelector('summary')?.focus();
  }
});

document.addEventListener('click', (event) => {
  for (const menu of document.querySelectorAll('details.acts[open]')) {
    if (!menu.contains(/** @type {Node} */ (event.target))) menu.removeAttribute('open');
  }
});

// A row that refreshes itself must not close the menu somebody is using, nor take the words from under their cursor.
document.addEventListener('htmx:beforeRequest', (event) => {
  const row = /** @type {Element} */ (event.target);
  if (row.matches('.item') && row.querySelector('details[open]')) event.preventDefault();
});
