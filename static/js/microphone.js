/**
 * The microphone: asked for, opened at the device's own rate, and fed to the audio worklet.
 * Every frame comes from the audio thread's messages; no timer of the page is involved.
 */

/** Why a microphone did not open, as a code of words.js. @param {unknown} error */
export function reasonOf(error) {
  const reasons = {
    NotAllowedError: 'denied',
    SecurityError: 'denied',
    NotFoundError: 'missing',
    OverconstrainedError: 'missing',
    NotReadableError: 'busy',
    AbortError: 'busy',
  };
  return error?.code === 'insecure' || error?.code === 'unsupported' ? error.code : (reasons[error?.name] ?? 'failed');
}

const problem = (code) => Object.assign(new Error(code), { code });

/** The microphones by name; names are empty until one was allowed. @returns {Promise<{id: string, label: string}[]>} */
export async function listMicrophones() {
  const all = (await navigator.mediaDevices?.enumerateDevices()) ?? [];
  return all.filter((d) => d.kind === 'audioinput' && d.deviceId).map((d) => ({ id: d.deviceId, label: d.label }));
}

/** Recognisers are trained on noisy speech: cleaning costs words, so it is off unless asked for. */
function constraintsFor({ device, echo, noise, gain }) {
  const audio = { echoCancellation: echo, noiseSuppression: noise, autoGainControl: gain, channelCount: 1 };
  if (device) audio.deviceId = { ideal: device };
  return { audio };
}

export class Microphone {
  #context = null;
  #stream = null;
  #node = null;
  #stopped = null;

  /**
   * @param {string} worklet address of pcm-worklet.js
   * @param {object} on
   * @param {(frame: ArrayBuffer) => void} on.frame
   * @param {() => void} on.gone the device was unplugged, or taken by the system
   * @param {(muted: boolean) => void} on.muted by the system or a switch on the device
   */
  constructor(worklet, on) {
    this.worklet = worklet;
    this.on = on;
    this.label = '';
    this.rate = 0;
  }

  get isOpen() {
    return this.#node !== null;
  }

  /** Ask for it and open it. Rejects with what `reasonOf` can read. */
  async open(choices) {
    if (!navigator.mediaDevices) throw problem(window.isSecureContext ? 'unsupported' : 'insecure');
    if (!window.AudioWorkletNode) throw problem('unsupported');
    const stream = await navigator.mediaDevices.getUserMedia(constraintsFor(choices));
    this.#stream = stream;
    try {
      await this.#listen(stream);
    } catch (error) {
      this.close();
      throw error;
    }
  }

  async #listen(stream) {
    const [track] = stream.getAudioTracks();
    track.onended = () => this.#lose(stream);
    track.onmute = () => this.on.muted(true);
    track.onunmute = () => this.on.muted(false);
    const context = new AudioContext({ latencyHint: 'interactive' });
    this.#context = context;
    // iOS takes the context away for a call, and gives it back after it.
    context.onstatechange = () => this.#context === context && this.#turned();
    await Promise.all([context.audioWorklet.addModule(this.worklet), context.resume()]);
    const node = new AudioWorkletNode(context, 'pcm', {
      channelCount: 1,
      channelCountMode: 'explicit',
      channelInterpretation: 'speakers',
    });
    node.port.onmessage = ({ data }) => this.#hear(data);
    // The node puts out silence; some browsers run only what leads to the loudspeaker.
    context.createMediaStreamSource(stream).connect(node).connect(context.destination);
    this.#node = node;
    this.label = track.label;
    this.rate = context.sampleRate;
  }

  /** Begin a stretch with this frame number, at this sample of the recording. */
  begin(seq, sample) {
    for (const track of this.#stream.getTracks()) track.enabled = true;
    this.#node.port.postMessage({ t: 'start', seq, sample });
  }

  /** End the stretch: resolves once its last frame was handed over. The device stays open, unheard. */
  async end() {
    if (!this.#node) return;
    // A context the system took away may never answer; what it held before that was handed over already.
    const stopped = new Promise((resolve) => {
      this.#stopped = resolve;
      setTimeout(resolve, 1000);
    });
    this.#node.port.postMessage({ t: 'stop' });
    await stopped;
    for (const track of this.#stream?.getTracks() ?? []) track.enabled = false;
  }

  /** A browser may suspend the sound of a page by itself: ask for it back. */
  wake() {
    if (this.#context?.state === 'suspended') this.#context.resume().catch(() => {}); // closed meanwhile
  }

  recycle(buffer) {
    this.#node?.port.postMessage(buffer, [buffer]);
  }

  close() {
    // What a thread that stood still hands over later would take the numbers of the next stretch.
    if (this.#node) this.#node.port.onmessage = null;
    for (const track of this.#stream?.getTracks() ?? []) {
      track.onended = null;
      track.stop();
    }
    this.#context?.close();
    this.#context = this.#stream = this.#node = null;
  }

  #turned() {
    this.on.muted(this.#context.state === 'interrupted');
    this.wake();
  }

  #hear(data) {
    if (data instanceof ArrayBuffer) this.on.frame(data);
    else if (data.t === 'stopped') this.#stopped?.();
  }

  async #lose(stream) {
    if (this.#stream !== stream) return;
    await this.end();
    this.close();
    this.on.gone();
  }
}
