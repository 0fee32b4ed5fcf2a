/** Which key means what on the dictation page. Pure but for `focusOf`. */

/** A key that is held for longer talks only while it is held. */
export const HELD_MS = 500;

const SINGLE = { ' ': 'toggle', r: 'record', p: 'pause', m: 'mark', '?': 'keys' };

/**
 * @param {{key: string, ctrlKey: boolean, metaKey: boolean, altKey: boolean, shiftKey: boolean, repeat: boolean, isComposing: boolean}} event
 * @param {{field: boolean, button: boolean, dialog: boolean, singleKeys: boolean}} where what has the focus, and the person's choice
 * @returns {'' | 'toggle' | 'record' | 'pause' | 'mark' | 'keys' | 'finish' | 'undo' | 'redo' | 'ask'}
 */
export function meaning(event, { field, button, dialog, singleKeys }) {
  if (event.isComposing || event.repeat || dialog) return '';
  const command = event.ctrlKey || event.metaKey;
  if (command && !event.altKey && event.key === 'Enter') return 'finish';
  if (command && !event.altKey && event.key.toLowerCase() === 'z') return field ? '' : event.shiftKey ? 'redo' : 'undo';
  if (event.key === 'Escape') return field ? '' : 'ask';
  if (command || event.altKey || field || button || !singleKeys) return '';
  return SINGLE[event.key.toLowerCase()] ?? '';
}

/** What has the focus, in the terms of `meaning`. */
export function focusOf(element) {
  return {
    field: element?.matches('input, select, textarea, [contenteditable]') ?? false,
    button: element?.matches('button, a, summary, [role=button]') ?? false,
    /** Asked last: it takes a walk through the whole page, which for every key of a long text would be felt. */
    get dialog() {
      return document.querySelector('dialog[open], [popover]:popover-open') !== null;
    },
  };
}

/** The command key as this machine writes it. */
export const commandSign = () => (/Mac|iPhone|iPad/.test(navigator.platform) ? '⌘' : 'Ctrl');
