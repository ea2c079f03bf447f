// What the page and the app say to each other, as far as the sign of a press needs it. Streamlit's messages are protocol
// buffers; a field keeps its number for good.

const RERUN_SCRIPT = 11; // in BackMsg: a ClientState
const IS_AUTO_RERUN = 6; // in ClientState
const NEW_SESSION = 4; // in ForwardMsg: a run of the page's script begins
const SCRIPT_FINISHED = 6; // in ForwardMsg: one of these
const FINISHED_EARLY_FOR_RERUN = 2; // and begins again at once

/**
 * The first field of a message with this number: a number, or the bytes of what is not one; undefined where it is not there.
 * @param {Uint8Array} bytes
 * @param {number} wanted
 * @returns {number | Uint8Array | undefined}
 */
export function field(bytes, wanted) {
  let at = 0;
  const varint = () => {
    let value = 0;
    for (let unit = 1; at < bytes.length; unit *= 128) {
      const byte = bytes[at++];
      value += (byte & 127) * unit;
      if (byte < 128) break;
    }
    return value;
  };
  while (at < bytes.length) {
    const key = varint();
    const kind = key % 8; // 0: a number; 1 and 5: of 8 and 4 bytes; 2: bytes behind their length
    const number = kind === 0 ? varint() : undefined;
    const length = { 0: 0, 1: 8, 2: kind === 2 ? varint() : 0, 5: 4 }[kind];
    if (length === undefined) return undefined; // no protocol buffer
    if (Math.floor(key / 8) === wanted) return number ?? bytes.subarray(at, at + length);
    at += length;
  }
  return undefined;
}

/**
 * Whether the page asks the app for a run of its script with this message, other than by its timer.
 * @param {Uint8Array} message
 */
export function asks(message) {
  const state = field(message, RERUN_SCRIPT);
  return state instanceof Uint8Array && !field(state, IS_AUTO_RERUN);
}

/**
 * What the app says with this message about the run of the page's script.
 * @param {Uint8Array} message
 * @returns {"begins" | "ends" | null}
 */
export function run(message) {
  if (field(message, NEW_SESSION) !== undefined) return "begins";
  const finished = field(message, SCRIPT_FINISHED);
  return finished === undefined || finished === FINISHED_EARLY_FOR_RERUN ? null : "ends";
}
