// @ts-check
/** Where the focus goes when what has it leaves the page: to its like beside it, else to the page's text. */

/** Call before it is removed. @param {Element} leaving */
export function leave(leaving) {
  if (!leaving.contains(document.activeElement)) return;
  const beside = leaving.nextElementSibling ?? leaving.previousElementSibling;
  const inside = /** @type {HTMLElement[]} */ ([...(beside?.querySelectorAll('a[href], button') ?? [])]);
  (inside.find((one) => one.checkVisibility()) ?? document.getElementById('main'))?.focus();
}
