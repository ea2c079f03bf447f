const TRIES = 8;
const PAUSE_MS = 1000; // before the second try, and after that twice as long each time

/**
 * The component's script at `where`, a path below the app's address.
 *
 * Who asks is a module without an address, so it is found where Streamlit's own scripts came from: the app may be below
 * a path of its own. An attempt that fails is made again, under another name: a browser keeps a module that could not
 * be had.
 * @param {string} where
 * @param {(url: string) => Promise<{default: unknown}>} [take]
 * @param {number} [pause]
 */
export async function fetched(where, take = (url) => import(url), pause = PAUSE_MS) {
  const own = [...document.scripts].find((script) => script.src.includes("/static/js/"));
  const url = new URL(`../../${where}`, own?.src ?? document.baseURI).href;
  for (let tried = 1; ; tried++) {
    try {
      return (await take(tried === 1 ? url : `${url}?${tried}`)).default;
    } catch (error) {
      if (tried === TRIES) throw error;
      await new Promise((done) => setTimeout(done, pause * 2 ** (tried - 1)));
    }
  }
}
