/** The first visit's microphone row: asks the browser once, says what came of it, and lets go again. */
const REFUSALS = {
  NotAllowedError: 'The browser refused. Allow the microphone in the address bar, then try again.',
  NotFoundError: 'No microphone is plugged in. Connect one, then try again.',
  NotReadableError: 'Another program holds the microphone. Close it, then try again.',
};
const INSECURE = 'Browsers give the microphone to https and to localhost only.';

class Permission extends HTMLElement {
  #button;

  #ask = async () => {
    try {
      const stream = await navigator.mediaDevices.getUserMedia({ audio: true });
      for (const track of stream.getTracks()) track.stop();
      this.#say('allowed', true);
    } catch (error) {
      this.#say(REFUSALS[error.name] ?? 'The microphone cannot be used here. Try another browser.', false);
    }
  };

  #say(words, works) {
    this.querySelector('[role=status]').textContent = words;
    this.closest('li').classList.toggle('todo', !works);
    this.#button.hidden = works;
  }

  connectedCallback() {
    this.#button = this.querySelector('button');
    if (!navigator.mediaDevices) this.#say(INSECURE, false);
    this.#button.disabled = !navigator.mediaDevices;
    this.#button.addEventListener('click', this.#ask);
  }

  disconnectedCallback() {
    this.#button.removeEventListener('click', this.#ask);
  }
}

customElements.define('mem-permission', Permission);
