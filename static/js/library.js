// @ts-check
/** The library's small conveniences: menus close, records are chosen by keyboard, moments are walked through. */

const rows = () => /** @type {HTMLInputElement[]} */ ([...document.querySelectorAll('.pick .check')]);
const form = () => /** @type {HTMLFormElement | null} */ (document.getElementById('selection'));
/** All that the filters keep: the list itself carries their address, since a search swaps it and leaves the dock as it is. */
const whole = () => /** @type {HTMLInputElement | null} */ (document.querySelector('#shelf [name=every]'));
/** @type {HTMLInputElement | null} */
let last = null;
/** Chosen rows, by id, that the answer to a deed of theirs is about to replace. @type {Set<string>} */
const renewed = new Set();

/** Say how many are chosen, and offer the rest of them. */
function count() {
  const all = rows();
  const chosen = all.filter((box) => box.checked).length;
  const every = whole();
  const offer = /** @type {HTMLElement | null} */ (form()?.querySelector('[data-every]') ?? null);
  if (!every || !offer) return;
  if (chosen < all.length) every.disabled = true;
  const said = form()?.querySelector('[data-chosen]');
  if (said) said.textContent = every.disabled ? `${chosen} selected` : 'All selected, also those further down';
  offer.hidden = !every.disabled || chosen < all.length || !document.querySelector('.onward');
}

/** @param {boolean} checked */
function choose(checked) {
  for (const box of rows()) box.checked = checked;
  count();
}

function leave() {
  const every = whole();
  if (every) every.disabled = true;
  choose(false);
}

/** Begin choosing, where no box shows until one is chosen. @param {Element} from */
function select(from) {
  const box = /** @type {HTMLInputElement | null} */ (from.closest('.item')?.querySelector('.pick .check'));
  from.closest('details')?.removeAttribute('open');
  if (!box) return;
  box.checked = true;
  box.focus();
  count();
}

/** Empty the field; the list comes back, with the filters as they are. */
function clear() {
  const field = /** @type {HTMLInputElement} */ (document.querySelector('main .search input'));
  field.value = '';
  field.dispatchEvent(new Event('search', { bubbles: true }));
  field.focus();
}

document.addEventListener('change', (event) => {
  if (/** @type {Element} */ (event.target).matches('.pick .check')) count();
});

// Shift and a click choose everything between.
document.addEventListener('click', (event) => {
  const target = /** @type {Element} */ (event.target);
  for (const menu of document.querySelectorAll('details.acts[open]')) {
    if (!menu.contains(target)) menu.removeAttribute('open');
  }
  if (target.closest('[data-select]')) select(target);
  if (target.closest('[data-clear]')) {
    event.preventDefault();
    clear();
  }
  if (target.closest('[data-leave]')) {
    event.preventDefault();
    const row = rows().find((box) => box.checked)?.closest('.item');
    leave(); // takes the dock away
    /** @type {HTMLElement | null | undefined} */ (row?.querySelector('h3 a'))?.focus();
  }
  const every = target.closest('[data-every]') ? whole() : null;
  if (every) {
    every.disabled = false;
    count(); // takes the button away
    /** @type {HTMLElement | null | undefined} */ (form()?.querySelector('[data-leave]'))?.focus();
  }
  if (!target.matches('.pick .check')) return;
  const box = /** @type {HTMLInputElement} */ (target);
  const all = rows();
  if (event.shiftKey && last && all.includes(last)) {
    const [from, to] = [all.indexOf(last), all.indexOf(box)].sort((a, b) => a - b);
    for (const between of all.slice(from, to + 1)) between.checked = box.checked;
    count();
  }
  last = box;
});

document.addEventListener('keydown', (event) => {
  const element = /** @type {Element} */ (event.target);
  const writing = element.matches('input:not([type=checkbox]), textarea, select, [contenteditable]');
  const menu = element.closest('details.acts[open]');
  if (event.key === 'Escape' && menu) {
    menu.removeAttribute('open');
    menu.querySelector('summary')?.focus();
  } else if (event.key === 'Escape' && !writing && !document.querySelector('dialog[open]') && rows().some((box) => box.checked)) {
    leave();
  } else if (event.key.toLowerCase() === 'a' && (event.ctrlKey || event.metaKey) && !writing && rows().length) {
    event.preventDefault();
    choose(true);
  } else if ((event.key === 'ArrowDown' || event.key === 'ArrowUp') && (element.closest('.moments') || element.matches('.search input'))) {
    walk(event, element);
  }
});

// A menu that opens below the window's edge is brought in, whole: on a phone nothing would seem to happen.
document.addEventListener('toggle', (event) => {
  const menu = /** @type {HTMLDetailsElement} */ (event.target);
  if (menu.matches('.item .acts[open]')) menu.querySelector('.drop')?.scrollIntoView({ block: 'nearest' });
}, true);

/** From moment to moment by the arrow keys. @param {KeyboardEvent} event @param {Element} from */
function walk(event, from) {
  const moments = /** @type {HTMLElement[]} */ ([...document.querySelectorAll('.moments a')]);
  const at = moments.indexOf(/** @type {HTMLElement} */ (from.closest('a'))) + (event.key === 'ArrowDown' ? 1 : -1);
  if (!moments.length || at < -1) return;
  event.preventDefault();
  const field = /** @type {HTMLElement} */ (document.querySelector('.search input'));
  (at < 0 ? field : moments[Math.min(at, moments.length - 1)]).focus();
}

// A row that refreshes itself must not close the menu somebody is using, nor take the words from under their cursor.
document.addEventListener('htmx:beforeRequest', (event) => {
  const row = /** @type {Element} */ (event.target);
  if (row.matches('.item') && row.querySelector('details[open]')) event.preventDefault();
});

// ... nor take it out of a selection. What its own menu has done is shown all the same, and the new row is as chosen as the old.
document.addEventListener('htmx:beforeSwap', (event) => {
  const row = /** @type {Element} */ (event.target);
  const box = /** @type {HTMLInputElement | null} */ (row.querySelector('.pick .check'));
  if (!row.matches('.item') || !box?.checked) return;
  if (/** @type {CustomEvent} */ (event).detail.requestConfig.elt === row) event.preventDefault();
  else renewed.add(row.id);
});

document.addEventListener('htmx:load', (event) => {
  const row = /** @type {Element} */ (event.target);
  const box = /** @type {HTMLInputElement | null} */ (row.querySelector('.pick .check'));
  if (renewed.delete(row.id) && box) box.checked = true;
});

// A chip that was opened before the page was ready asks now for what it offers.
document.addEventListener('htmx:load', () => {
  for (const chip of document.querySelectorAll('details.chip[open]')) chip.dispatchEvent(new Event('toggle'));
});

document.addEventListener('htmx:afterSettle', count);

/** A row whose own menu takes it away, with the focus in it, and the row beside it. @type {Element[]} */
let left = [];

document.addEventListener('htmx:beforeSwap', (event) => {
  const row = /** @type {Element} */ (event.target);
  if (!row.matches('.item') || !row.querySelector('details')?.contains(document.activeElement)) return;
  const all = [...document.querySelectorAll('.item')];
  const at = all.indexOf(row);
  left = [row, all[at + 1] ?? all[at - 1]];
});

// The focus goes to the menu of the row in its place; where it went to the bin, to the row beside it.
document.addEventListener('htmx:afterSettle', () => {
  if (!left.length || left[0].isConnected) return;
  const [row, beside] = left;
  left = [];
  const next = document.getElementById(row.id)?.querySelector('summary') ?? beside?.querySelector('h3 a') ?? document.querySelector('main .search input');
  if (document.activeElement === document.body) /** @type {HTMLElement | null} */ (next)?.focus();
});
