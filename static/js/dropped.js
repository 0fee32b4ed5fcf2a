// @ts-check
/** The files in what was dropped, those in folders too; and those in what was pasted. */
import { isRecording } from './progress.js';

const WRITING = 'input:not([type=checkbox], [type=radio], [type=file]), textarea, select, [contenteditable]';

/**
 * None in a field: what is pasted there is its text, and a table or a document puts a picture of itself beside that.
 * Elsewhere such text is known by its HTML: plain text alone may be the files' own names, which some systems add.
 * @param {ClipboardEvent} event @returns {File[]}
 */
export function filesPasted(event) {
  const target = event.target instanceof Element ? event.target : null;
  const data = event.clipboardData;
  if (!data || target?.closest(WRITING) || data.types.includes('text/html')) return [];
  return [...data.files];
}

/** @param {DataTransfer} data @returns {Promise<File[]>} */
export async function filesIn(data) {
  const entries = [...data.items].map((item) => item.webkitGetAsEntry?.()).filter(Boolean);
  if (!entries.some((entry) => entry.isDirectory)) return [...data.files];
  const found = await Promise.all(entries.map((entry) => within(entry, true)));
  return found.flat();
}

async function within(entry, chosen = false) {
  if (entry.isFile) {
    const file = await new Promise((resolve) => entry.file(resolve, () => resolve(null)));
    return file && (chosen || isRecording(file)) ? [file] : [];
  }
  const found = [];
  for (const inside of await listed(entry.createReader())) found.push(...(await within(inside)));
  return found;
}

/** A reader gives a hundred at a time, and none when it is at its end. */
async function listed(reader) {
  const all = [];
  for (;;) {
    const some = await new Promise((resolve) => reader.readEntries(resolve, () => resolve([])));
    if (!some.length) return all;
    all.push(...some);
  }
}
